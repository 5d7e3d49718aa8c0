/**
 * The Merkle tree against one that is computed from all records every time.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { textToBytes, toByteString } from '../../src/core/bytes.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { ByteString } from '../../src/core/ids.ts';
import { combine, innerCount, leafCount, leafOf, MerkleTree, recordDigest } from '../../src/core/merkle.ts';
import { emptyRecord, type RecordSet } from '../../src/core/record.ts';
import { partitionOf } from '../../src/core/ring.ts';
import { aRecord } from './arbitraries.ts';
import { holds } from './property.ts';

const partitions = 16;
const empty = '\0'.repeat(16) as ByteString;
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Sixteen bytes of the hash of the children that are not empty, each behind its number; a node over nothing is nothing. */
const naiveNode = (children: readonly string[]): string => {
  const filled = children.flatMap((child, index) => (child === empty ? [] : [[index, ...bytesOf(child)]]));
  return filled.length === 0 ? empty : toByteString(sha256(Uint8Array.from(filled.flat())).slice(0, 16));
};

function naiveTree(records: ReadonlyMap<string, RecordSet>): { leaves: string[]; inner: string[]; root: string } {
  const sums = Array.from({ length: leafCount }, () => new Uint8Array(16));
  for (const [key, record] of records) {
    const address = addressOf('b', textToBytes(key));
    const digest = bytesOf(recordDigest(address, record));
    const sum = sums[leafOf(address.position, partitions)] as Uint8Array;
    for (let i = 0; i < 16; i++) sum[i] = (sum[i] as number) ^ (digest[i] as number);
  }
  const leaves = sums.map((sum) => toByteString(sum) as string);
  const inner = Array.from({ length: innerCount }, (_, node) => naiveNode(leaves.slice(node * 16, node * 16 + 16)));
  return { leaves, inner, root: naiveNode(inner) };
}

/** What a peer does with each change: the old digest out, the new one in. */
function apply(tree: MerkleTree, records: Map<string, RecordSet>, key: string, next: RecordSet): void {
  const address = addressOf('b', textToBytes(key));
  const before = records.get(key) ?? emptyRecord;
  const leaf = leafOf(address.position, partitions);
  tree.toggle(leaf, recordDigest(address, before));
  tree.toggle(leaf, recordDigest(address, next));
  if (next.context.length === 0) records.delete(key);
  else records.set(key, next);
}

const leavesOf = (tree: MerkleTree): string[] => Array.from({ length: leafCount }, (_, index) => tree.leaf(index));

const aChange = fc.tuple(
  fc.nat({ max: 12 }).map((index) => `key-${index}`),
  fc.oneof({ weight: 4, arbitrary: aRecord }, { weight: 1, arbitrary: fc.constant(emptyRecord) }),
);
const someChanges = fc.array(aChange, { maxLength: 25 });

describe('the tree', () => {
  it('[AE1] leaves, inner nodes and root are those of the records, whatever changes led there', () => {
    holds(
      150,
      fc.property(someChanges, (changes) => {
        const tree = new MerkleTree();
        const records = new Map<string, RecordSet>();
        for (const [key, next] of changes) {
          apply(tree, records, key, next);
          // Asking in between must not leave an old answer behind.
          if (key === 'key-1') expect(tree.root).toBe(naiveTree(records).root);
        }
        const expected = naiveTree(records);
        expect(leavesOf(tree)).toEqual(expected.leaves);
        expect(tree.inner()).toEqual(expected.inner);
        expect(tree.root).toBe(expected.root);
        for (let node = 0; node < innerCount; node++)
          expect(tree.leavesUnder(node)).toEqual(expected.leaves.slice(node * 16, node * 16 + 16));
      }),
    );
  });

  it('[AE1] the same content in any order gives the same root; taking everything out gives the empty tree', () => {
    const content = fc.uniqueArray(aChange, { selector: ([key]) => key, maxLength: 12 });
    holds(
      150,
      fc.property(
        content.chain((items) => fc.tuple(fc.constant(items), fc.shuffledSubarray(items, { minLength: items.length }))),
        ([items, shuffled]) => {
          const [one, other] = [new MerkleTree(), new MerkleTree()];
          const records = new Map<string, RecordSet>();
          for (const [key, next] of items) apply(one, records, key, next);
          for (const [key, next] of shuffled) apply(other, new Map(), key, next);
          expect(other.root).toBe(one.root);
          for (const key of records.keys()) apply(one, new Map(records), key, emptyRecord);
          expect(one.root).toBe(empty);
          expect(one.root).toBe(new MerkleTree().root);
        },
      ),
    );
  });

  it('[AE2] one different record changes its leaf, the inner node above it and the root, and nothing else', () => {
    holds(
      150,
      fc.property(someChanges, fc.string({ minLength: 1, maxLength: 8 }), aRecord, (changes, key, record) => {
        fc.pre(record.context.length > 0);
        const [one, other] = [new MerkleTree(), new MerkleTree()];
        const records = new Map<string, RecordSet>();
        for (const [name, next] of changes) {
          apply(one, new Map(records), name, next);
          apply(other, records, name, next);
        }
        const extra = `other-${key}`;
        apply(other, records, extra, record);
        const leaf = leafOf(addressOf('b', textToBytes(extra)).position, partitions);
        const changed = (a: readonly string[], b: readonly string[]): number[] =>
          a.flatMap((digest, index) => (digest === b[index] ? [] : [index]));
        expect(changed(leavesOf(one), leavesOf(other))).toEqual([leaf]);
        expect(changed(one.inner(), other.inner())).toEqual([Math.floor(leaf / 16)]);
        expect(one.root).not.toBe(other.root);
      }),
    );
  });

  it('[AE1] a digest that is put in and taken out leaves nothing, in any order, and the stored leaf is the one returned', () => {
    const digest = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toByteString);
    holds(
      300,
      fc.property(fc.nat({ max: leafCount - 1 }), digest, digest, digest, (leaf, a, b, c) => {
        const tree = new MerkleTree();
        tree.setLeaf(leaf, a);
        const { root } = tree;
        expect(tree.toggle(leaf, b)).toBe(tree.leaf(leaf));
        expect(tree.root === root).toBe(b === empty);
        tree.toggle(leaf, c);
        tree.toggle(leaf, empty);
        tree.toggle(leaf, b);
        expect(tree.toggle(leaf, c)).toBe(a);
        expect(tree.root).toBe(root);
        expect(tree.toggle(leaf, a)).toBe(empty);
        expect(tree.root).toBe(empty);
      }),
    );
  });
});

describe('several trees', () => {
  it('[AE2] one digest for all: a single tree stands for itself, empty ones do not count, any change shows', () => {
    const digest = fc.oneof(fc.constant(empty), fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toByteString));
    holds(
      300,
      fc.property(fc.array(digest, { maxLength: 4 }), digest, fc.nat(), (roots, other, at) => {
        const filled = roots.filter((root) => root !== empty);
        expect(combine(roots)).toBe(combine(filled));
        expect(combine([other])).toBe(other);
        if (filled.length < 2) expect(combine(roots)).toBe(filled[0] ?? empty);
        const index = at % Math.max(1, filled.length);
        if (filled.length > 1 && filled[index] !== other) expect(combine(filled.with(index, other))).not.toBe(combine(filled));
      }),
    );
  });
});

describe('leaves', () => {
  it('[AE1] a leaf is the slice of its partition that the position falls into', () => {
    const position = fc.oneof(fc.nat({ max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, 2 ** 24 - 1, 2 ** 24, 2 ** 31, 2 ** 32 - 1));
    holds(
      500,
      fc.property(position, fc.constantFrom(2, 16, 4096, 65_536), (at, count) => {
        const leaf = leafOf(at, count);
        const leafSpan = 2 ** 32 / count / leafCount;
        const start = (partitionOf({ partitions: count }, at) * leafCount + leaf) * leafSpan;
        expect(Number.isInteger(leaf) && leaf >= 0 && leaf < leafCount).toBe(true);
        expect(start <= at && at < start + leafSpan).toBe(true);
      }),
    );
  });
});

describe('record digests', () => {
  it('[AE1] name bucket, key, context and dots; values and their order of arrival do not matter', () => {
    holds(
      300,
      fc.property(aRecord, aRecord, (a, b) => {
        const address = addressOf('b', textToBytes('key'));
        const clockOf = (record: RecordSet): string => JSON.stringify([record.context, record.siblings.map((version) => version.dot)]);
        expect(recordDigest(address, a) === recordDigest(address, b)).toBe(
          clockOf(a) === clockOf(b) || (a.context.length === 0 && b.context.length === 0),
        );
        const otherValues = {
          context: a.context,
          siblings: a.siblings.map(({ dot, value }) => ({ dot, value: { ...value, bytes: Uint8Array.of(1, 2, 3) } })),
        };
        expect(recordDigest(address, otherValues)).toBe(recordDigest(address, a));
        fc.pre(a.context.length > 0);
        for (let without = 0; without < a.siblings.length; without++) {
          const fewer = { context: a.context, siblings: a.siblings.toSpliced(without, 1) };
          expect(recordDigest(address, fewer)).not.toBe(recordDigest(address, a));
        }
        expect(recordDigest(addressOf('b2', textToBytes('key')), a)).not.toBe(recordDigest(address, a));
        expect(recordDigest(addressOf('b', textToBytes('key2')), a)).not.toBe(recordDigest(address, a));
        expect(recordDigest(addressOf('bk', textToBytes('ey')), a)).not.toBe(recordDigest(address, a));
      }),
    );
  });

  it('[AE1] a record that does not exist has the digest of nothing', () => {
    expect(recordDigest(addressOf('b', textToBytes('key')), emptyRecord)).toBe(empty);
  });
});
