/**
 * The disk of one simulated peer: it keeps the contract of `Storage` in ports.ts to the letter, and no more.
 *
 * Commits reach the disk in order, each as a whole; from then on reads see them and no crash can undo them, whether they have been answered or not. A crash
 * keeps one that is still on its way or loses it together with all after it. A rejected commit may have reached the disk all the same. Errors, slowness, damage, loss of the whole store and its return to an earlier state are made to order.
 */

import type { DiskAnswer, DiskRequest, StorageChange } from '../core/disk.ts';
import { MeshError } from '../core/errors.ts';
import type { ByteString } from '../core/ids.ts';
import type { SeededRandom } from '../core/random.ts';
import { happens, pick, skewed } from './chance.ts';
import { SortedMap } from './sorted-map.ts';
import type { World } from './world.ts';

export interface StorageOptions {
  /** Least and most milliseconds of a read. */
  readonly readMs: readonly [number, number];
  readonly commitMs: readonly [number, number];
  /** How probably a commit that is on the disk, and can be read, is answered only some time later. */
  readonly lateAnswers: number;
  /** Bytes are copied on the way in and out, so that nobody changes what is stored; without it is faster. */
  readonly copies: boolean;
}

export const defaultStorageOptions: StorageOptions = { readMs: [0.02, 1], commitMs: [0.2, 6], lateAnswers: 0.05, copies: true };

/** What is wrong with the disk now. Probabilities are per request. */
export interface StorageFaults {
  readError: number;
  commitError: number;
  /** A record is read with a flipped bit, and is sound on the disk. */
  flippedBit: number;
  full: boolean;
  /** How many times slower it is than a sound one. */
  slowness: number;
}

const sound: StorageFaults = { readError: 0, commitError: 0, flippedBit: 0, full: false, slowness: 1 };

interface Commit {
  readonly id: number;
  readonly changes: readonly StorageChange[];
}

/** How probably a commit that is answered with an error has reached the disk. */
const rejectedTakesEffect = 0.5;
/** How many of the last commits a torn write can take. */
const tornMax = 8;

export type StorageSnapshot = readonly (readonly [ByteString, Uint8Array])[];

export class SimStorage {
  readonly faults: StorageFaults = { ...sound };
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #who: number;
  readonly #options: StorageOptions;
  readonly #rows = new SortedMap();
  /** On their way to the disk. */
  #pending: Commit[] = [];
  /** What the rows were before each of the last commits, newest last. */
  #undo: (readonly StorageChange[])[] = [];
  /** Virtual milliseconds: no commit reaches the disk, or is answered, before the one before it. */
  #lastCommitAt = 0;
  #lastAnswerAt = 0;
  #mayHaveForgotten = false;
  /** Rises with each crash: requests of before are answered no more. */
  #session = 0;
  errors = 0;

  constructor(world: World, who: number, options: StorageOptions) {
    this.#world = world;
    this.#random = world.stream(`storage/${who}`);
    this.#who = who;
    this.#options = options;
  }

  /** What is on the disk now, which is what reads see. */
  get rows(): ReadonlyRows {
    return this.#rows;
  }

  /** Opening finds that acknowledged commits may be missing, until a commit has succeeded since. */
  get mayHaveForgotten(): boolean {
    return this.#mayHaveForgotten;
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
      const entries = this.#rows.range(request.range).map(([key, value]) => [key, this.#readOut(key, value)] as const);
      return { type: 'range', id, entries };
    }
    const values = request.keys.map((key) => {
      const value = this.#rows.get(key);
      return value === undefined ? undefined : this.#readOut(key, value);
    });
    return { type: 'read', id, values };
  }

  #readOut(key: ByteString, value: Uint8Array): Uint8Array {
    const flipped = isRecord(key) && happens(this.#random, this.faults.flippedBit);
    if (!flipped && !this.#options.copies) return value;
    const copy = new Uint8Array(value);
    if (flipped) this.#flip(copy);
    return copy;
  }

  #flip(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const at = this.#random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.below(8));
  }

  #submitCommit(id: number, changes: readonly StorageChange[], answered: (answer: DiskAnswer) => void): void {
    const session = this.#session;
    const commit: Commit = {
      id,
      changes: this.#options.copies
        ? changes.map(({ key, value }) => ({ key, value: value === undefined ? undefined : new Uint8Array(value) }))
        : changes,
    };
    this.#pending.push(commit);
    const [least, most] = this.#options.commitMs;
    const delay = skewed(this.#random, least, most) * this.faults.slowness;
    this.#lastCommitAt = Math.max(this.#lastCommitAt, this.#world.nowMs + delay);
    const finish = (): void => {
      if (session !== this.#session) return;
      const answer = this.#finishCommit(commit);
      const late = happens(this.#random, this.#options.lateAnswers) ? skewed(this.#random, least, most) : 0;
      this.#lastAnswerAt = Math.max(this.#lastAnswerAt, this.#world.nowMs + late);
      if (this.#lastAnswerAt === this.#world.nowMs) return answered(answer);
      const tell = (): void => void (session === this.#session && answered(answer));
      this.#world.after(this.#lastAnswerAt - this.#world.nowMs, 'disk', this.#who, tell, id * 4 + 3);
    };
    this.#world.after(this.#lastCommitAt - this.#world.nowMs, 'disk', this.#who, finish, id * 4 + 2);
  }

  #finishCommit(commit: Commit): DiskAnswer {
    this.#pending.shift();
    const full = this.faults.full && commit.changes.some((change) => change.value !== undefined);
    if (full || happens(this.#random, this.faults.commitError)) {
      if (happens(this.#random, rejectedTakesEffect)) this.#apply(commit);
      return this.#failed(commit.id, full ? 'STORAGE_FULL' : 'STORAGE_FAILED', 'simulated write error');
    }
    this.#apply(commit);
    this.#mayHaveForgotten = false;
    return { type: 'written', id: commit.id };
  }

  #failed(id: number, code: 'STORAGE_FAILED' | 'STORAGE_FULL', message: string): DiskAnswer {
    this.errors++;
    return { type: 'failed', id, error: new MeshError(code, message) };
  }

  #apply({ changes }: Commit): void {
    this.#undo.push(changes.map(({ key }) => ({ key, value: this.#rows.get(key) })).reverse());
    if (this.#undo.length > tornMax) this.#undo.shift();
    this.#change(changes);
  }

  #change(changes: readonly StorageChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.#rows.delete(key);
      else this.#rows.set(key, value);
    }
  }

  /** The peer is gone in the middle of it: some of the commits under way survive, in order, the others never were. */
  crash(): void {
    this.#session++;
    const survive = this.#random.below(this.#pending.length + 1);
    for (const kept of this.#pending.slice(0, survive)) this.#apply(kept);
    this.#pending = [];
    this.#lastCommitAt = 0;
    this.#lastAnswerAt = 0;
  }

  /** The last commits are gone, though they had been acknowledged, and it shows. Only for a peer that is down; false when there is nothing to lose. */
  tear(): boolean {
    const lost = this.#undo.splice(-1 - this.#random.below(tornMax));
    for (const before of lost.reverse()) this.#change(before);
    this.#mayHaveForgotten ||= lost.length > 0;
    return lost.length > 0;
  }

  /** The whole store is gone. Only for a peer that is down. */
  wipe(): void {
    this.#rows.clear();
    this.#undo = [];
  }

  snapshot(): StorageSnapshot {
    return [...this.#rows.entries()];
  }

  /** Back to an earlier state; `silent`: and nobody tells the peer. Only for a peer that is down. */
  rollback(snapshot: StorageSnapshot, silent = false): void {
    this.#mayHaveForgotten ||= !silent;
    this.#rows.clear();
    this.#undo = [];
    for (const [key, value] of snapshot) this.#rows.set(key, value);
  }

  /** Damages one record on the disk for good; false when there is none. */
  rot(): boolean {
    const records = [...this.#rows.entries()].filter(([key]) => isRecord(key));
    if (records.length === 0) return false;
    const [key, value] = pick(this.#random, records);
    const damaged = new Uint8Array(value);
    this.#flip(damaged);
    this.#rows.set(key, damaged);
    return true;
  }
}

/** Only records have a checksum. */
const isRecord = (key: ByteString): boolean => key.startsWith('r');

export interface ReadonlyRows {
  readonly size: number;
  get(key: ByteString): Uint8Array | undefined;
  entries(): IterableIterator<readonly [ByteString, Uint8Array]>;
}
