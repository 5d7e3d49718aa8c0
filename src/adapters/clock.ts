/**
 * The system's clock and randomness, for every platform that has `performance`, `setTimeout` and `crypto`.
 *
 * A callback never runs before its time, however coarse or limited the platform's timers are.
 */

import type { Clock, Random } from '../ports.ts';

/** Longer delays overflow the platforms' timers, which then fire at once. */
const timerMaxMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  mono: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, callback) {
    const due = performance.now() + delayMs;
    let timer: ReturnType<typeof setTimeout>;
    const arm = (): void => {
      // Whole milliseconds, upwards: Node.js drops the fraction and would fire too early.
      timer = setTimeout(fire, Math.min(Math.max(Math.ceil(due - performance.now()), 0), timerMaxMs));
    };
    const fire = (): void => {
      if (performance.now() < due) arm();
      else callback();
    };
    arm();
    return () => clearTimeout(timer);
  },
};

const poolBytes = 4096;
/** The platform's limit for one call of getRandomValues. */
const drawMaxBytes = 65_536;

/** Small draws come from a pool: a call of getRandomValues costs far more than the bytes. */
class SystemRandom implements Random {
  readonly #words = new Uint32Array(poolBytes / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  #nextWord = this.#words.length;

  u32(): number {
    const at = this.#take(1);
    return this.#words[at] as number;
  }

  below(n: number): number {
    // Words from the last, incomplete stretch of n are drawn again, so that every number is equally likely.
    const bound = 2 ** 32 - (2 ** 32 % n);
    let word = this.u32();
    while (word >= bound) word = this.u32();
    return word % n;
  }

  bytes(length: number): Uint8Array {
    if (length <= poolBytes / 8) {
      const start = this.#take(Math.ceil(length / 4)) * 4;
      return this.#bytes.slice(start, start + length);
    }
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += drawMaxBytes) crypto.getRandomValues(out.subarray(at, at + drawMaxBytes));
    return out;
  }

  /** Gives out each word of the pool once; `count` is far below its size. */
  #take(count: number): number {
    if (this.#nextWord + count > this.#words.length) {
      crypto.getRandomValues(this.#words);
      this.#nextWord = 0;
    }
    const at = this.#nextWord;
    this.#nextWord += count;
    return at;
  }
}

export const systemRandom: Random = new SystemRandom();
