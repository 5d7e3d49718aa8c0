/**
 * The bytes of records by hand: the frozen form, and each promise broken under a fitting checksum.
 */

import { describe, expect, it } from 'vitest';

import { hex, Writer } from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import { crc32c } from '../../src/core/hash.ts';
import type { Actor, ByteString, Dot } from '../../src/core/ids.ts';
import { decodeRecord, encoded, encodeRecord, emptyRecord, type RecordSet, type Stored } from '../../src/core/record.ts';

const dot = (actor: string, counter: number): Dot => ({ actor: actor as Actor, counter });

const stored = (text: string): Stored => ({
  tombstone: false,
  bytes: new TextEncoder().encode(text),
  contentType: 'text/plain',
  time: { ms: 1_700_000_000_000, tick: 3 },
  operation: '0123456789abcdef' as ByteString,
  priority: 7,
});

const record: RecordSet = {
  context: [dot('a.0', 2), { ...dot('b.1', 9), from: 4 }],
  siblings: [
    { dot: dot('a.0', 2), value: stored('hello') },
    { dot: dot('b.1', 5), value: { ...stored(''), tombstone: true, contentType: undefined } },
  ],
};

/** A body written by `fill`, behind the format and the n of the bucket, with a checksum that fits. */
function bytesOf(fill: (writer: Writer) => void, format = 1, n = 3): Uint8Array {
  const writer = new Writer().u8(format).u8(n);
  fill(writer);
  return writer.u32(crc32c(writer.written())).finish();
}

function version(writer: Writer, actor: string, counter: number, operation = '0123456789abcdef'): Writer {
  return writer.text(actor).uint(counter).uint(0).bytes(new Uint8Array(1)).text('').uint(1).uint(0).byteString(operation).uint(0);
}

const reasonOf = (bytes: Uint8Array): string => {
  try {
    decodeRecord(bytes);
  } catch (error) {
    if (error instanceof MeshError && error.code === 'RECORD_CORRUPT') return error.message;
    throw error;
  }
  return 'none';
};

describe('the form', () => {
  it('[AE1] is frozen: these bytes are on disks', () => {
    expect(hex(encodeRecord(record))).toEqual(
      '01000203612e30010103622e3104050203612e3002000568656c6c6f0a746578742f706c61696e80d095ffbc310310303132333435363738396162636465660703622e310501000080d095ffbc31031030313233343536373839616263646566073b0a84e1',
    );
    expect(hex(encodeRecord({ ...emptyRecord }))).toEqual('010000009522e17f');
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  it('[ST3] a record is encoded once and remembered', () => {
    const remembering = encoded(record, 3);
    const bytes = encodeRecord(remembering, 3);
    expect(encodeRecord(remembering)).toBe(bytes);
    expect(encoded(remembering, 3)).toBe(remembering);
    expect(decodeRecord(bytes)).toBe(remembering);
    expect(encodeRecord(decodeRecord(bytes.slice()), 2)).not.toEqual(bytes);
  });
});

describe('broken promises under a fitting checksum', () => {
  const good = bytesOf((writer) => version(version(writer.uint(1).text('a').uint(1).uint(2).uint(2), 'a', 1), 'a', 3));

  it('[ST3] are RECORD_CORRUPT', () => {
    expect(reasonOf(good)).toBe('none');
    const cases: Record<string, Uint8Array> = {
      'of another format': bytesOf((writer) => writer.uint(0).uint(0), 2),
      'of a bucket with an n that cannot be': bytesOf((writer) => writer.uint(0).uint(0), 1, 17),
      'siblings out of order': bytesOf((writer) => version(version(writer.uint(1).text('a').uint(1).uint(2).uint(2), 'a', 3), 'a', 1)),
      'a sibling twice': bytesOf((writer) => version(version(writer.uint(1).text('a').uint(1).uint(2).uint(2), 'a', 1), 'a', 1)),
      'a sibling beyond its context': bytesOf((writer) => version(writer.uint(1).text('a').uint(1).uint(2).uint(1), 'a', 4)),
      'a sibling in a gap of its context': bytesOf((writer) =>
        version(writer.uint(2).text('a').uint(1).uint(0).text('a').uint(3).uint(0).uint(1), 'a', 2),
      ),
      'a sibling of an unknown actor': bytesOf((writer) => version(writer.uint(1).text('a').uint(1).uint(2).uint(1), 'b', 1)),
      'actors out of order': bytesOf((writer) => writer.uint(2).text('b').uint(1).uint(0).text('a').uint(1).uint(0).uint(0)),
      'ranges that touch': bytesOf((writer) => writer.uint(2).text('a').uint(1).uint(1).text('a').uint(3).uint(0).uint(0)),
      'ranges that overlap': bytesOf((writer) => writer.uint(2).text('a').uint(1).uint(4).text('a').uint(3).uint(0).uint(0)),
      'a counter of zero': bytesOf((writer) => writer.uint(1).text('a').uint(0).uint(1).uint(0)),
      'a counter beyond the limit': bytesOf((writer) =>
        writer
          .uint(1)
          .text('a')
          .uint(2 ** 48 + 1)
          .uint(0)
          .uint(0),
      ),
      'a range that ends beyond the limit': bytesOf((writer) =>
        writer
          .uint(1)
          .text('a')
          .uint(2 ** 48)
          .uint(1)
          .uint(0),
      ),
      'an actor name beyond the limit': bytesOf((writer) => writer.uint(1).text('a'.repeat(65)).uint(1).uint(0).uint(0)),
      'an operation that is too long': bytesOf((writer) =>
        version(writer.uint(1).text('a').uint(1).uint(0).uint(1), 'a', 1, '0123456789abcdefg'),
      ),
      'fewer siblings than said': bytesOf((writer) => version(writer.uint(1).text('a').uint(1).uint(2).uint(2), 'a', 1)),
      'more siblings than said': bytesOf((writer) => version(version(writer.uint(1).text('a').uint(1).uint(2).uint(1), 'a', 1), 'a', 2)),
      'nothing at all': new Uint8Array(0),
      'a checksum of nothing': new Writer().u32(crc32c(new Uint8Array(0))).finish(),
    };
    for (const [name, bytes] of Object.entries(cases)) expect(reasonOf(bytes), name).toMatch(/^a stored record is damaged: /);
  });

  it('[ST3] a wrong checksum says so', () => {
    const bytes = good.slice();
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    expect(reasonOf(bytes)).toContain('checksum');
  });
});
