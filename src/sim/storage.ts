/**
 * The disk of one simulated peer: it keeps the contract of `Storage` in ports.ts to the letter, and no more.
 *
 * Commits take effect in order, each as a whole. A crash keeps one that was not acknowledged or loses it together with all after it; what was acknowledged
 * stays. Bytes are copied on the way in and out. Errors, slowness, loss of the whole store and its return to an earlier state are made to order.
 */

import type { DiskAnswer, DiskRequest, StorageChange } from '../core/disk.ts';
import { MeshError } from '../core/errors.ts';
import type { ByteString } from '../core/ids.ts';
import type { SeededRandom } from '../core/random.ts';
import { between, happens, pick, skewed } from './chance.ts';
import { SortedMap } from './sorted-map.ts';
import type { World } from './world.ts';

export interface StorageOptions {
  /** Least and most milliseconds of a read. */
  readonly readMs: readonly [number, number];
  readonly commitMs: readonly [number, number];
  /**
   * How probably reads see a commit before it is acknowledged. Peers need this to be 0: a replica that tells of a dot which a crash then takes back gives the
   * dot to another value (VR3).
   */
  readonly earlyReads: number;
}

export const defaultStorageOptions: StorageOptions = { readMs: [0.02, 1], commitMs: [0.2, 6], earlyReads: 0 };

/** What is wrong with the disk now. Probabilities are per request. */
export interface StorageFaults {
  readError: number;
  commitError: number;
  full: boolean;
  /** How many times slower it is than a sound one. */
  slowness: number;
}

const sound: StorageFaults = { readError: 0, commitError: 0, full: false, slowness: 1 };

interface Commit {
  readonly changes: readonly StorageChange[];
  /** The rows before it, once it can be seen; newest last. */
  undo: StorageChange[] | undefined;
}

export type StorageSnapshot = readonly (readonly [ByteString, Uint8Array])[];

export class SimStorage {
  readonly faults: StorageFaults = { ...sound };
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #who: number;
  readonly #options: StorageOptions;
  readonly #rows = new SortedMap();
  #pending: Commit[] = [];
  /** Virtual milliseconds: no commit is acknowledged before the one before it. */
  #lastCommitAt = 0;
  /** Rises with each crash: requests of before are answered no more. */
  #session = 0;
  errors = 0;

  constructor(world: World, who: number, options: StorageOptions) {
    this.#world = world;
    this.#random = world.stream(`storage/${who}`);
    this.#who = who;
    this.#options = options;
  }

  /** Rows that can be seen now. */
  get rows(): ReadonlyRows {
    return this.#rows;
  }

  mend(): void {
    Object.assign(this.faults, sound);
  }

  /** Answers later, unless the peer crashes first. */
  submit(request: DiskRequest, answered: (answer: DiskAnswer) => void): void {
    if (request.type === 'write') return this.#submitCommit(request.id, request.changes, answered);
    const session = this.#session;
    const [least, most] = this.#options.readMs;
    const delay = skewed(this.#random, least, most) * this.faults.slowness;
    const answer = (): void => {
      if (session !== this.#session) return;
      answered(this.#read(request));
    };
    this.#world.after(delay, 'disk', this.#who, answer, request.id * 4 + (request.type === 'read' ? 0 : 1));
  }

  #read(request: Exclude<DiskRequest, { type: 'write' }>): DiskAnswer {
    const { id } = request;
    if (happens(this.#random, this.faults.readError)) return this.#failed(id, 'STORAGE_FAILED', 'simulated read error');
    if (request.type === 'range') {
      const entries = this.#rows.range(request.range).map(([key, value]) => [key, new Uint8Array(value)] as const);
      return { type: 'range', id, entries };
    }
    const values = request.keys.map((key) => {
      const value = this.#rows.get(key);
      return value === undefined ? undefined : new Uint8Array(value);
    });
    return { type: 'read', id, values };
  }

  #submitCommit(id: number, changes: readonly StorageChange[], answered: (answer: DiskAnswer) => void): void {
    const session = this.#session;
    const commit: Commit = {
      changes: changes.map(({ key, value }) => ({ key, value: value === undefined ? undefined : new Uint8Array(value) })),
      undo: undefined,
    };
    this.#pending.push(commit);
    if (
      this.#pending.every((earlier) => earlier === commit || earlier.undo !== undefined) &&
      happens(this.#random, this.#options.earlyReads)
    )
      this.#show(commit);
    const [least, most] = this.#options.commitMs;
    const delay = skewed(this.#random, least, most) * this.faults.slowness;
    this.#lastCommitAt = Math.max(this.#lastCommitAt, this.#world.nowMs + delay);
    const finish = (): void => {
      if (session === this.#session) answered(this.#finishCommit(id, commit));
    };
    this.#world.after(this.#lastCommitAt - this.#world.nowMs, 'disk', this.#who, finish, id * 4 + 2);
  }

  #finishCommit(id: number, commit: Commit): DiskAnswer {
    this.#pending.shift();
    const full = this.faults.full && commit.changes.some((change) => change.value !== undefined);
    if (full || happens(this.#random, this.faults.commitError)) {
      // One that can be seen by now has taken effect, whatever the disk says of it.
      return this.#failed(id, full ? 'STORAGE_FULL' : 'STORAGE_FAILED', 'simulated write error');
    }
    this.#show(commit);
    return { type: 'written', id };
  }

  #failed(id: number, code: 'STORAGE_FAILED' | 'STORAGE_FULL', message: string): DiskAnswer {
    this.errors++;
    return { type: 'failed', id, error: new MeshError(code, message) };
  }

  #show(commit: Commit): void {
    if (commit.undo !== undefined) return;
    commit.undo = commit.changes.map(({ key }) => ({ key, value: this.#rows.get(key) }));
    this.#apply(commit.changes);
  }

  #apply(changes: readonly StorageChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, value);
    }
  }

  /** The peer is gone in the middle of it: some of the commits under way survive, in order, the others never were. */
  crash(): void {
    this.#session++;
    const survive = this.#random.below(this.#pending.length + 1);
    for (const lost of this.#pending.slice(survive).reverse()) this.#apply((lost.undo ?? []).toReversed());
    for (const kept of this.#pending.slice(0, survive)) this.#show(kept);
    this.#pending = [];
    this.#lastCommitAt = 0;
  }

  /** The whole store is gone. Only for a peer that is down. */
  wipe(): void {
    this.#rows.clear();
  }

  snapshot(): StorageSnapshot {
    return [...this.#rows.entries()];
  }

  /** Back to an earlier state. Only for a peer that is down. */
  rollback(snapshot: StorageSnapshot): void {
    this.#rows.clear();
    for (const [key, value] of snapshot) this.#rows.set(key, value);
  }

  /** Damages one record at rest; false when there is none. */
  flipBit(): boolean {
    const records = [...this.#rows.entries()].filter(([key, value]) => key.startsWith('r') && value.length > 0);
    if (records.length === 0) return false;
    const [key, value] = pick(this.#random, records);
    const damaged = new Uint8Array(value);
    const at = Math.floor(between(this.#random, 0, damaged.length));
    damaged[at] = (damaged[at] ?? 0) ^ (1 << this.#random.below(8));
    this.#rows.set(key, damaged);
    return true;
  }
}

export interface ReadonlyRows {
  readonly size: number;
  get(key: ByteString): Uint8Array | undefined;
  entries(): IterableIterator<readonly [ByteString, Uint8Array]>;
}
