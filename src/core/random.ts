/**
 * Randomness is handed in: a machine draws from the source it is given and never makes one. `SeededRandom` is xoshiro128** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018): the same seed gives the same numbers on every platform.
 */

export interface Random {
  /** An unsigned 32-bit number. */
  u32(): number;
  /** A uniform whole number in [0, n), 1 <= n <= 2^32. */
  below(n: number): number;
  bytes(length: number): Uint8Array;
}

export class SeededRandom implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the whole state.
    let state = seed >>> 0;
    const next = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return (z ^ (z >>> 15)) >>> 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  u32(): number {
    const scrambled = Math.imul(this.#b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 2 ** 32) * n);
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.u32();
      for (let k = i; k < Math.min(i + 4, length); k++) out[k] = (word >>> ((k - i) * 8)) & 0xff;
    }
    return out;
  }

  /** An independent stream: drawing from one never shifts the other. */
  fork(): SeededRandom {
    return new SeededRandom(this.u32());
  }
}
