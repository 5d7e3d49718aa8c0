/**
 * Storage as the core sees it: one more party that is sent requests and answers later. The machines hand a callback with each request; `settle`
 * calls it, in the order in which the runtime reports. Nothing here waits.
 */

import type { MeshError } from './errors.ts';
import type { ByteString, Instant } from './ids.ts';
import { Waiting } from './waiting.ts';

/** One change of a batch: a new value, or `undefined` to delete the key. */
export interface StorageChange {
  readonly key: ByteString;
  readonly value: Uint8Array | undefined;
}

/** Keys in bytewise order from `from` (inclusive) to `to` (exclusive), at most `limit` of them. */
export interface StorageRange {
  readonly from: ByteString;
  readonly to: ByteString;
  readonly limit: number;
  /** Leave the values out (they come back empty). */
  readonly keysOnly?: boolean;
  /** End with the entry whose value brings the sum of all to this many bytes. One entry comes in any case. */
  readonly maxBytes?: number;
}

export type StorageEntry = readonly [key: ByteString, value: Uint8Array];

export type DiskRequest =
  | { readonly type: 'read'; readonly id: number; readonly keys: readonly ByteString[] }
  | { readonly type: 'range'; readonly id: number; readonly range: StorageRange }
  | { readonly type: 'write'; readonly id: number; readonly changes: readonly StorageChange[] };

export type DiskAnswer =
  | { readonly type: 'read'; readonly id: number; readonly values: readonly (Uint8Array | undefined)[] }
  | { readonly type: 'range'; readonly id: number; readonly entries: readonly StorageEntry[] }
  | { readonly type: 'written'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly error: MeshError };

type Done<T> = (now: Instant, result: T | MeshError) => void;

/** Hands out request ids and remembers who waits for which answer. */
export class Disk {
  readonly #submit: (request: DiskRequest) => void;
  readonly #waiting = new Waiting<number, Done<never>>();
  #nextId = 1;

  constructor(submit: (request: DiskRequest) => void) {
    this.#submit = submit;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  read(keys: readonly ByteString[], done: Done<readonly (Uint8Array | undefined)[]>): void {
    this.#submit({ type: 'read', id: this.#await(done), keys });
  }

  range(range: StorageRange, done: Done<readonly StorageEntry[]>): void {
    this.#submit({ type: 'range', id: this.#await(done), range });
  }

  write(changes: readonly StorageChange[], done: Done<undefined>): void {
    this.#submit({ type: 'write', id: this.#await(done), changes });
  }

  #await<T>(done: Done<T>): number {
    const id = this.#nextId++;
    this.#waiting.set(id, done);
    return id;
  }

  settle(now: Instant, answer: DiskAnswer): void {
    const done = this.#waiting.take(answer.id);
    if (done !== undefined) done(now, resultOf(answer) as never);
  }
}

function resultOf(answer: DiskAnswer): unknown {
  switch (answer.type) {
    case 'read':
      return answer.values;
    case 'range':
      return answer.entries;
    case 'written':
      return undefined;
    case 'failed':
      return answer.error;
  }
}
