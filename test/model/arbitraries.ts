/**
 * Random values of the core's small types. Names are hard on purpose: what breaks a plain object used as a dictionary, a C string, a path or a UTF-8 encoder
 * must do nothing here (VR8).
 */

import fc from 'fast-check';

import { textToBytes, toByteString } from '../../src/core/bytes.ts';
import type { Actor, ByteString, Dot } from '../../src/core/ids.ts';
import type { RecordSet, Stored } from '../../src/core/record.ts';
import { compareDots, covers, type DotRange, sameDot, type VersionSet, type VersionVector } from '../../src/core/versions.ts';

export const hardNames = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'a',
  'b',
  'a.0',
  'a:1',
  '\0',
  'x\0y',
  '..',
  '%2F',
  ' ',
  'ÿ',
  '\u{1f98a}',
  '\ud800',
  '\udfff',
] as const;

export const anActor: fc.Arbitrary<Actor> = fc.constantFrom(...hardNames).map((name) => name as Actor);

/** Any text, with lone surrogates. */
export const anyText = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) });

export const aText = (maxBytes: number): fc.Arbitrary<string> =>
  fc.oneof(fc.constantFrom(...hardNames), anyText, fc.string()).filter((text) => textToBytes(text).length <= maxBytes);

export const aByteString = (minLength: number, maxLength: number): fc.Arbitrary<ByteString> =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => toByteString(bytes));

export const aKey: fc.Arbitrary<ByteString> = fc.oneof(
  aByteString(1, 24),
  fc.constantFrom(...hardNames).map((name) => textToBytes(name)),
);

/** The vector that knows these dots: runs of them become ranges. */
export function vectorOf(dots: Iterable<Dot>): VersionVector {
  const vector: DotRange[] = [];
  for (const { actor, counter } of [...dots].sort(compareDots)) {
    const last = vector.at(-1);
    if (last?.actor !== actor || last.counter + 1 < counter)
      vector.push(counter === 1 ? { actor, counter } : { actor, counter, from: counter });
    else vector[vector.length - 1] = { ...last, counter };
  }
  return vector;
}

/** One to two ranges for some of the actors; what begins at 1 is the usual case. */
const vectorOver = (actor: fc.Arbitrary<Actor>): fc.Arbitrary<VersionVector> =>
  fc
    .uniqueArray(
      fc.record({
        actor,
        first: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.integer({ min: 2, max: 4 })),
        length: fc.oneof({ weight: 8, arbitrary: fc.nat({ max: 3 }) }, fc.nat({ max: 2 ** 48 - 20 })),
        gap: fc.integer({ min: 2, max: 4 }),
        more: fc.integer({ min: -3, max: 3 }),
      }),
      { selector: (entry) => entry.actor, maxLength: 5 },
    )
    .map((entries) =>
      entries
        .sort((a, b) => (a.actor < b.actor ? -1 : 1))
        .flatMap(({ actor: name, first, length, gap, more }) => {
          const counter = first + length;
          const range: DotRange = first === 1 ? { actor: name, counter } : { actor: name, counter, from: first };
          return more < 0 ? [range] : [range, { actor: name, counter: counter + gap + more, from: counter + gap }];
        }),
    );

const fewActors = fc.constantFrom(...['__proto__', 'a', 'a.0', '\ud800'].map((name) => name as Actor));

/** Mostly over the same few actors, so that two of them have something to do with each other. */
export const aVector: fc.Arbitrary<VersionVector> = fc.oneof(
  { weight: 4, arbitrary: vectorOver(fewActors) },
  { weight: 1, arbitrary: vectorOver(anActor) },
);

/** The first and the last dots of each range. */
function someDots(vector: VersionVector): Dot[] {
  const dots = vector.flatMap(({ actor, from = 1, counter }) =>
    [from, from + 1, counter - 1, counter].map((each) => ({ actor, counter: each })),
  );
  return dots.filter((dot, index) => covers(vector, dot) && dots.findIndex((other) => sameDot(other, dot)) === index).sort(compareDots);
}

/** Sets that keep the type's promises (sorted, the context covers every sibling) and no others. A dot names the same value wherever it occurs. */
export const aSet = <V>(valueOf: (dot: Dot) => V): fc.Arbitrary<VersionSet<V>> =>
  aVector.chain((context) =>
    fc.subarray(someDots(context)).map((dots) => ({ context, siblings: dots.slice(0, 6).map((dot) => ({ dot, value: valueOf(dot) })) })),
  );

const aCount = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());

export const aStored: fc.Arbitrary<Stored> = fc
  .record({
    tombstone: fc.boolean(),
    bytes: fc.uint8Array({ maxLength: 40 }),
    contentType: fc.option(fc.constantFrom('text/plain', 'application/json; charset=utf-8'), { nil: undefined }),
    time: fc.record({ ms: aCount, tick: fc.nat() }),
    operation: aByteString(16, 16),
    priority: fc.nat({ max: 255 }),
  })
  .chain((value) =>
    fc.oneof(
      fc.constant(value),
      fc.integer({ min: 1 }).map((expires) => ({ ...value, expires })),
    ),
  );

/** A record whose versions have values of their own. */
export const aRecord: fc.Arbitrary<RecordSet> = fc
  .tuple(
    aSet(() => undefined),
    fc.array(aStored, { minLength: 6, maxLength: 6 }),
  )
  .map(([set, values]) => ({
    context: set.context,
    siblings: set.siblings.map(({ dot }, index) => ({ dot, value: values[index % values.length] as Stored })),
  }));
