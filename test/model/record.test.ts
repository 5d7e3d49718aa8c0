/**
 * Records and their bytes: what is written is read, damage is seen, and there is one form only.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Reader, Writer } from '../../src/core/bytes.ts';
import { compareTimes, type Timestamp } from '../../src/core/clock.ts';
import { MeshError } from '../../src/core/errors.ts';
import { crc32c } from '../../src/core/hash.ts';
import type { Dot } from '../../src/core/ids.ts';
import {
  decodeRecord,
  encodeRecord,
  liveSiblings,
  readVector,
  recordSize,
  type RecordSet,
  type RecordVersion,
  resolve,
  writeVector,
} from '../../src/core/record.ts';
import { compareDots, merge, update } from '../../src/core/versions.ts';
import { anActor, aRecord, aStored, aVector } from './arbitraries.ts';
import { holds } from './property.ts';

/** A copy without the bytes that the record remembers. */
const fresh = (record: RecordSet): RecordSet => ({ context: record.context, siblings: record.siblings });

const corrupt = (bytes: Uint8Array): boolean => {
  try {
    decodeRecord(bytes);
    return false;
  } catch (error) {
    if (error instanceof MeshError && error.code === 'RECORD_CORRUPT') return true;
    throw error;
  }
};

/** The body with a checksum that fits. */
const sealed = (body: Uint8Array): Uint8Array => new Writer().raw(body).u32(crc32c(body)).finish().slice();

describe('the bytes of a record', () => {
  it('[ST3] are read as they were written, also out of the middle of a buffer', () => {
    holds(
      250,
      fc.property(aRecord, fc.nat({ max: 9 }), (record, offset) => {
        const bytes = encodeRecord(record);
        const copy = new Uint8Array(bytes.length + 2 * offset).fill(0xaa);
        copy.set(bytes, offset);
        const read = decodeRecord(copy.subarray(offset, offset + bytes.length));
        expect(read).toEqual(record);
        expect([...encodeRecord(fresh(read))]).toEqual([...bytes]);
      }),
    );
  });

  it('[ST3] each flipped bit, each shorter and each longer form is RECORD_CORRUPT', () => {
    holds(
      15,
      fc.property(aRecord, fc.uint8Array({ minLength: 1, maxLength: 8 }), (record, more) => {
        const bytes = encodeRecord(record).slice();
        let unseen = 0;
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = bytes.slice();
          flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
          if (!corrupt(flipped)) unseen++;
        }
        for (let length = 0; length < bytes.length; length++) if (!corrupt(bytes.slice(0, length))) unseen++;
        expect(unseen).toBe(0);
        expect(corrupt(new Writer().raw(bytes).raw(more).finish())).toBe(true);
      }),
    );
  });

  it('[ST3] [SE4] whatever has a fitting checksum is a record in its only form, or RECORD_CORRUPT', () => {
    let valid = 0;
    const change = fc.record({
      at: fc.nat(),
      value: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff)),
      remove: fc.nat({ max: 3 }),
      insert: fc.nat({ max: 1 }),
    });
    holds(
      1500,
      fc.property(aRecord, fc.array(change, { minLength: 1, maxLength: 2 }), (record, changes) => {
        const body = [...encodeRecord(record).slice(0, -4)];
        for (const { at, value, remove, insert } of changes)
          body.splice(at % (body.length + 1), Math.max(0, remove - 1), ...(insert ? [value] : []));
        const bytes = sealed(Uint8Array.from(body));
        if (corrupt(bytes)) return;
        valid++;
        expect([...encodeRecord(fresh(decodeRecord(bytes)), bytes[1])]).toEqual([...bytes]);
      }),
    );
    expect(valid).toBeGreaterThan(15);
  });

  it('[ST3] what can be read can be merged, changed and read again', () => {
    holds(
      300,
      fc.property(aRecord, aRecord, aVector, aStored, anActor, (a, b, context, value, actor) => {
        const small = (record: RecordSet): RecordSet => decodeRecord(encodeRecord(fresh(record)));
        const merged = merge(small(a), small(b));
        expect(decodeRecord(encodeRecord(merged))).toEqual(merged);
        const { set, dot } = update(merged, context, actor, value);
        fc.pre(dot.counter <= 2 ** 48);
        expect(decodeRecord(encodeRecord(set))).toEqual(set);
      }),
    );
  });

  it('[VR8] vectors keep their ranges, whatever the actors are called', () => {
    holds(
      500,
      fc.property(aVector, (vector) => {
        const writer = new Writer();
        writeVector(writer, vector);
        const reader = new Reader(writer.finish());
        expect(readVector(reader)).toEqual(vector);
        reader.end();
      }),
    );
  });
});

describe('what a record holds', () => {
  it('[VR7] last write wins: the latest time, ties by dot; priority: the highest, then the latest; siblings: all', () => {
    const later = (a: RecordVersion, b: RecordVersion): number => compareTimes(a.value.time, b.value.time) || compareDots(a.dot, b.dot);
    const aTime = fc.record({ ms: fc.nat({ max: 2 }), tick: fc.nat({ max: 1 }) });
    const values = fc.array(fc.tuple(aTime, fc.nat({ max: 2 })), { minLength: 6, maxLength: 6 });
    holds(
      500,
      fc.property(aRecord, values, (record, drawn) => {
        const siblings = record.siblings.map(({ dot, value }, index) => {
          const [time, priority] = drawn[index] as [Timestamp, number];
          return { dot, value: { ...value, time, priority } };
        });
        const set = { context: record.context, siblings };
        const [latest] = [...siblings].sort((a, b) => -later(a, b));
        const [first] = [...siblings].sort((a, b) => b.value.priority - a.value.priority || -later(a, b));
        const dots = (resolved: RecordSet): Dot[] => resolved.siblings.map((version) => version.dot);
        expect(dots(resolve(set, 'lww'))).toEqual(latest === undefined ? [] : [latest.dot]);
        expect(dots(resolve(set, 'priority'))).toEqual(first === undefined ? [] : [first.dot]);
        expect(resolve(set, 'siblings')).toBe(set);
        expect(resolve(set, 'lww').context).toEqual(set.context);
      }),
    );
  });

  it('[TS1] a tombstone is a version that is not alive', () => {
    holds(
      200,
      fc.property(aRecord, (record) => {
        expect(liveSiblings(record, 0)).toEqual(record.siblings.filter((version) => !version.value.tombstone));
        expect(recordSize(record)).toBe(record.siblings.map((version) => version.value.bytes.length).reduce((sum, size) => sum + size, 0));
      }),
    );
  });
});
