/**
 * Storage keys: names come back out of them, and a range holds exactly the keys that it is for. The store here is a sorted list.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import type { StorageRange } from '../../src/core/disk.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { ByteString, PeerId } from '../../src/core/ids.ts';
import {
  addressOfRecordKey,
  hintKey,
  hintOfKey,
  indexKey,
  keyOfIndex,
  keysRange,
  leafKey,
  leafOfKey,
  leavesRange,
  memberKey,
  metaKey,
  partitionOfLeafKey,
  prefixEnd,
  prefixRange,
  recordKey,
  recordName,
  recordsRange,
  treesRange,
} from '../../src/core/layout.ts';
import { leafCount, leafNumber, leafOf } from '../../src/core/merkle.ts';
import { partitionOf } from '../../src/core/ring.ts';
import { aByteString, aKey } from './arbitraries.ts';
import { holds } from './property.ts';

const aBucket = fc.constantFrom('a', 'ab', 'b', '__proto__', '..', 'A-Z_0.9');
const aPeer = fc.constantFrom('12D3KooWA', '12D3KooWB', '12D3KooWA2', '__proto__').map((name) => name as PeerId);
const anAddress = fc.tuple(aBucket, aKey).map(([bucket, key]) => addressOf(bucket, key));
/** Keys over a small alphabet of hard bytes, so that they are each other's prefixes. */
const aNearKey = fc
  .array(fc.constantFrom('\0', '\x01', 'a', '\xfe', '\xff'), { minLength: 1, maxLength: 4 })
  .map((letters) => letters.join('') as ByteString);

const inRange = ({ from, to }: StorageRange, key: ByteString): boolean => from <= key && key < to;
const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'));

describe('names', () => {
  it('[VR8] bucket, key and owner come back out of storage keys', () => {
    holds(
      500,
      fc.property(anAddress, aPeer, (address, owner) => {
        expect(addressOfRecordKey(recordKey(address))).toEqual(address);
        expect(hintOfKey(hintKey(owner, address))).toEqual({ owner, address });
        expect(keyOfIndex(address.bucket, indexKey(address))).toBe(address.key);
      }),
    );
  });

  it('[VR8] an owner whose name is not ASCII comes back as well; what is no hint is none', () => {
    const address = addressOf('b', 'k' as ByteString);
    expect(hintOfKey(hintKey('pé\ud800' as PeerId, address))).toEqual({ owner: 'pé\ud800', address });
    for (const key of ['h', 'habc', 'habc\0', 'habc\0b', 'h\xff\0b\0k']) expect(hintOfKey(key as ByteString), key).toBeUndefined();
    expect(addressOfRecordKey('r\0\0\0\0bucket' as ByteString)).toBeUndefined();
  });

  it('[VR8] different records have different keys of every kind, and no kind runs into another', () => {
    holds(
      500,
      fc.property(anAddress, anAddress, aPeer, aPeer, (a, b, one, other) => {
        const same = a.bucket === b.bucket && a.key === b.key;
        expect(recordKey(a) === recordKey(b)).toBe(same);
        expect(indexKey(a) === indexKey(b)).toBe(same);
        expect(recordName(a.bucket, a.key) === recordName(b.bucket, b.key)).toBe(same);
        expect(hintKey(one, a) === hintKey(other, b)).toBe(same && one === other);
        const kinds = [recordKey(a), indexKey(a), leafKey(3, 7, 9), hintKey(one, a), metaKey('store'), memberKey(one)];
        expect(kinds.map((key) => key[0]).join('')).toBe('rkthmm');
        expect(memberKey(one) === metaKey('store') || memberKey(one) === metaKey('cluster')).toBe(false);
      }),
    );
  });

  it('[AE1] leaf keys name n, partition and leaf', () => {
    holds(
      300,
      fc.property(fc.integer({ min: 1, max: 16 }), fc.nat({ max: 65_535 }), fc.nat({ max: leafCount - 1 }), (n, partition, leaf) => {
        const key = leafKey(n, partition, leaf);
        expect([partitionOfLeafKey(key), leafOfKey(key)]).toEqual([partition, leaf]);
        for (let other = 1; other <= 16; other++) expect(inRange(treesRange(other), key)).toBe(other === n);
      }),
    );
  });
});

describe('ranges', () => {
  it('[VR8] the end of a prefix is the least key beyond all that begin with it', () => {
    holds(
      1000,
      fc.property(aNearKey, aNearKey, (rest, other) => {
        const prefix = `k${rest}` as ByteString;
        const key = `k${other}` as ByteString;
        const range = prefixRange(prefix, 10);
        expect(inRange(range, key)).toBe(key.startsWith(prefix));
        expect(inRange(range, `${prefix}${'\xff'.repeat(9)}` as ByteString)).toBe(true);
        expect(prefixEnd(prefix).startsWith(prefix)).toBe(false);
        expect(/^[\0-\u00ff]*$/.test(prefixEnd(prefix))).toBe(true);
      }),
    );
  });

  it('[AE1] records lie in the order of partition, leaf and position; a partition and a leaf are each one range', () => {
    holds(
      300,
      fc.property(anAddress, anAddress, fc.constantFrom(2, 16, 4096, 65_536), (a, b, partitions) => {
        if (a.position !== b.position) expect(recordKey(a) < recordKey(b)).toBe(a.position < b.position);
        const partition = partitionOf({ partitions }, a.position);
        const leaf = leafOf(a.position, partitions);
        expect(inRange(recordsRange(partition, partitions, 10), recordKey(b))).toBe(partitionOf({ partitions }, b.position) === partition);
        expect(inRange(recordsRange(partition, partitions, 10), recordKey(a))).toBe(true);
        const sameLeaf = partitionOf({ partitions }, b.position) === partition && leafOf(b.position, partitions) === leaf;
        expect(inRange(leavesRange(leafNumber(partition, leaf), leafNumber(partition, leaf), partitions, 10), recordKey(b))).toBe(sameLeaf);
        expect(inRange(leavesRange(leafNumber(partition, leaf), leafNumber(partition, leaf), partitions, 10), recordKey(a))).toBe(true);
        const onwards = recordsRange(partition, partitions, 10, recordKey(a));
        expect(inRange(onwards, recordKey(a))).toBe(false);
        expect(inRange(onwards, recordKey(b))).toBe(
          inRange(recordsRange(partition, partitions, 10), recordKey(b)) && recordKey(b) > recordKey(a),
        );
      }),
    );
  });

  it('[AE1] the ranges of all partitions, and of all leaves, meet without a gap and hold only records', () => {
    for (const partitions of [2, 64]) {
      const ranges = Array.from({ length: partitions }, (_, partition) => recordsRange(partition, partitions, 10));
      expect(ranges[0]?.from).toBe('r\0\0\0\0');
      expect(ranges.at(-1)?.to).toBe('s');
      for (let i = 1; i < partitions; i++) expect(ranges[i]?.from).toBe(ranges[i - 1]?.to);
      const leaves = ranges.flatMap((_, partition) =>
        Array.from({ length: leafCount }, (__, leaf) =>
          leavesRange(leafNumber(partition, leaf), leafNumber(partition, leaf), partitions, 10),
        ),
      );
      for (let i = 1; i < leaves.length; i++) if (leaves[i]?.from !== leaves[i - 1]?.to) expect.unreachable(`a gap before leaf ${i}`);
      expect([leaves[0]?.from, leaves.at(-1)?.to]).toEqual(['r\0\0\0\0', 's']);
    }
  });

  it('[VR8] listing a bucket by prefix and cursor gives the keys in bytewise order, page by page, and no other bucket', () => {
    const stored = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'ab', 'b'), aNearKey), {
      selector: ([bucket, key]) => `${bucket}/${key}`,
      maxLength: 20,
    });
    holds(
      500,
      fc.property(
        stored,
        fc.constantFrom('a', 'ab', 'b'),
        fc.oneof(fc.constant('' as ByteString), aNearKey),
        fc.option(aNearKey, { nil: undefined }),
        (items, bucket, prefix, after) => {
          const rows = items.map(([name, key]) => indexKey(addressOf(name, key)));
          const range = keysRange(bucket, prefix, after, 100);
          const listed = rows
            .filter((row) => inRange(range, row))
            .sort(bytewise)
            .map((row) => keyOfIndex(bucket, row));
          const expected = items
            .filter(([name, key]) => name === bucket && key.startsWith(prefix) && (after === undefined || key > after))
            .map(([, key]) => key);
          expect(listed).toEqual(expected.sort(bytewise));
          expect(range.from <= range.to).toBe(true);
        },
      ),
    );
  });

  it('[HH1] the hints of an owner are one range', () => {
    holds(
      300,
      fc.property(aPeer, aPeer, aBucket, aByteString(1, 5), (owner, other, bucket, key) => {
        const range = prefixRange(`h${textToBytes(owner)}\0`, 10);
        expect(inRange(range, hintKey(other, addressOf(bucket, key)))).toBe(owner === other);
      }),
    );
  });
});
