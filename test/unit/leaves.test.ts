/** The records of Merkle leaves: many leaves are read in few requests, and what does not add up is counted anew. */

import { beforeAll, describe, expect, it } from 'vitest';

import { recordKey } from '../../src/core/layout.ts';
import { leafCount, leafNumber, leafOf, recordDigest } from '../../src/core/merkle.ts';
import { partitionOf } from '../../src/core/ring.ts';
import { addressOfKey, command, neighbours, OneReplica, outcome, partitions } from './support/one-replica.ts';

const n = 3;
const keys = Array.from({ length: 500 }, (_, index) => `key ${index}`);
const allLeaves = Array.from({ length: partitions * leafCount }, (_, leaf) => leaf);

function leafOfKey(key: string): number {
  const { position } = addressOfKey(key);
  return leafNumber(partitionOf({ partitions }, position), leafOf(position, partitions));
}

describe('the records of some leaves', () => {
  let one: OneReplica;
  let ranges = 0;
  beforeAll(() => {
    one = new OneReplica('s');
    for (const key of keys) one.put(command(key, 'v'));
    one.disk.fails = (request) => {
      if (request.type === 'range') ranges++;
      return false;
    };
  });

  function namesIn(leaves: readonly number[]): string[] {
    ranges = 0;
    const { outcome: found, done } = outcome<readonly { address: { key: string }; digest: string }[]>();
    one.replica.records.inLeaves(one.disk.now, leaves, n, done);
    one.disk.run();
    if (found.value === undefined) throw found.error ?? new Error('the leaves were not read to the end');
    return found.value.map(({ address, digest }) => `${address.key} ${digest}`).sort();
  }

  const namesOf = (some: readonly string[]): string[] =>
    some.map((key) => `${addressOfKey(key).key} ${recordDigest(addressOfKey(key), one.stored(key))}`).sort();

  it('[AE2] are those of exactly these leaves, in whatever order they are asked for', () => {
    for (const step of [1, 2, 7, 100]) {
      const leaves = allLeaves.filter((leaf) => leaf % step === 0);
      const expected = namesOf(keys.filter((key) => leaves.includes(leafOfKey(key))));
      expect(namesIn(leaves)).toEqual(expected);
      expect(namesIn([...leaves].reverse())).toEqual(expected);
    }
    expect(namesIn([])).toEqual([]);
  });

  it('[AE2] of leaves that lie side by side are read a page at a time, and a leaf far away by itself', () => {
    namesIn(allLeaves);
    // A page has 200 records.
    expect(ranges).toBe(partitions + Math.floor(keys.length / 200));
    namesIn([0, leafCount - 1]);
    expect(ranges).toBe(2);
  });

  it('[AE1] that do not add up to their leaf are counted anew', () => {
    const [gone, kept] = neighbours();
    const before = new OneReplica('s');
    for (const key of [gone, kept]) before.put(command(key, 'v'));
    const after = before.restart();
    after.disk.rows.delete(recordKey(addressOfKey(gone)));
    const wrongLeaves = (): string[] => after.inconsistencies([gone, kept]).filter((what) => what.startsWith('leaf'));
    expect(wrongLeaves()).not.toEqual([]);
    const { outcome: found, done } = outcome<readonly unknown[]>();
    const leaf = leafOfKey(gone);
    after.replica.records.trees.tree(after.disk.now, Math.floor(leaf / leafCount), n, (now) =>
      after.replica.records.inLeaves(now, [leaf], n, done),
    );
    after.disk.run();
    expect(found.value).toHaveLength(1);
    expect(wrongLeaves()).toEqual([]);
  });
});
