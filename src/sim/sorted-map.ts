/**
 * Byte strings in order, with a value each: what simulated storage lies on. The keys are kept in one sorted array for each first letter, which is how the
 * core tells kinds of rows apart, so that a new record does not move the hints.
 */

import type { StorageEntry, StorageRange } from '../core/disk.ts';
import type { ByteString } from '../core/ids.ts';

/** How many of the sorted keys lie before `key`. */
function countBefore(keys: readonly ByteString[], key: ByteString): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as ByteString) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const noBytes = new Uint8Array(0);

export class SortedMap {
  readonly #values = new Map<ByteString, Uint8Array>();
  /** By the first character of the key; the list itself is sorted by it. */
  readonly #kinds: { readonly kind: string; readonly keys: ByteString[] }[] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: ByteString): Uint8Array | undefined {
    return this.#values.get(key);
  }

  set(key: ByteString, value: Uint8Array): void {
    if (!this.#values.has(key)) {
      const keys = this.#keysLike(key);
      keys.splice(countBefore(keys, key), 0, key);
    }
    this.#values.set(key, value);
  }

  delete(key: ByteString): void {
    if (!this.#values.delete(key)) return;
    const keys = this.#keysLike(key);
    keys.splice(countBefore(keys, key), 1);
  }

  clear(): void {
    this.#values.clear();
    this.#kinds.length = 0;
  }

  #keysLike(key: ByteString): ByteString[] {
    const kind = key.slice(0, 1);
    let index = 0;
    while (index < this.#kinds.length && (this.#kinds[index]?.kind ?? '') < kind) index++;
    const found = this.#kinds[index];
    if (found?.kind === kind) return found.keys;
    const keys: ByteString[] = [];
    this.#kinds.splice(index, 0, { kind, keys });
    return keys;
  }

  range({ from, to, limit, keysOnly = false, maxBytes = Infinity }: StorageRange): StorageEntry[] {
    const found: StorageEntry[] = [];
    let bytes = 0;
    for (const { kind, keys } of this.#kinds) {
      if (kind > to.slice(0, 1) || kind < from.slice(0, 1)) continue;
      for (let i = countBefore(keys, from); i < keys.length && found.length < limit; i++) {
        const key = keys[i] as ByteString;
        if (key >= to) break;
        const value = keysOnly ? noBytes : (this.#values.get(key) ?? noBytes);
        found.push([key, value]);
        if ((bytes += value.length) >= maxBytes) return found;
      }
    }
    return found;
  }

  entries(): IterableIterator<[ByteString, Uint8Array]> {
    return this.#values.entries();
  }
}
