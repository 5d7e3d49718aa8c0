/**
 * The public types of ringmesh: what an application, the gateway and the demo page see. Keys are strings or bytes, values are bytes; a context is
 * opaque text to hand back with the next put. Every failure is a MeshError with a stable code.
 */

import type { MeshError } from './core/errors.ts';
import type { MeshEvent } from './core/events.ts';
import type { DurabilityClass } from './core/ids.ts';
import type { MemberStatus } from './core/messages.ts';
import type { TransferProgress as Copied } from './core/transfer.ts';

export type { MeshEvent } from './core/events.ts';
export type { DurabilityClass } from './core/ids.ts';
export type { MemberStatus } from './core/messages.ts';
export { MeshError, type ErrorCode } from './core/errors.ts';

/** A string is taken as its UTF-8 bytes (lone surrogates included, VR8). 1 to 1024 bytes. */
export type KeyInput = string | Uint8Array;

/** `strict` counts primaries only; `sloppy` lets healthy fallbacks stand in (QR2); `any` is content with one durable copy anywhere (QR8). */
export type Mode = 'strict' | 'sloppy' | 'any';

/**
 * How concurrent values are settled (VR7). `siblings`: they are all returned. `lww`: the latest hybrid logical time wins. `priority`: the writer
 * with the highest priority wins, then the latest. A function merges the values of a get itself; its result is written back by the caller's next put.
 */
export type Resolver = 'siblings' | 'lww' | 'priority' | ((siblings: readonly Sibling[]) => Sibling);

export interface BucketOptions {
  /** Replicas of each key. Default 3. All peers must use the same n for a bucket. */
  readonly n?: number;
  /** Answers that make a read quorum. Default: a majority of n. */
  readonly r?: number;
  /** Acknowledgements that make a write quorum. Default: a majority of n. */
  readonly w?: number;
  readonly mode?: Mode;
  readonly resolver?: Resolver;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** How long values live, in milliseconds, by the clock of the peer that takes the put. Default 0: for ever. */
  readonly ttlMs?: number;
}

export interface GetOptions {
  readonly r?: number;
  readonly mode?: Mode;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface PutOptions {
  readonly w?: number;
  readonly mode?: Mode;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** From an earlier get or put of the same key: what this put has seen and replaces. Without it nothing is replaced. */
  readonly context?: string;
  readonly contentType?: string;
  /** For buckets with the `priority` resolver: 0 (default) to 255. */
  readonly priority?: number;
  /** How long this value lives, in milliseconds; 0: for ever. Default: the bucket's. */
  readonly ttlMs?: number;
}

/** One live value of a key. Several of them are siblings: they were written without seeing each other. */
export interface Sibling {
  /** `actor:counter`. */
  readonly dot: string;
  readonly value: Uint8Array;
  readonly contentType: string | undefined;
  /** Unix milliseconds of the hybrid logical clock at the replica that took the put. */
  readonly time: number;
}

/** What one replica said. */
export interface ReplicaReceipt {
  readonly peer: string;
  readonly host: string;
  readonly class: DurabilityClass;
  /** `gaining`: it copies the key's partition now, and will be a primary. */
  readonly role: 'primary' | 'fallback' | 'gaining';
  /** `stored` and `answered` are good; the others say why there is no answer. */
  readonly state: 'stored' | 'answered' | 'pending' | 'unreachable' | 'timeout' | 'refused';
  /** The copy survives a crash of this replica. */
  readonly durable: boolean;
}

export interface PutResult {
  /** `ok`: the write quorum holds it. `partial`: fewer replicas do, the write goes on. `unknown`: nobody acknowledged in time, it may still take effect. */
  readonly outcome: 'ok' | 'partial' | 'unknown';
  readonly context: string;
  readonly dot: string | null;
  readonly replicas: readonly ReplicaReceipt[];
  /** Distinct hosts among the replicas that hold it (RG3). */
  readonly hosts: number;
  /** Some acknowledgement that made the quorum came from a fallback (QR2). */
  readonly sloppy: boolean;
  /** Whether r + w > n held with the bucket's r: only then does a strict read surely see this write (QR1). */
  readonly overlap: boolean;
}

export interface GetResult {
  /** `absent`: a read quorum says that there is no value (QR6). Not reached or not knowable is an error, `UNREACHABLE` or `UNKNOWN`. */
  readonly outcome: 'ok' | 'absent';
  readonly context: string;
  /** Empty when absent, one value, or several when there is a conflict. */
  readonly siblings: readonly Sibling[];
  readonly replicas: readonly ReplicaReceipt[];
  readonly hosts: number;
  readonly sloppy: boolean;
  readonly overlap: boolean;
}

export interface KeysOptions {
  readonly prefix?: KeyInput;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** 1 to 1000, default 1000. */
  readonly limit?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface KeysPage {
  /** In bytewise order. */
  readonly keys: readonly Uint8Array[];
  /** Hand it to the next call; absent on the last page. */
  readonly cursor: string | undefined;
  /** False when some partition had no answering primary: keys may be missing. */
  readonly complete: boolean;
}

export interface WatchOptions {
  /** Tell of what is there now, too, before `ready`. Default false: only of what is put from then on. */
  readonly initial?: boolean;
  /** Ends the watch. */
  readonly signal?: AbortSignal;
}

/** One version of a key: each is told once. One that was replaced before any replica could tell of it is left out. */
export interface Change {
  readonly type: 'change';
  readonly key: Uint8Array;
  /** `actor:counter`. */
  readonly dot: string;
  /** Undefined: the key was deleted. */
  readonly value: Uint8Array | undefined;
  readonly contentType: string | undefined;
  /** Unix milliseconds of the hybrid logical clock at the replica that took the put. */
  readonly time: number;
  /** Covers those of the versions in `current` that this watch has told: a put with it replaces them. */
  readonly context: string;
  /** Dots of the versions of the key that nothing has replaced, as far as this watch knows; several are a conflict. */
  readonly current: readonly string[];
}

export type WatchEvent =
  | Change
  /** All replicas that can be reached have been asked: what is put from now on will be told, also by replicas that come back later. */
  | { readonly type: 'ready' }
  /**
   * Something may not have been told, and versions may be told again. Read again what you need; with `initial` all that is there now follows. It comes when another
   * tab runs the peer now, when the application reads too slowly, or when a watch follows too many keys. Another `ready` follows.
   */
  | { readonly type: 'resync' };

/** Ends with the iteration over it, or with `close`. What it tells is kept until it is read, within bounds. */
export interface Watch extends AsyncIterable<WatchEvent> {
  /** Resolves with the first `ready`. */
  readonly ready: Promise<void>;
  close(): void;
}

/** One replica's own copy, whatever the others hold. */
export interface LocalRecord {
  readonly context: string;
  readonly siblings: readonly Sibling[];
  /** Dots of tombstones. */
  readonly tombstones: readonly string[];
  /** Peers that could not be reached, for whom it keeps the copy (hints). */
  readonly keptFor: readonly string[];
}

export interface Bucket {
  readonly name: string;
  readonly options: Required<BucketOptions>;
  get(key: KeyInput, options?: GetOptions): Promise<GetResult>;
  put(key: KeyInput, value: Uint8Array | string, options?: PutOptions): Promise<PutResult>;
  delete(key: KeyInput, options?: PutOptions): Promise<PutResult>;
  /** Results in the order of the keys; a key that could not be read gives its error instead of failing the rest. */
  getMany(keys: readonly KeyInput[], options?: GetOptions): Promise<(GetResult | MeshError)[]>;
  /** One page; see `allKeys` for all of them. */
  keys(options?: KeysOptions): Promise<KeysPage>;
  allKeys(options?: Omit<KeysOptions, 'cursor'>): AsyncIterable<Uint8Array>;
  /** `peer`: whose copy; default: this peer's own. */
  local(key: KeyInput, peer?: string): Promise<LocalRecord | undefined>;
  /**
   * Tells of each change of a key, or of all keys that begin with a prefix, wherever it was made. Values are told as they are stored: resolvers work on gets. All
   * watches of a peer together follow up to 100,000 keys (`WATCH_TOO_LARGE`); expiry is no change.
   */
  watch(what: KeyInput | { readonly prefix: KeyInput }, options?: WatchOptions): Watch;
}

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left' | 'removed';

export interface MemberView {
  readonly peer: string;
  readonly status: MemberStatus;
  readonly state: MemberState;
  readonly self: boolean;
  /** Frames can be sent to it now. */
  readonly connected: boolean;
  readonly host: string;
  readonly class: DurabilityClass;
  /** Tokens on the ring; 0 coordinates but stores nothing (RG4). */
  readonly weight: number;
  readonly incarnation: number;
  readonly addresses: readonly string[];
  /** A base address of its HTTP gateway, when it announces one. */
  readonly gateway: string | undefined;
  /** Share of the ring's primaries, 0 to 1 (with the default n). */
  readonly share: number;
  /** Smoothed round trip in milliseconds, when measured. */
  readonly roundTripMs: number | undefined;
}

/** How frames go to a peer that this one is connected to. */
export interface ConnectionView {
  readonly peer: string;
  /** The member that passes them on, encrypted from end to end; undefined when nobody is in between. */
  readonly relay: string | undefined;
  readonly transport: 'tcp' | 'websocket' | 'webrtc' | 'memory';
  /** `outbound`: this peer made the connection. */
  readonly direction: 'inbound' | 'outbound';
  /** Smoothed round trip in milliseconds, when measured. */
  readonly roundTripMs: number | undefined;
}

export interface RingView {
  /** Equal on all peers that agree (hexadecimal). */
  readonly digest: string;
  readonly partitions: number;
  readonly members: readonly {
    readonly peer: string;
    readonly host: string;
    readonly class: DurabilityClass;
    readonly weight: number;
    readonly share: number;
  }[];
  /** All tokens clockwise: position (unsigned 32-bit) and index into `members`. */
  readonly tokens: readonly (readonly [position: number, member: number])[];
}

export interface PartitionView {
  readonly id: number;
  readonly primaries: readonly string[];
  readonly fallbacks: readonly string[];
  /** Root digest and record count of this peer's own tree (tombstones counted). */
  readonly root: string;
  readonly keys: number;
}

export interface Placement {
  readonly position: number;
  readonly partition: number;
  readonly primaries: readonly string[];
  readonly fallbacks: readonly string[];
  /** Distinct hosts among the primaries; fewer than n says that copies share a machine (RG3). */
  readonly hosts: number;
}

export interface PeerStatus {
  readonly peer: string;
  readonly status: MemberStatus;
  /** What it copies now to own it; undefined when there is nothing to copy. */
  readonly transfer: TransferProgress | undefined;
  readonly cluster: string;
  readonly version: string;
  readonly ready: boolean;
  readonly ringDigest: string;
  readonly actor: string;
  readonly members: Record<MemberState, number>;
  readonly addresses: readonly string[];
  readonly storage: { readonly durable: boolean; readonly healthy: boolean };
  /** False in a tab that uses the peer which another tab of its browser runs. */
  readonly runsHere: boolean;
  /** What this peer lacks and can do without, each as a sentence for a person. */
  readonly warnings: readonly string[];
  readonly hints: number;
  readonly pendingRequests: number;
  readonly uptimeMs: number;
}

/** What one peer keeps. */
export interface Holdings {
  /** Keys that have a value, and the bytes of their values. */
  readonly keys: number;
  readonly bytes: number;
  /** Everything was counted. Else there is so much that it was estimated from a part. */
  readonly exact: boolean;
  /** Writes that it keeps for peers which could not be reached. */
  readonly hints: number;
}

/** How far peers have come with copying what they will own. */
export interface TransferProgress extends Copied {
  /** Seconds, as it looks now; undefined while nothing can be said. */
  readonly secondsLeft: number | undefined;
}

export interface LeaveProgress extends TransferProgress {
  /** What this peer keeps for others still. */
  readonly hints: number;
}

export interface LeaveOptions {
  /** Ends the waiting; the leaving goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LeaveProgress) => void;
}

/** What would be done. `peer`: who leaves (default: the peer that is asked) or is replaced; the rest describes the new one. */
export interface PlanRequest {
  readonly action: 'join' | 'leave' | 'replace';
  readonly peer?: string;
  readonly weight?: number;
  readonly host?: string;
  readonly class?: DurabilityClass;
}

export interface PlanResult {
  readonly action: PlanRequest['action'];
  /** Partitions that would be copied, each as often as peers would copy it, and how many copies there are in all. */
  readonly copies: number;
  readonly partitions: number;
  /** Estimates, by a sample of this peer's own partitions. */
  readonly keys: number;
  readonly bytes: number;
  /** Those for whom something changes; `(new)` is who would join. */
  readonly peers: readonly {
    readonly peer: string;
    readonly gains: number;
    readonly loses: number;
    readonly keys: number;
    readonly bytes: number;
  }[];
}

/** What a comparison with other members has found and moved so far. */
export interface RepairCounts {
  /** Partitions, each as often as there were members to compare it with. */
  readonly compared: number;
  /** Keys that were not the same on both sides. */
  readonly different: number;
  readonly sent: number;
  readonly received: number;
}

export interface RepairProgress extends RepairCounts {
  /** Who is compared with now; empty at the end. */
  readonly peer: string;
  readonly peersDone: number;
  readonly peersTotal: number;
}

export interface RepairOptions {
  /** Compare only this partition. Default: all that this peer holds. */
  readonly partition?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RepairProgress) => void;
}

export interface RepairResult extends RepairCounts {
  /** Members that share partitions with this peer. */
  readonly peers: number;
  /** Those that could not be compared, or not wholly. */
  readonly failed: readonly { readonly peer: string; readonly reason: string }[];
  readonly seconds: number;
}

export interface ScrubProgress {
  readonly partitionsDone: number;
  readonly partitionsTotal: number;
  readonly records: number;
  readonly damaged: number;
  readonly leaves: number;
}

export interface ScrubOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ScrubProgress) => void;
}

export interface ScrubResult {
  /** All that were read, tombstones and damaged ones included. */
  readonly records: number;
  /** Records whose checksum or form is wrong. */
  readonly damaged: number;
  /** The damaged ones, up to 1000. */
  readonly names: readonly { readonly bucket: string; readonly key: Uint8Array }[];
  /** How many of `names` other members have given back. */
  readonly restored: number;
  /** Leaves of Merkle trees that were not what their records make them; they were put right. */
  readonly leaves: number;
  /** The repair of the partitions with damaged records. */
  readonly repair: RepairResult | undefined;
  readonly seconds: number;
}

/** A running peer. */
export interface MeshPeer {
  readonly id: string;
  bucket(name: string, options?: BucketOptions): Bucket;
  members(): MemberView[];
  /** One for each member to which frames can be sent now. */
  connections(): ConnectionView[];
  ring(): RingView;
  /** Where a key lives by this peer's ring. */
  placement(bucket: string, key: KeyInput): Placement;
  partition(id: number): Promise<PartitionView>;
  /** How much a peer keeps; default: this one. It is asked over the mesh, so it may be any that this peer is connected to. */
  holdings(peer?: string): Promise<Holdings>;
  status(): PeerStatus;
  /**
   * Compares Merkle trees with all members that share partitions with this peer, one after the other, and brings the keys that differ to the merged state on
   * both sides (AE2, AE3). A few keys are under way at a time. What an interrupted repair has done stays done: to go on, call it again.
   * One repair or scrub runs at a time; another rejects with `OVERLOADED`.
   */
  repair(options?: RepairOptions): Promise<RepairResult>;
  /**
   * Reads all records that this peer keeps, verifies their checksums, recomputes the Merkle trees over them, and repairs the partitions with damaged records
   * from the other members (AE1, ST3).
   */
  scrub(options?: ScrubOptions): Promise<ScrubResult>;
  /**
   * Gives up this peer's place on the ring: resolves when others have copied all that it owns (TR3). Then it may be closed; started again, it joins anew, with an
   * empty store. A leaving once begun goes on when the peer is stopped and started again.
   */
  leave(options?: LeaveOptions): Promise<void>;
  /** Takes the place of a member from it that will not come back; `peer` may be the end of its id. Comes it back all the same, it joins anew, with an empty store. */
  remove(peer: string): Promise<void>;
  /** What would move, without moving it. */
  plan(request: PlanRequest): Promise<PlanResult>;
  /** Resolves when this peer is closed, with the reason: code `CLOSED`, or `REMOVED` when the cluster did it. */
  readonly ended: Promise<MeshError>;
  /** Resolves when this peer knows its ring: it met its bootstrap peers or its members from before, and has connections to all alive ones. */
  ready(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  /** Every event of this peer from now on; the returned function stops it. */
  onEvent(listener: (event: MeshEvent) => void): () => void;
  /** Announces the stop, finishes what is under way, closes network and storage. May be called twice. */
  close(): Promise<void>;
}
