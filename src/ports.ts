/**
 * What a peer needs from the world: storage, a network, clocks, randomness and an identity. Adapters implement these few methods; the failure
 * contract stands in the comments, and the contract suites under test/contract hold every adapter to it.
 */

import type { StorageChange, StorageEntry, StorageRange } from './core/disk.ts';
import type { ByteString, PeerId } from './core/ids.ts';

export type { StorageChange, StorageEntry, StorageRange } from './core/disk.ts';
export type { Identity } from './core/identity.ts';
export type { Random } from './core/random.ts';

/**
 * An ordered map of byte strings to bytes with atomic batches.
 *
 * Reads see every commit whose promise has resolved, and of the others only what no crash can undo any more, each one whole: what was seen once stays. (A dot that
 * was read, told to others, and then lost in a crash would be given to a second value, VR3.) A failed read or commit rejects with a MeshError
 * (`STORAGE_FAILED`, `STORAGE_FULL`, `RECORD_CORRUPT`); it never answers "not there" instead (VR4). What a rejected commit has done is unknown: it may be
 * found later. Commits that share a batch share its fate. After `close` everything rejects with `CLOSED`.
 * Returned bytes are the caller's to keep; bytes handed in must not be changed afterwards.
 */
export interface Storage {
  /** Whether a resolved commit survives a kill and a power cut (fsync, a strict transaction). */
  readonly durable: boolean;
  /** Opening found traces of damage: commits that had resolved may be missing. Absent where the storage cannot tell. */
  readonly mayHaveForgotten?: boolean;
  /** The values in the order of the keys; `undefined` where there is none. */
  getMany(keys: readonly ByteString[]): Promise<(Uint8Array | undefined)[]>;
  /** The same at once, or `undefined` when that would hold the caller up, or failed: then `getMany` tells. Absent where every read has to wait. */
  getNow?(keys: readonly ByteString[]): (Uint8Array | undefined)[] | undefined;
  range(range: StorageRange): Promise<StorageEntry[]>;
  /** All or nothing; commits take effect in the order of the calls. Resolves when durable, an empty batch when all before it are. Calls made together share one synced batch. */
  commit(changes: readonly StorageChange[]): Promise<void>;
  /** Gives the space of what was deleted back to the disk, in the background. Absent where that happens without being asked for. */
  compact?(): Promise<void>;
  /** Finishes what is under way, then releases the store. May be called twice. */
  close(): Promise<void>;
}

export interface NetworkHandlers {
  /** A frame from an authenticated peer. Must not throw. */
  message(from: PeerId, frame: Uint8Array): void;
  /** A gossiped frame; `from` is who signed it, not who passed it on. */
  gossip(from: PeerId, frame: Uint8Array): void;
  /** Frames can be sent to this peer from now on. */
  up(peer: PeerId): void;
  /** The way to this peer is gone: frames sent and not answered may or may not have arrived. */
  down(peer: PeerId): void;
  /** `addresses()` has changed: a relay was found or lost, for example. */
  addressesChanged(): void;
}

/** How frames go to a peer now. */
export interface Path {
  readonly peer: PeerId;
  /** The peer that passes them on, which sees only that and how much; undefined when the connection is direct. */
  readonly relay: string | undefined;
  readonly transport: 'tcp' | 'websocket' | 'webrtc' | 'memory';
  /** Who made the connection: this peer (`outbound`) or the other one. */
  readonly direction: 'inbound' | 'outbound';
}

/**
 * Frames between peers that authenticated each other, over one long-lived stream for each pair and direction.
 *
 * Between an `up` and the next `down`, frames arrive at most once, whole, and in the order they were sent. A frame may be lost only together with a `down`.
 * `up` and `down` speak of the way from here to there: the other direction may come up a little earlier or later. A frame has 1 byte to
 * `limits.frameMaxBytes`, a gossiped one up to 64 KiB. No handler is called after `close`.
 */
export interface Network {
  readonly self: PeerId;
  /** Where this peer can be dialled, as multiaddr texts without the peer id. Filled once started. */
  addresses(): string[];
  /** One for each peer to which there is a way now. */
  paths(): Path[];
  start(handlers: NetworkHandlers): Promise<void>;
  /** False when the frame was surely not sent: no way to the peer now, or its send queue is full. The adapter then dials by itself. */
  send(to: PeerId, frame: Uint8Array): boolean;
  /** To all members, quickly and without promise. */
  publish(frame: Uint8Array): void;
  /** Where a peer may be reached; the adapter keeps a connection to it until `forget`. */
  connect(peer: PeerId, addresses: readonly string[]): void;
  forget(peer: PeerId): void;
  close(): Promise<void>;
}

/** `mono` never goes back and starts anywhere; `wall` is Unix time. Both in milliseconds. */
export interface Clock {
  mono(): number;
  wall(): number;
  /** Calls back once after `delayMs`; the returned function cancels. */
  after(delayMs: number, callback: () => void): () => void;
}
