/**
 * Storage in memory, for peers that keep nothing (class `ephemeral`), for tests and for demos.
 *
 * A commit is visible as soon as it is called and resolves at once. The keys are kept in order all the time, in runs of bounded length: a
 * range costs a binary search and what it returns, a new key one move within its run, however many keys there are.
 */

import { MeshError } from '../core/errors.ts';
import type { ByteString } from '../core/ids.ts';
import type { Storage, StorageChange, StorageEntry, StorageRange } from '../ports.ts';

export interface MemoryStorageOptions {
  /** Pretend that commits survive, for tests of what depends on it. Default false. */
  readonly durable?: boolean;
}

export function openMemoryStorage(options: MemoryStorageOptions = {}): Storage {
  return new MemoryStorage(options.durable ?? false);
}

const runMaxKeys = 512;
const empty = new Uint8Array(0);

/** The number of items, from the first on, for which `isBefore` holds. It must not hold again after an item for which it does not. */
function countBefore<T>(items: readonly T[], isBefore: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A set of keys in order. No run is empty; each is sorted and lies wholly before the next. */
class SortedKeys {
  readonly #runs: ByteString[][] = [];

  /** The key must not be there yet. */
  add(key: ByteString): void {
    const at = this.#runOf(key);
    const run = this.#runs[at];
    if (run === undefined) {
      this.#runs.push([key]);
      return;
    }
    run.splice(
      countBefore(run, (other) => other < key),
      0,
      key,
    );
    if (run.length > runMaxKeys) this.#runs.splice(at + 1, 0, run.splice(runMaxKeys >>> 1));
  }

  /** The key must be there. */
  delete(key: ByteString): void {
    const at = this.#runOf(key);
    const run = this.#runs[at] ?? [];
    run.splice(
      countBefore(run, (other) => other < key),
      1,
    );
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** In order from `from` (inclusive) to `to` (exclusive), at most `limit`. */
  between(from: ByteString, to: ByteString, limit: number): ByteString[] {
    const found: ByteString[] = [];
    for (let at = this.#runOf(from); at < this.#runs.length && found.length < limit; at++) {
      const run = this.#runs[at] ?? [];
      const start = countBefore(run, (key) => key < from);
      const end = countBefore(run, (key) => key < to);
      for (let i = start; i < end && found.length < limit; i++) found.push(run[i] as ByteString);
      if (end < run.length) break;
    }
    return found;
  }

  /** Where the key is or belongs: the last run that begins at or before it, or else the first. */
  #runOf(key: ByteString): number {
    return Math.max(0, countBefore(this.#runs, (run) => (run[0] as ByteString) <= key) - 1);
  }
}

class MemoryStorage implements Storage {
  readonly durable: boolean;
  readonly #values = new Map<ByteString, Uint8Array>();
  readonly #keys = new SortedKeys();
  #closed = false;

  constructor(durable: boolean) {
    this.durable = durable;
  }

  async getMany(keys: readonly ByteString[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    return keys.map((key) => this.#copy(key));
  }

  getNow(keys: readonly ByteString[]): (Uint8Array | undefined)[] | undefined {
    return this.#closed ? undefined : keys.map((key) => this.#copy(key));
  }

  async range({ from, to, limit, keysOnly = false, maxBytes = Infinity }: StorageRange): Promise<StorageEntry[]> {
    this.#assertOpen();
    const entries: StorageEntry[] = [];
    let bytes = 0;
    for (const key of this.#keys.between(from, to, limit)) {
      const value = (keysOnly ? undefined : this.#copy(key)) ?? empty;
      entries.push([key, value]);
      if ((bytes += value.length) >= maxBytes) break;
    }
    return entries;
  }

  async commit(changes: readonly StorageChange[]): Promise<void> {
    this.#assertOpen();
    for (const { key, value } of changes) {
      const known = this.#values.has(key);
      if (value !== undefined) {
        if (!known) this.#keys.add(key);
        this.#values.set(key, value);
      } else if (known) {
        this.#keys.delete(key);
        this.#values.delete(key);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#values.clear();
  }

  #assertOpen(): void {
    if (this.#closed) throw new MeshError('CLOSED', 'the store in memory is closed');
  }

  /** The caller may keep and change what it gets; what is stored stays as it is. */
  #copy(key: ByteString): Uint8Array | undefined {
    const value = this.#values.get(key);
    return value && new Uint8Array(value);
  }
}
