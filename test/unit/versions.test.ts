/**
 * The examples that the authors of dotted version vectors publish with their reference implementation (`dvvset.erl`), in our words. A clock there is a list
 * of {id, counter, [newest value, …]}; `clock` writes it down in the same way. Its anonymous values have no counterpart here: only a replica that gives
 * a dot makes a version (VR2).
 */

import { describe, expect, it } from 'vitest';

import type { Actor, Dot } from '../../src/core/ids.ts';
import {
  compareDots,
  compareSets,
  counterOf,
  covers,
  descends,
  emptySet,
  emptyVector,
  has,
  joinVectors,
  keepGreatest,
  merge,
  onlyDot,
  update,
  type Version,
  type VersionSet,
  type VersionVector,
} from '../../src/core/versions.ts';

type Entry = readonly [id: string, counter: number, values: readonly string[]];

/** `[['a', 3, ['v5', 'v2']]]`: a has given three dots, the last of them to v5, the one before to v2. */
function clock(...entries: Entry[]): VersionSet<string> {
  const siblings = entries.flatMap(([id, counter, values]) => values.map((value, back) => ({ dot: dot(id, counter - back), value })));
  return { context: vector(...entries), siblings: siblings.sort((x, y) => compareDots(x.dot, y.dot)) };
}

const dot = (id: string, counter: number): Dot => ({ actor: id as Actor, counter });
const vector = (...entries: (readonly [string, number, ...unknown[]])[]): VersionVector => entries.map(([id, counter]) => dot(id, counter));

/** A put at `id` by a writer that had seen `seen`. */
const put = (local: VersionSet<string>, seen: VersionSet<string>, id: string, value: string): VersionSet<string> =>
  update(local, seen.context, id as Actor, value).set;

const values = (set: VersionSet<string>): string[] => set.siblings.map((version) => version.value).sort();
const ids = (set: VersionSet<string>): string[] => set.context.map((entry) => entry.actor);

/** `less` of the reference compares causal histories only. */
const less = (a: VersionSet<string>, b: VersionSet<string>): boolean => descends(b.context, a.context) && !descends(a.context, b.context);

describe('published examples', () => {
  it('[VR1] join: the context of a set is its causal history', () => {
    const a1 = put(emptySet, emptySet, 'a', 'v1');
    const b1 = put(a1, a1, 'b', 'v2');
    expect(emptySet.context).toEqual([]);
    expect(a1.context).toEqual(vector(['a', 1]));
    expect(b1.context).toEqual(vector(['a', 1], ['b', 1]));
  });

  it('[VR1] update: the same or another replica, with an up-to-date or a stale context', () => {
    const a0 = put(emptySet, emptySet, 'a', 'v1');
    const a1 = put(a0, a0, 'a', 'v2');
    expect(a0).toEqual(clock(['a', 1, ['v1']]));
    expect(a1).toEqual(clock(['a', 2, ['v2']]));
    expect(put(a1, a1, 'b', 'v3')).toEqual(clock(['a', 2, []], ['b', 1, ['v3']]));
    expect(put(a1, a0, 'b', 'v4')).toEqual(clock(['a', 2, ['v2']], ['b', 1, ['v4']]));
    expect(put(a1, a0, 'a', 'v5')).toEqual(clock(['a', 3, ['v5', 'v2']]));
  });

  it('[VR1] sync: values that the other side has seen and dropped go, concurrent ones stay', () => {
    const x = clock(['x', 1, []]);
    const a = put(emptySet, emptySet, 'a', 'v1');
    const y = put(emptySet, emptySet, 'b', 'v2');
    const a1 = put(emptySet, a, 'a', 'v2');
    const a3 = put(emptySet, a1, 'b', 'v3');
    const a4 = put(emptySet, a1, 'c', 'v3');
    const w = clock(['a', 1, []]);
    const z = clock(['a', 2, ['v2', 'v1']]);
    expect(merge(w, z)).toEqual(clock(['a', 2, ['v2']]));
    expect(merge(a4, a3)).toEqual(clock(['a', 2, []], ['b', 1, ['v3']], ['c', 1, ['v3']]));
    expect(merge(x, a)).toEqual(clock(['a', 1, ['v1']], ['x', 1, []]));
    expect(merge(a, y)).toEqual(clock(['a', 1, ['v1']], ['b', 1, ['v2']]));
    for (const [left, right] of [
      [w, z],
      [a, a1],
      [a4, a3],
      [x, a],
      [y, a],
    ] as const)
      expect(merge(left, right)).toEqual(merge(right, left));
    const greatest = keepGreatest(a4, byValue);
    expect(merge(a4, greatest)).toEqual(greatest);
  });

  it('[VR1] Mary writes v1 and v2 blindly, Peter writes v3 having read v1: v2 and v3 remain', () => {
    const a0 = put(emptySet, emptySet, 'a', 'v1');
    const peterHasSeen = a0;
    const a1 = put(a0, emptySet, 'a', 'v2');
    expect(a1).toEqual(clock(['a', 2, ['v2', 'v1']]));
    expect(put(a1, peterHasSeen, 'a', 'v3')).toEqual(clock(['a', 3, ['v3', 'v2']]));
  });

  it('[VR1] event: a blind write next to what is there, at the same and at another replica', () => {
    const a = put(emptySet, emptySet, 'a', 'v1');
    expect(put(a, emptySet, 'a', 'v2')).toEqual(clock(['a', 2, ['v2', 'v1']]));
    expect(put(a, emptySet, 'b', 'v2')).toEqual(clock(['a', 1, ['v1']], ['b', 1, ['v2']]));
  });

  it('[VR7] lww: the last value stays in its place, the history stays whole', () => {
    const x = clock(['a', 4, ['5', '2']], ['b', 1, []], ['c', 1, ['3']]);
    expect(keepGreatest(x, byValue)).toEqual(clock(['a', 4, ['5']], ['b', 1, []], ['c', 1, []]));
    const later = clock(['a', 4, ['1', '2']], ['b', 1, []], ['c', 1, ['3']]);
    expect(keepGreatest(later, byValue)).toEqual(clock(['a', 4, []], ['b', 1, []], ['c', 1, ['3']]));
    expect(keepGreatest(emptySet, byValue)).toEqual(emptySet);
  });

  it('[VR1] less: causal order of histories', () => {
    const a = put(emptySet, emptySet, 'a', 'v1');
    const b = put(emptySet, a, 'a', 'v2');
    const b2 = put(emptySet, a, 'b', 'v2');
    const b3 = put(emptySet, a, 'z', 'v2');
    const c = put(a, b, 'c', 'v3');
    const d = put(b2, c, 'd', 'v4');
    for (const [before, after] of [
      [a, b],
      [a, c],
      [b, c],
      [b, d],
      [b2, d],
      [a, d],
    ] as const) {
      expect(less(before, after)).toBe(true);
      expect(compareSets(before, after)).toBe('before');
      expect(compareSets(after, before)).toBe('after');
    }
    for (const [one, other] of [
      [b2, c],
      [b, b2],
      [b2, b],
      [a, a],
      [c, c],
      [d, b2],
      [b3, d],
    ] as const)
      expect(less(one, other)).toBe(false);
    expect(compareSets(b2, c)).toBe('concurrent');
    expect(compareSets(b3, d)).toBe('concurrent');
    expect(compareSets(c, { ...c })).toBe('equal');
  });

  it('[VR1] equal, size, ids and values of a set', () => {
    const a = clock(['a', 4, ['v5', 'v0']], ['b', 1, []], ['c', 1, ['v3']]);
    const b = clock(['a', 4, ['v555', 'v0']], ['b', 1, []], ['c', 1, ['v3']]);
    const c = clock(['a', 4, ['v5', 'v0']], ['b', 1, []]);
    // Only the history counts: a dot names one value for ever.
    expect(compareSets(a, b)).toBe('equal');
    expect(compareSets(a, c)).toBe('after');
    expect(a.siblings.length).toBe(3);
    expect(ids(a)).toEqual(['a', 'b', 'c']);
    expect(values(a)).toEqual(['v0', 'v3', 'v5']);
    expect(values(c)).toEqual(['v0', 'v5']);
  });
});

describe('contexts', () => {
  it('[VR1] a stale context supersedes only what it saw', () => {
    const first = put(emptySet, emptySet, 'a', 'v1');
    const second = put(first, first, 'b', 'v2');
    const third = put(second, first, 'a', 'v3');
    expect(values(third)).toEqual(['v2', 'v3']);
    expect(values(put(third, second, 'a', 'v4'))).toEqual(['v3', 'v4']);
    expect(values(put(third, third, 'b', 'v5'))).toEqual(['v5']);
  });

  it('[VR1] a context from the future of this replica is kept: what it covers does not come back', () => {
    const elsewhere = put(put(emptySet, emptySet, 'b', 'v1'), emptySet, 'b', 'v2');
    const here = put(emptySet, elsewhere, 'a', 'v3');
    expect(here).toEqual(clock(['a', 1, ['v3']], ['b', 2, []]));
    expect(merge(here, elsewhere)).toEqual(here);
  });

  it('[VR1] the context of a blind put claims its own version only', () => {
    const first = update(emptySet, emptyVector, 'a' as Actor, 'v1').set;
    const second = update(first, emptyVector, 'a' as Actor, 'v2');
    const reply = onlyDot(second.dot);
    expect(reply).toEqual([{ actor: 'a', from: 2, counter: 2 }]);
    const third = update(second.set, reply, 'a' as Actor, 'v3');
    expect(values(third.set)).toEqual(['v1', 'v3']);
    expect(third.set.context).toEqual(vector(['a', 3]));
    const elsewhere = update(emptySet, reply, 'b' as Actor, 'v4').set;
    expect(elsewhere.context).toEqual([{ actor: 'a', from: 2, counter: 2 }, dot('b', 1)]);
    expect(values(merge(elsewhere, second.set))).toEqual(['v1', 'v4']);
    expect(compareSets(elsewhere, second.set)).toBe('concurrent');
  });

  it('[VR1] ranges unite where they overlap or touch, and cover nothing between them', () => {
    const range = (from: number, counter: number): VersionVector =>
      from === 1 ? vector(['a', counter]) : [{ ...dot('a', counter), from }];
    expect(joinVectors(range(1, 2), range(3, 4))).toEqual(range(1, 4));
    expect(joinVectors(range(2, 6), range(3, 4))).toEqual(range(2, 6));
    expect(joinVectors(range(2, 4), range(3, 7))).toEqual(range(2, 7));
    const apart = joinVectors(range(5, 6), range(1, 3));
    expect(apart).toEqual([...range(1, 3), ...range(5, 6)]);
    expect([1, 3, 4, 5, 6, 7].map((counter) => covers(apart, dot('a', counter)))).toEqual([true, true, false, true, true, false]);
    expect(counterOf(apart, 'a' as Actor)).toBe(6);
    expect(descends(range(1, 6), apart)).toBe(true);
    expect(descends(apart, range(1, 6))).toBe(false);
    expect(joinVectors(apart, onlyDot(dot('a', 4)))).toEqual(range(1, 6));
  });

  it('[VR1] the same dot never occurs twice, and merging with itself changes nothing', () => {
    const set = clock(['a', 2, ['v2', 'v1']]);
    expect(merge(set, clock(['a', 2, ['v2', 'v1']]))).toEqual(set);
    expect(merge(set, set)).toBe(set);
  });

  it('[VR8] actors with the names of object members are actors like any other', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '\0', '', '\ud800'];
    let set: VersionSet<string> = emptySet;
    for (const name of names) {
      expect(counterOf(set.context, name as Actor)).toBe(0);
      expect(covers(set.context, dot(name, 1))).toBe(false);
      set = put(set, emptySet, name, `by ${name}`);
      expect(has(set, dot(name, 1))).toBe(true);
    }
    expect(set.siblings.length).toBe(names.length);
    expect(joinVectors(set.context, emptyVector)).toEqual(set.context);
    expect(merge(set, JSON.parse(JSON.stringify(set)) as VersionSet<string>)).toEqual(set);
    expect(values(put(set, set, '__proto__', 'last'))).toEqual(['last']);
  });
});

function byValue(a: Version<string>, b: Version<string>): number {
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}
