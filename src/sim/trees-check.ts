/**
 * Merkle trees tell the truth: each leaf that a peer keeps is what its records in that leaf make it, after all crashes (AE1). Roots that agree mean nothing
 * without this.
 */

import { textToBytes } from '../core/bytes.ts';
import { addressOf } from '../core/hash.ts';
import { leafOf, MerkleTree, recordDigest } from '../core/merkle.ts';
import { partitionOf } from '../core/ring.ts';
import { MeshError } from '../core/errors.ts';
import type { Violation } from './checker/violation.ts';
import { bucket } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';

/**
 * Looks at the leaves that these keys fall into, at the primaries: what others keep for them is compared with nobody, and a doubt about it need not outlive its
 * holder.
 */
export function checkTrees(cluster: Cluster, keys: readonly string[], partitions: number, n: number): Violation[] {
  const violations: Violation[] = [];
  const leaves = new Map<string, { partition: number; leaf: number }>();
  const placement = cluster.peers.find((peer) => peer.serving)?.core?.membership.placement;
  for (const key of keys) {
    const { position } = addressOf(bucket, textToBytes(key));
    const place = { partition: partitionOf({ partitions }, position), leaf: leafOf(position, partitions) };
    leaves.set(`${place.partition}/${place.leaf}`, place);
  }
  let open = 0;
  for (const peer of cluster.peers) {
    for (const { partition, leaf } of leaves.values()) {
      if (placement?.primaries(partition, n).includes(peer.id) === false) continue;
      open++;
      checkLeaf(peer, partition, leaf, n, (message) => {
        open--;
        if (message !== undefined) violations.push({ check: 'trees', key: String(partition), message });
      });
    }
  }
  cluster.world.runUntil(() => open === 0, 60_000);
  if (open > 0) violations.push({ check: 'trees', key: '', message: `${open} leaves could not be read` });
  return violations;
}

function checkLeaf(peer: SimPeer, partition: number, leaf: number, n: number, done: (message: string | undefined) => void): void {
  peer.inspect((core, now) => {
    const { records } = core.replica;
    records.trees.tree(now, partition, n, (_, tree) => {
      if (tree instanceof MeshError) return done(`${peer.id} cannot read the tree of partition ${partition}: ${tree.message}`);
      records.inLeaf(partition, leaf, n, (_then, found) => {
        if (found instanceof MeshError) return done(`${peer.id} cannot read leaf ${leaf} of partition ${partition}: ${found.message}`);
        const expected = new MerkleTree();
        for (const { address, record } of found) expected.toggle(leaf, recordDigest(address, record));
        done(
          tree.leaf(leaf) === expected.leaf(leaf)
            ? undefined
            : `leaf ${leaf} of partition ${partition} at ${peer.id} is not what its ${found.length} records make it`,
        );
      });
    });
  });
}
