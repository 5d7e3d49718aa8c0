/**
 * The simulated world: virtual time, one queue of events, and seeded randomness. Nothing happens outside of it.
 *
 * Time is counted in whole microseconds and moves only from event to event. Each part draws from its own stream, named by what it is for, so that a new
 * draw in one part shifts nothing in another. No function here depends on the platform's floating-point library: a seed gives the same run anywhere.
 */

import { SeededRandom } from '../core/random.ts';
import { EventHash, type EventKind, textHash } from './event-hash.ts';
import { EventHeap } from './event-heap.ts';

export type TraceLine = (atMs: number, line: string) => void;

export class World {
  readonly seed: number;
  /** A readable transcript, for whoever asked for it. */
  readonly trace: TraceLine | undefined;
  readonly #heap = new EventHeap();
  readonly #hash = new EventHash();
  #now = 0;
  #order = 0;
  #executed = 0;

  constructor(seed: number, trace?: TraceLine) {
    this.seed = seed;
    this.trace = trace;
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#now / 1000;
  }

  /** Events executed so far. */
  get events(): number {
    return this.#executed;
  }

  /** The hash over all events so far. */
  get eventHash(): string {
    return this.#hash.text;
  }

  /** The stream of randomness for one purpose: the same for the same seed and name. */
  stream(name: string): SeededRandom {
    return new SeededRandom(textHash(name, 0x811c9dc5 ^ Math.imul(this.seed, 0x9e3779b1)));
  }

  /** Lets something happen after `delayMs`, which is rounded to a microsecond. */
  after(delayMs: number, kind: EventKind, who: number, run: () => void, detail = 0): void {
    if (!(delayMs < Infinity)) throw new RangeError(`an event after ${delayMs} ms`);
    const at = this.#now + Math.max(0, Math.round(delayMs * 1000));
    this.#heap.push({ at, order: this.#order++, kind, who, detail, run });
  }

  /** Adds to the hash what is known only when an event is carried out. */
  note(kind: EventKind, who: number, detail: number): void {
    this.#hash.add(this.#now, kind, who, detail);
  }

  /** Executes the next event; false when there is none. */
  step(): boolean {
    const event = this.#heap.pop();
    if (event === undefined) return false;
    this.#now = event.at;
    this.#executed++;
    this.#hash.add(event.at, event.kind, event.who, event.detail);
    event.run();
    return true;
  }

  runFor(ms: number): void {
    const end = this.#now + Math.round(ms * 1000);
    for (let next = this.#heap.first(); next !== undefined && next.at <= end; next = this.#heap.first()) this.step();
    this.#now = end;
  }

  /** Runs until the condition holds, which is looked at after each event. False when it did not within `ms`. */
  runUntil(condition: () => boolean, ms: number): boolean {
    const end = this.#now + Math.round(ms * 1000);
    while (!condition()) {
      const next = this.#heap.first();
      if (next === undefined || next.at > end) {
        this.#now = end;
        return condition();
      }
      this.step();
    }
    return true;
  }
}
