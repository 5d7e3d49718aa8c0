/**
 * The seeded source: the same numbers on every platform, spread evenly.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SeededRandom } from '../../src/core/random.ts';
import { holds } from '../model/property.ts';

const numbers = (random: SeededRandom, count: number): number[] => Array.from({ length: count }, () => random.u32());

/** xoshiro128** as its authors write it down, over 32-bit words in big numbers. */
function* xoshiro(state: bigint[]): Generator<number> {
  const mask = 0xffffffffn;
  const rotate = (word: bigint, by: bigint): bigint => ((word << by) | (word >> (32n - by))) & mask;
  const s = [...state] as [bigint, bigint, bigint, bigint];
  for (;;) {
    yield Number((rotate((s[1] * 5n) & mask, 7n) * 9n) & mask);
    const t = (s[1] << 9n) & mask;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11n);
  }
}

/** splitmix32, which spreads the seed over the state. */
function stateOf(seed: number): bigint[] {
  const mask = 0xffffffffn;
  const words = [1n, 2n, 3n, 4n].map((step) => {
    let z = (BigInt(seed >>> 0) + step * 0x9e3779b9n) & mask;
    z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    return z ^ (z >> 15n);
  });
  return words.with(3, (words[3] as bigint) | 1n);
}

describe('seeded randomness', () => {
  it('[IN] is xoshiro128**, from any seed', () => {
    holds(
      100,
      fc.property(fc.integer(), (seed) => {
        const expected = xoshiro(stateOf(seed));
        expect(numbers(new SeededRandom(seed), 20)).toEqual(Array.from({ length: 20 }, () => expected.next().value as number));
      }),
    );
  });

  it('[IN] the first numbers of seed 7 are what they have always been: simulated runs replay from them', () => {
    expect(numbers(new SeededRandom(7), 4)).toEqual([210_494_603, 711_084_892, 3_993_689_120, 4_089_369_890]);
  });

  it('[IN] numbers below n are below n and evenly spread; bytes are the words, little end first', () => {
    const random = new SeededRandom(1);
    for (const n of [1, 2, 3, 10, 2 ** 32]) {
      const drawn = Array.from({ length: 2000 }, () => random.below(n));
      expect(drawn.every((number) => Number.isInteger(number) && number >= 0 && number < n)).toBe(true);
      const mean = drawn.reduce((sum, number) => sum + number, 0) / drawn.length;
      expect(Math.abs(mean - (n - 1) / 2)).toBeLessThanOrEqual(n * 0.03);
    }
    const [a = 0, b = 0] = numbers(new SeededRandom(5), 2);
    expect([...new SeededRandom(5).bytes(6)]).toEqual([a & 255, (a >> 8) & 255, (a >> 16) & 255, a >>> 24, b & 255, (b >> 8) & 255]);
    expect(random.bytes(0).length).toBe(0);
  });

  it('[IN] a fork is a stream of its own: drawing from it does not shift the other', () => {
    const [one, other] = [new SeededRandom(3), new SeededRandom(3)];
    const [fork] = [one.fork(), other.fork()];
    numbers(fork, 100);
    expect(numbers(one, 5)).toEqual(numbers(other, 5));
    expect(numbers(new SeededRandom(3).fork(), 5)).not.toEqual(numbers(new SeededRandom(3), 5));
  });
});
