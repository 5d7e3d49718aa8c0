/** Draws that the simulator needs again and again, from whole numbers and multiplications only, so that they are the same on every platform. */

import type { Random } from '../core/random.ts';

const unit = (random: Random): number => random.u32() / 2 ** 32;

/** True with this probability. Draws nothing when the answer is sure. */
export function happens(random: Random, probability: number): boolean {
  return probability > 0 && (probability >= 1 || unit(random) < probability);
}

/** Uniform in [from, to). */
export const between = (random: Random, from: number, to: number): number => from + unit(random) * (to - from);

/** From `least` up, mostly near it, seldom near `most`: the shape that latencies have. */
export function skewed(random: Random, least: number, most: number): number {
  const u = unit(random);
  return least + u * u * u * (most - least);
}

/** Waiting times around a mean, from none to four times as long. */
export const waiting = (random: Random, mean: number): number => skewed(random, 0, 4 * mean);

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [out[i], out[other]] = [out[other] as T, out[i] as T];
  }
  return out;
}
