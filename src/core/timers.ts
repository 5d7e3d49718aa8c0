/**
 * Timers without a clock: a heap of deadlines in monotonic milliseconds. The runtime asks for the next one, sleeps, and calls `fire`. Timers with the
 * same deadline fire in the order in which they were set.
 */

import type { Instant } from './ids.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  callback: ((now: Instant) => void) | undefined;
}

/** Below this many cancelled entries tidying up is not worth it. */
const tidyMin = 64;

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Timers {
  #heap: Entry[] = [];
  #order = 0;
  /** Entries in the heap that were cancelled: nearly every timer is a deadline that is met in time. */
  #cancelled = 0;
  #soon: ((now: Instant) => void)[] = [];

  /** Calls back once when `fire` is given an instant at or after `at`. The returned function cancels. */
  at(at: number, callback: (now: Instant) => void): () => void {
    const entry: Entry = { at, order: this.#order++, callback };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return () => this.#cancel(entry);
  }

  /** Calls back once at the next `fire`, before any deadline, in the order of asking. */
  soon(callback: (now: Instant) => void): void {
    this.#soon.push(callback);
  }

  #cancel(entry: Entry): void {
    if (entry.callback === undefined) return;
    entry.callback = undefined;
    this.#cancelled++;
    if (this.#cancelled < tidyMin || this.#cancelled * 2 < this.#heap.length) return;
    this.#heap = this.#heap.filter(({ callback }) => callback !== undefined).sort((a, b) => (before(a, b) ? -1 : 1));
    this.#cancelled = 0;
  }

  /** The earliest deadline, or undefined when nothing is set. */
  next(): number | undefined {
    if (this.#soon.length > 0) return -Infinity;
    this.#dropCancelled();
    return this.#heap[0]?.at;
  }

  fire(now: Instant): void {
    for (;;) {
      this.#fireSoon(now);
      this.#dropCancelled();
      const first = this.#heap[0];
      if (first === undefined || first.at > now.mono) return;
      const { callback } = first;
      first.callback = undefined;
      this.#pop();
      callback?.(now);
    }
  }

  #fireSoon(now: Instant): void {
    while (this.#soon.length > 0) {
      const callbacks = this.#soon;
      this.#soon = [];
      for (const callback of callbacks) callback(now);
    }
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) {
      this.#pop();
      this.#cancelled--;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down();
  }

  #up(start: number): void {
    const heap = this.#heap;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const child = heap[index];
      const above = heap[parent];
      if (child === undefined || above === undefined || !before(child, above)) return;
      heap[index] = above;
      heap[parent] = child;
      index = parent;
    }
  }

  #down(): void {
    const heap = this.#heap;
    for (let index = 0; ;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      const here = heap[index];
      if (left === undefined || here === undefined) return;
      const child = right !== undefined && before(right, left) ? 2 * index + 2 : 2 * index + 1;
      const smaller = heap[child];
      if (smaller === undefined || !before(smaller, here)) return;
      heap[index] = smaller;
      heap[child] = here;
      index = child;
    }
  }
}
