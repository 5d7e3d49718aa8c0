/**
 * A replica under random schedules: puts, stores, hints and restarts with commits under way, reads that overtake writes, and a disk that fails now and then. What
 * was acknowledged is there; a dot names one value; the trees fit the disk.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { PeerId } from '../../src/core/ids.ts';
import { dotText } from '../../src/core/ids.ts';
import type { Minted } from '../../src/core/replica.ts';
import { command, neighbours, OneReplica, type Outcome, valuesOf } from '../unit/support/one-replica.ts';
import { holds } from './property.ts';

const apart = ['a', 'b', 'c'];
const together = [...neighbours(), 'a'];

/** Steps name a key by its number. */
const aKey = fc.nat({ max: 2 });
const someone = 'someone' as PeerId;

type Step =
  | { readonly type: 'mint'; readonly key: number; readonly again: boolean; readonly hinted: boolean }
  | { readonly type: 'store'; readonly key: number; readonly hinted: boolean }
  | { readonly type: 'reads' | 'answer' | 'restart' }
  | { readonly type: 'fail'; readonly writes: number };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('mint' as const), key: aKey, again: fc.boolean(), hinted: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('store' as const), key: aKey, hinted: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('reads' as const, 'answer' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('fail' as const), writes: fc.integer({ min: 1, max: 3 }) }) },
);

class World {
  readonly #minted: { readonly key: string; readonly value: string; readonly outcome: Outcome<Minted> }[] = [];
  readonly #stored: { readonly value: string; readonly outcome: Outcome<undefined> }[] = [];
  readonly #puts = new Map<string, ReturnType<typeof command>>();
  readonly #others = new OneReplica('other');
  readonly #keys: readonly string[];
  one = new OneReplica('s');

  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  #key = (number: number): string => this.#keys[number % this.#keys.length] as string;

  run(step: Step): void {
    switch (step.type) {
      case 'mint': {
        const key = this.#key(step.key);
        const put = (step.again ? this.#puts.get(key) : undefined) ?? command(key, `mine ${this.#minted.length}`);
        this.#puts.set(key, put);
        const outcome = this.one.mint(put, step.hinted ? someone : undefined);
        this.#minted.push({ key, value: new TextDecoder().decode(put.bytes), outcome });
        return;
      }
      case 'store': {
        // Another replica's record, with all that it has put so far.
        const key = this.#key(step.key);
        const value = `theirs ${this.#stored.length}`;
        const { record } = this.#others.put(command(key, value));
        const outcome = this.one.store(key, record, step.hinted ? { owner: someone } : {});
        this.#stored.push({ value, outcome });
        if (this.#stored.length % 2 === 0) this.#stored.push({ value, outcome: this.one.store(key, record) });
        return;
      }
      case 'reads':
        return this.one.disk.runReads();
      case 'answer':
        return this.one.disk.step();
      case 'restart':
        this.one = this.one.restart();
        return;
      case 'fail':
        return this.one.disk.failWrites(step.writes);
    }
  }

  settle(): void {
    this.one.disk.run();
    this.one.disk.fails = () => false;
  }

  check(): void {
    const keys = this.#keys;
    const restarted = this.one.restart();
    const found = new Set(keys.flatMap((key) => valuesOf(restarted.read(key))));
    const acknowledged = [...this.#minted, ...this.#stored].filter(({ outcome }) => outcome.ended > 0 && outcome.error === undefined);
    expect(acknowledged.map(({ value }) => value).filter((value) => !found.has(value))).toEqual([]);
    expect([...this.#minted, ...this.#stored].every(({ outcome }) => outcome.ended <= 1)).toBe(true);
    const named = new Map<string, string>();
    for (const { key, value, outcome } of this.#minted) {
      if (outcome.value === undefined) continue;
      const name = `${key} ${dotText(outcome.value.dot)}`;
      expect(named.get(name) ?? value, name).toBe(value);
      named.set(name, value);
    }
    for (const replica of [this.one, restarted]) expect(replica.inconsistencies(keys)).toEqual([]);
    expect(restarted.keys()).toEqual([...keys].sort().filter((key) => restarted.stored(key).context.length > 0));
  }
}

function run(keys: readonly string[], steps: readonly Step[]): void {
  const world = new World(keys);
  for (const step of steps) world.run(step);
  world.settle();
  world.check();
  // It goes on as if nothing had been.
  for (let key = 0; key < keys.length; key++) world.run({ type: 'mint', key, again: false, hinted: false });
  world.settle();
  world.check();
}

const schedule = fc.array(aStep, { maxLength: 30, size: 'max' });

describe('a replica under random schedules', () => {
  it('[ST2] [AE1] keeps what it acknowledged, in any order of answers and with restarts', () => {
    holds(
      60,
      fc.property(schedule, (steps) =>
        run(
          together,
          steps.filter((step) => step.type !== 'fail'),
        ),
      ),
    );
  });

  it('[ST2] [ST4] [AE1] keeps what it acknowledged, and trees and index that fit, when commits fail now and then', () => {
    holds(
      60,
      fc.property(schedule, (steps) => run(apart, steps)),
    );
  });

  it('[AE1] the same for keys that share a leaf', () => {
    holds(
      60,
      fc.property(schedule, (steps) => run(together, steps)),
    );
  });
});
