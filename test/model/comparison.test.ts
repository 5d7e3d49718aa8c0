/**
 * Comparing the trees of two peers: the descent finds exactly the leaves that differ among the partitions that both hold, and asks for little.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import { Comparison } from '../../src/core/comparison.ts';
import { MeshError } from '../../src/core/errors.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { Actor, ByteString, PeerId } from '../../src/core/ids.ts';
import { leafCount, leafOf } from '../../src/core/merkle.ts';
import type { CompareLevel } from '../../src/core/messages.ts';
import type { RecordSet } from '../../src/core/record.ts';
import { partitionOf } from '../../src/core/ring.ts';
import { Trees } from '../../src/core/trees.ts';
import { placementOf } from '../unit/support/placements.ts';
import { MemoryDisk } from '../unit/support/memory-disk.ts';
import { holds } from './property.ts';

const n = 2;
const partitions = 128;
const peers = ['p1', 'p2', 'p3'] as PeerId[];
const placement = placementOf(
  'compare',
  peers.map((peer) => ({ peer, host: peer, class: 'server' as const, weight: 8 })),
  { partitions, durableMin: 0 },
);
const pair = [peers[0], peers[1]] as [PeerId, PeerId];
const shared = Array.from({ length: partitions }, (_, partition) => partition).filter((partition) =>
  pair.every((peer) => placement.primaries(partition, n).includes(peer)),
);
const none: RecordSet = { context: [], siblings: [] };

/** The trees of a peer that holds these keys, each with the given counter. */
function comparisonOf(keys: ReadonlyMap<string, number>, written: 'in memory' | 'on disk'): Comparison {
  const disk = new MemoryDisk();
  const trees = new Trees(disk.disk, partitions);
  for (const [key, counter] of keys) {
    const address = addressOf('b', textToBytes(key));
    trees.tree(disk.now, partitionOf({ partitions }, address.position), n, () => {});
    disk.run();
    const record = { context: [{ actor: 'a' as Actor, counter }], siblings: [] };
    for (const { key: row, value } of trees.replace(address, { n: 0, record: none }, { n, record }))
      if (value !== undefined) disk.rows.set(row, value);
  }
  const read = written === 'in memory' ? trees : new Trees(disk.disk, partitions);
  read.start(() => {});
  disk.run();
  const opened: (Comparison | MeshError)[] = [];
  Comparison.open(disk.now, read, placement, pair, n, (_, result) => void opened.push(result));
  disk.run();
  expect(opened.length).toBe(1);
  const [comparison] = opened;
  if (comparison === undefined || comparison instanceof MeshError) throw new Error('the trees were not read');
  return comparison;
}

/** The leaves, numbered across partitions, at which the descent arrives; and how many nodes it has asked about. */
function descend(ours: Comparison, theirs: Comparison): { leaves: number[]; asked: number } {
  let nodes = [0];
  let asked = 0;
  for (const level of ['all', 'group', 'partition', 'inner'] as const satisfies readonly CompareLevel[]) {
    asked += nodes.length;
    const digests: ByteString[] = nodes.flatMap((node) => theirs.below(level, node));
    nodes = ours.different(level, nodes, digests);
  }
  return { leaves: nodes, asked };
}

const leafNumber = (key: string): number => {
  const { position } = addressOf('b', textToBytes(key));
  return partitionOf({ partitions }, position) * leafCount + leafOf(position, partitions);
};

const content = fc
  .dictionary(
    fc.nat({ max: 60 }).map((index) => `key-${index}`),
    fc.integer({ min: 1, max: 3 }),
    { maxKeys: 40 },
  )
  .map((keys) => new Map(Object.entries(keys)));

describe('comparing', () => {
  it('[AE2] the descent finds the leaves with a difference in the shared partitions, and no others', () => {
    let found = 0;
    holds(
      60,
      fc.property(
        content,
        content,
        fc.constantFrom('in memory' as const, 'on disk' as const),
        fc.boolean(),
        (one, other, written, nearlySame) => {
          const theirContent = nearlySame ? new Map([...one, ...[...other].slice(0, 1)]) : other;
          const [ours, theirs] = [comparisonOf(one, written), comparisonOf(theirContent, 'in memory')];
          const keys = [...new Set([...one.keys(), ...theirContent.keys()])];
          const differing = keys.filter((key) => one.get(key) !== theirContent.get(key)).map(leafNumber);
          const expected = [...new Set(differing)].filter((leaf) => shared.includes(Math.floor(leaf / leafCount))).sort((a, b) => a - b);
          const { leaves, asked } = descend(ours, theirs);
          expect(leaves).toEqual(expected);
          expect(descend(theirs, ours).leaves).toEqual(expected);
          expect(asked).toBeLessThanOrEqual(1 + 3 * expected.length);
          expect(ours.digest === theirs.digest).toBe(expected.length === 0);
          found += expected.length;
        },
      ),
    );
    expect(found).toBeGreaterThan(50);
    expect(shared.length).toBeGreaterThan(10);
    expect(shared.length).toBeLessThan(partitions - 10);
  });

  it('[SE4] nodes that do not exist are empty, and a short answer differs everywhere', () => {
    const ours = comparisonOf(new Map([['key-1', 1]]), 'in memory');
    for (const level of ['all', 'group', 'partition', 'inner'] as const) {
      const below = ours.below(level, Number.MAX_SAFE_INTEGER);
      expect(below.length).toBeLessThanOrEqual(64);
      expect(ours.different(level, [5], []).length).toBe(ours.below(level, 5).length);
    }
  });
});
