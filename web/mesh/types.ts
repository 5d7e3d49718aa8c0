/**
 * A mesh as the page sees it, whether it is live or simulated: who is there, how to ask it, what it tells, and what may be broken in it. The parts of the page know
 * this interface and nothing of where the mesh runs.
 */

import type { ReadonlySignal } from '@preact/signals';
import type { Holdings, MeshEvent, Mode, Placement, ReplicaReceipt } from 'ringmesh';
import type { MeshView } from './view.ts';

export interface KeyName {
  readonly bucket: string;
  readonly key: string;
}

export interface Quorum {
  readonly r: number;
  readonly w: number;
  readonly mode: Mode;
}

export interface Value {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

export interface Sibling {
  readonly dot: string;
  readonly value: Value;
  readonly time: number;
}

export interface WriteReceipt {
  /** How long it took, in milliseconds of the mesh's own time. */
  readonly ms: number;
  readonly context: string;
  readonly outcome: 'ok' | 'partial' | 'unknown';
  readonly dot: string | null;
  readonly replicas: readonly ReplicaReceipt[];
  readonly sloppy: boolean;
}

export interface ReadAnswer {
  readonly ms: number;
  readonly outcome: 'ok' | 'absent';
  readonly context: string;
  readonly siblings: readonly Sibling[];
  readonly replicas: readonly ReplicaReceipt[];
  readonly sloppy: boolean;
}

/** What one peer itself keeps of a key. */
export type Copy =
  | {
      readonly type: 'kept';
      readonly siblings: readonly Sibling[];
      readonly tombstones: readonly string[];
      readonly context: string;
      /** Peers that are away, for whom it keeps the copy. */
      readonly keptFor: readonly string[];
    }
  | { readonly type: 'nothing' }
  /** Nobody who can be asked from here has a connection with it. */
  | { readonly type: 'unknown' };

/** A peer that can be asked, over HTTP or in this page. Whatever goes wrong is a MeshProblem. */
export interface Door {
  placement(name: KeyName, signal?: AbortSignal): Promise<Placement>;
  read(name: KeyName, quorum: Quorum): Promise<ReadAnswer>;
  /** Without a value it is a delete. An empty context says that the write knows of no earlier one. */
  write(name: KeyName, quorum: Quorum, value: Value | undefined, context: string): Promise<WriteReceipt>;
  /** What a peer itself keeps: the one that is asked, or another one, which that one asks. */
  copy(name: KeyName, of?: string): Promise<Copy>;
  holdings(of?: string): Promise<Holdings>;
  /** Lets the peer compare its trees with all others now. */
  repair(): Promise<void>;
}

/** A write through one peer, and at once a read through another. */
export interface Trial {
  readonly putMs: number;
  readonly getMs: number;
  /** The read did not find the write that had been acknowledged. */
  readonly missed: boolean;
}

/** An event, and the peer in which it happened. */
export interface Told {
  readonly by: string;
  readonly event: MeshEvent;
}

export type Life = 'running' | 'paused' | 'stopped' | 'starting';

/** What may be done to the peers of a mesh that is there to be broken. Each call resolves when it is done, and rejects with a MeshProblem. */
export interface Breaking {
  readonly lives: ReadonlySignal<ReadonlyMap<string, Life>>;
  /** Peer ids by side, while the mesh is split. */
  readonly sides: ReadonlySignal<readonly (readonly string[])[] | undefined>;
  kill(peer: string): Promise<void>;
  pause(peer: string): Promise<void>;
  resume(peer: string): Promise<void>;
  start(peer: string): Promise<void>;
  add(): Promise<void>;
  remove(peer: string): Promise<void>;
  split(sides: readonly (readonly string[])[]): Promise<void>;
  heal(): Promise<void>;
}

export class MeshProblem extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Mesh {
  readonly kind: 'live' | 'simulated';
  /** Undefined until the mesh has been seen once. */
  readonly view: ReadonlySignal<MeshView | undefined>;
  /** Nobody answers. */
  readonly lost: ReadonlySignal<boolean>;
  /** Undefined where nothing may be broken. */
  readonly breaking: ReadonlySignal<Breaking | undefined>;
  follow(listener: (told: Told) => void): () => void;
  /** Tells of changes of a key, whoever made them; the returned function ends it. */
  watch(name: KeyName, changed: () => void): () => void;
  /** To a peer; by default to the one whose eyes the page uses. */
  door(peer?: string): Door;
  /** To whoever can best say what this peer keeps. */
  doorNear(peer: string): Door;
  /** Writes through one peer and reads through another with as little between as can be. */
  trial(name: KeyName, quorum: Quorum, writer?: string, reader?: string): Promise<Trial>;
  close(): void;
}
