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

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class Timers {
  readonly #heap: Entry[] = [];
  #order = 0;

  /** Calls back once when `fire` is given an instant at or after `at`. The returned function cancels. */
  at(at: number, callback: (now: Instant) => void): () => void {
    const entry: Entry = { at, order: this.#order++, callback };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return () => {
      entry.callback = undefined;
    };
  }

  /** The earliest deadline, or undefined when nothing is set. */
  next(): number | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.at;
  }

  fire(now: Instant): void {
    for (;;) {
      this.#dropCancelled();
      const first = this.#heap[0];
      if (first === undefined || first.at > now.mono) return;
      const { callback } = first;
      this.#pop();
      callback?.(now);
    }
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].callback === undefined) this.#pop();
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
