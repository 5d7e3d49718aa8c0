/** What is said not to be there is never there, against a plain set. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundsOf, RecordFilter } from '../../src/adapters/level-filter.ts';
import { u32Bytes } from '../../src/core/bytes.ts';
import type { ByteString } from '../../src/core/ids.ts';

const record = (position: number, name = 'bucket\0key'): ByteString => `r${u32Bytes(position)}${name}` as ByteString;
const anyPosition = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** All that was there before the filter, as a store brings it, up to a piece. */
function filledTo(end: number, stored: readonly ByteString[]): RecordFilter {
  const filter = new RecordFilter();
  while (filter.completeTo < end) {
    const { from, to } = boundsOf(filter.completeTo);
    for (const key of stored) if (key >= from && key < to) filter.add(key);
    filter.completePiece();
  }
  return filter;
}

it('[VR4] a record that was stored before or is written since may always be there', () => {
  const records = fc.array(anyPosition.map((position) => record(position)));
  fc.assert(
    fc.property(records, records, fc.integer({ min: 0, max: 256 }), (stored, written, end) => {
      const filter = filledTo(end, stored);
      for (const key of written) filter.add(key);
      for (const key of [...stored, ...written]) expect(filter.mayHave(key)).toBe(true);
    }),
    { numRuns: 20 },
  );
});

it('[VR4] of pieces that are not complete, and of keys that are no records, all may be there', () => {
  const filter = filledTo(128, []);
  expect([record(0), record(2 ** 31 - 1), record(2 ** 31)].map((key) => filter.mayHave(key))).toEqual([false, false, true]);
  for (const key of ['', 'r', 'r\0\0\0', 'kbucket\0key', 't\x03\0\0\0', 'mstore']) expect(filter.mayHave(key as ByteString)).toBe(true);
});

it('of other records nearly all are known not to be there, also where all lie in a small part of the ring', () => {
  const share = 2 ** 32 / 64;
  const scattered = (index: number): number => (Math.imul(index, 2_654_435_761) >>> 0) % share;
  const filter = filledTo(256, []);
  for (let index = 0; index < 20_000; index++) filter.add(record(scattered(index)));
  let wrong = 0;
  for (let index = 20_000; index < 40_000; index++) if (filter.mayHave(record(scattered(index)))) wrong++;
  expect(wrong).toBeLessThan(100);
});

it('the pieces cover all records, each once', () => {
  const { from } = boundsOf(0);
  expect(from <= record(0)).toBe(true);
  for (let piece = 0; piece < 255; piece++) expect(boundsOf(piece).to).toBe(boundsOf(piece + 1).from);
  expect(boundsOf(255).to > record(2 ** 32 - 1, '\u00ff')).toBe(true);
});
