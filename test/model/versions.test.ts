/**
 * Version sets against a model that knows nothing of counters: a put is an event, its past is the explicit set of events that its writer had read. A replica
 * knows a set of events; those that no other known event has in its past are alive (Almeida et al., DAIS 2014, section 3).
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { Actor, Dot } from '../../src/core/ids.ts';
import { dotText } from '../../src/core/ids.ts';
import {
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
  type Ordering,
  update,
  type VersionSet,
  type VersionVector,
} from '../../src/core/versions.ts';
import { anActor, aSet, aVector, vectorOf } from './arbitraries.ts';
import { holds } from './property.ts';

interface Put {
  readonly dot: Dot;
  readonly past: ReadonlySet<Put>;
}

/** What somebody knows, told twice: by the code under test and as a plain set of puts. */
interface Replica {
  set: VersionSet<string>;
  known: ReadonlySet<Put>;
}

interface Seen {
  context: VersionVector;
  puts: ReadonlySet<Put>;
}

type Step =
  /** `blind`: without a context. `remember`: the client goes on with the context of the reply. */
  | { readonly type: 'put'; readonly client: number; readonly at: number; readonly blind: boolean; readonly remember: boolean }
  | { readonly type: 'get'; readonly client: number; readonly from: readonly number[] }
  | { readonly type: 'send'; readonly from: number; readonly to: number }
  | { readonly type: 'keep'; readonly from: number }
  | { readonly type: 'late'; readonly copy: number; readonly to: number };

const replicaCount = 4;
const clientCount = 3;
const aReplica = fc.nat({ max: replicaCount - 1 });
const aClient = fc.nat({ max: clientCount - 1 });

const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('put' as const), client: aClient, at: aReplica, blind: fc.boolean(), remember: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('get' as const), client: aClient, from: fc.array(aReplica, { minLength: 1, maxLength: 2 }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('send' as const), from: aReplica, to: aReplica }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('keep' as const), from: aReplica }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('late' as const), copy: fc.nat({ max: 3 }), to: aReplica }) },
);

const union = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> => new Set([...a, ...b]);

const alive = (known: ReadonlySet<Put>): string[] => {
  const superseded = new Set([...known].flatMap((put) => [...put.past]));
  return [...known].filter((put) => !superseded.has(put)).map((put) => dotText(put.dot));
};

class World {
  readonly replicas: Replica[] = Array.from({ length: replicaCount }, () => ({ set: emptySet, known: new Set<Put>() }));
  readonly states: VersionSet<string>[] = [emptySet];
  readonly #clients: Seen[] = Array.from({ length: clientCount }, () => ({ context: emptyVector, puts: new Set<Put>() }));
  readonly #copies: Replica[] = [];
  readonly #actors: readonly Actor[];
  readonly dots: string[] = [];

  constructor(actors: readonly Actor[]) {
    this.#actors = actors;
  }

  run(step: Step): void {
    switch (step.type) {
      case 'put':
        return this.#put(step.client, step.at, step.blind, step.remember);
      case 'get': {
        const read = step.from.map((index) => this.replicas[index] as Replica);
        const merged = read.map((replica) => replica.set).reduce(merge);
        this.#clients[step.client] = { context: merged.context, puts: read.map((replica) => replica.known).reduce(union) };
        return;
      }
      case 'send':
        return this.#deliver(this.replicas[step.from] as Replica, step.to);
      case 'keep':
        this.#copies.push({ ...(this.replicas[step.from] as Replica) });
        return;
      case 'late': {
        const copy = this.#copies[step.copy];
        if (copy !== undefined) this.#deliver(copy, step.to);
      }
    }
  }

  #put(client: number, at: number, blind: boolean, remember: boolean): void {
    const replica = this.replicas[at] as Replica;
    const seen = blind ? { context: emptyVector, puts: new Set<Put>() } : (this.#clients[client] as Seen);
    const { set, dot } = update(replica.set, seen.context, this.#actors[at] as Actor, `value ${this.dots.length}`);
    const put: Put = { dot, past: seen.puts };
    this.dots.push(dotText(dot));
    if (remember) this.#clients[client] = { context: joinVectors(seen.context, onlyDot(dot)), puts: union(seen.puts, new Set([put])) };
    replica.set = set;
    replica.known = union(union(replica.known, seen.puts), new Set([put]));
    this.states.push(set);
  }

  #deliver(from: Replica, to: number): void {
    const replica = this.replicas[to] as Replica;
    replica.set = merge(replica.set, from.set);
    replica.known = union(replica.known, from.known);
    this.states.push(replica.set);
  }

  heal(): void {
    for (let round = 0; round < 2; round++)
      for (let from = 0; from < replicaCount; from++) for (let to = 0; to < replicaCount; to++) this.run({ type: 'send', from, to });
  }
}

const someActors: fc.Arbitrary<Actor[]> = fc.uniqueArray(anActor, { minLength: replicaCount, maxLength: replicaCount });
const someSteps = fc.array(aStep, { maxLength: 40 });
const dotsOf = (set: VersionSet<unknown>): string[] => set.siblings.map((version) => dotText(version.dot));

/** Equal as replicas see it: the same context, the same versions in the same order. */
const same = (a: VersionSet<unknown>, b: VersionSet<unknown>): boolean => JSON.stringify(a) === JSON.stringify(b);

describe('version sets against sets of events', () => {
  it('[VR1] any interleaving of puts, reads and merges leaves the values that nobody has superseded, and contexts claim exactly what was seen', () => {
    holds(
      300,
      fc.property(someActors, someSteps, (actors, steps) => {
        const world = new World(actors);
        for (const step of steps) {
          world.run(step);
          for (const { set, known } of world.replicas) {
            expect(dotsOf(set).sort()).toEqual(alive(known).sort());
            expect(set.context).toEqual(vectorOf([...known].map((put) => put.dot)));
          }
        }
      }),
    );
  });

  it('[VR1] after everybody has heard everything, all replicas hold the same and no value stands beside its descendant', () => {
    holds(
      200,
      fc.property(someActors, someSteps, (actors, steps) => {
        const world = new World(actors);
        for (const step of steps) world.run(step);
        world.heal();
        const [first, ...others] = world.replicas;
        expect(dotsOf((first as Replica).set).sort()).toEqual(alive((first as Replica).known).sort());
        for (const other of others) expect(other.set).toEqual(first?.set);
      }),
    );
  });

  it('[VR3] no dot is given twice', () => {
    holds(
      200,
      fc.property(someActors, someSteps, (actors, steps) => {
        const world = new World(actors);
        for (const step of steps) world.run(step);
        expect(new Set(world.dots).size).toBe(world.dots.length);
      }),
    );
  });
});

const aValueSet = aSet(dotText);

describe('the semilattice', () => {
  it('[VR1] merge is commutative, associative and idempotent', () => {
    holds(
      500,
      fc.property(aValueSet, aValueSet, aValueSet, (a, b, c) => {
        expect(merge(a, b)).toEqual(merge(b, a));
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
        expect(merge(a, { ...a })).toEqual(a);
        expect(merge(merge(a, b), b)).toEqual(merge(a, b));
        expect(merge(a, emptySet)).toEqual(a);
      }),
    );
  });

  it('[VR1] merging keeps the promises of the type: sorted, each once, covered by the context', () => {
    holds(
      300,
      fc.property(aValueSet, aValueSet, (a, b) => {
        const { context, siblings } = merge(a, b);
        context.forEach((range, index) => {
          const before = context[index - 1];
          expect((range.from ?? 1) <= range.counter && range.from !== 1).toBe(true);
          if (before !== undefined)
            expect(before.actor < range.actor || (before.actor === range.actor && before.counter + 1 < (range.from ?? 1))).toBe(true);
        });
        expect(new Set(dotsOf({ context, siblings })).size).toBe(siblings.length);
        for (const { dot, value } of siblings) {
          expect(covers(context, dot)).toBe(true);
          expect(value).toBe(dotText(dot));
        }
      }),
    );
  });

  it('[VR1] a joined vector covers what one of the two covers, and no dot more', () => {
    const joinedWith = (a: VersionVector, b: VersionVector): void => {
      const joined = joinVectors(a, b);
      const wrong: string[] = [];
      for (const { actor, from = 1, counter } of [...a, ...b]) {
        if (counterOf(joined, actor) !== Math.max(counterOf(a, actor), counterOf(b, actor))) wrong.push(actor);
        for (const end of [1, from - 1, from, from + 1, counter - 1, counter, counter + 1]) {
          const dot = { actor, counter: end };
          if (end > 0 && covers(joined, dot) !== (covers(a, dot) || covers(b, dot))) wrong.push(dotText(dot));
        }
      }
      expect(wrong).toEqual([]);
      expect(descends(joined, a) && descends(joined, b)).toBe(true);
      expect(descends(a, b)).toBe(same({ context: a, siblings: [] }, { context: joined, siblings: [] }));
      expect(joinVectors(b, a)).toEqual(joined);
    };
    holds(400, fc.property(aVector, aVector, joinedWith));
  });

  it('[VR1] ranges that overlap or touch become one', () => {
    const someDots = fc.array(
      fc.record({ actor: fc.constantFrom('a' as Actor, '__proto__' as Actor), counter: fc.integer({ min: 1, max: 9 }) }),
      { maxLength: 9 },
    );
    holds(
      500,
      fc.property(someDots, someDots, (a, b) => {
        expect(joinVectors(vectorOf(a), vectorOf(b))).toEqual(vectorOf([...a, ...b]));
        expect(a.map(onlyDot).reduce(joinVectors, emptyVector)).toEqual(vectorOf(a));
      }),
    );
  });

  it('[VR1] comparing tells what merging would give', () => {
    const seen = new Set<Ordering>();
    const orderByMerge = (a: VersionSet<string>, b: VersionSet<string>): Ordering => {
      const both = merge(a, b);
      if (same(a, b)) return 'equal';
      return same(both, a) ? 'after' : same(both, b) ? 'before' : 'concurrent';
    };
    const check = (a: VersionSet<string>, b: VersionSet<string>): void => {
      const expected = orderByMerge(a, b);
      seen.add(expected);
      expect(compareSets(a, b)).toBe(expected);
      expect(compareSets(b, a)).toBe(expected === 'before' ? 'after' : expected === 'after' ? 'before' : expected);
    };
    holds(
      500,
      fc.property(aValueSet, aValueSet, (a, b) => {
        check(a, b);
        check(a, merge(a, b));
        check(a, { ...a });
      }),
    );
    holds(
      100,
      fc.property(someActors, someSteps, (actors, steps) => {
        const world = new World(actors);
        for (const step of steps) world.run(step);
        for (const a of world.states.slice(-8)) for (const b of world.states.slice(-8)) check(a, b);
      }),
    );
    expect([...seen].sort()).toEqual(['after', 'before', 'concurrent', 'equal']);
  });
});

describe('updates', () => {
  it('[VR1] an update supersedes exactly what its context covers', () => {
    holds(
      500,
      fc.property(aValueSet, aVector, anActor, (local, context, actor) => {
        const { set, dot } = update(local, context, actor, 'new');
        const kept = local.siblings.filter((version) => !covers(context, version.dot));
        expect(dotsOf(set).sort()).toEqual([...dotsOf({ context: [], siblings: kept }), dotText(dot)].sort());
        expect(has(set, dot)).toBe(true);
        expect(set.context).toEqual(joinVectors(joinVectors(local.context, context), onlyDot(dot)));
        expect(dot.counter).toBe(Math.max(counterOf(local.context, actor), counterOf(context, actor)) + 1);
      }),
    );
  });

  it('[VR1] an update is after what it was made from', () => {
    holds(
      300,
      fc.property(aValueSet, aVector, anActor, (local, context, actor) => {
        expect(compareSets(update(local, context, actor, 'new').set, local)).toBe('after');
      }),
    );
  });

  it('[VR1] two interleaved read-modify-write clients never exceed 2 siblings', () => {
    // Each turn, one of the two clients takes its next step: a read of everything, or a put at one of the replicas, with the context of its
    // last read or, when it goes on without reading, with that of its last put.
    const turns = fc.array(fc.record({ client: fc.nat({ max: 1 }), at: aReplica, readsAgain: fc.boolean() }), { maxLength: 60 });
    let most = 0;
    holds(
      300,
      fc.property(someActors, turns, (actors, taken) => {
        const replicas: VersionSet<string>[] = Array.from({ length: replicaCount }, () => emptySet);
        const contexts: (VersionVector | undefined)[] = [undefined, undefined];
        for (const { client, at, readsAgain } of taken) {
          const context = contexts[client];
          if (context === undefined) contexts[client] = replicas.reduce(merge).context;
          else {
            const { set, dot } = update(replicas[at] as VersionSet<string>, context, actors[at] as Actor, 'v');
            replicas[at] = set;
            contexts[client] = readsAgain ? undefined : joinVectors(context, onlyDot(dot));
          }
          const siblings = replicas.reduce(merge).siblings.length;
          most = Math.max(most, siblings);
          expect(siblings).toBeLessThanOrEqual(2);
        }
      }),
    );
    expect(most).toBe(2);
  });

  it('[VR7] keeping the greatest leaves one version, the same at every replica and in every order of merging', () => {
    const order = (a: { dot: Dot; value: string }, b: { dot: Dot; value: string }): number =>
      a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
    holds(
      300,
      fc.property(aValueSet, aValueSet, (a, b) => {
        const kept = keepGreatest(a, order);
        expect(kept.context).toEqual(a.context);
        expect(kept.siblings.length).toBe(Math.min(1, a.siblings.length));
        for (const version of a.siblings) expect(order(version, kept.siblings[0] as { dot: Dot; value: string })).toBeLessThanOrEqual(0);
        // The reduced set goes on superseding what it left out.
        expect(merge(kept, a)).toEqual(kept);
        expect(keepGreatest(merge(a, b), order)).toEqual(keepGreatest(merge(b, a), order));
      }),
    );
  });
});
