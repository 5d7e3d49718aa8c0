/**
 * Merkle trees tell the truth: each leaf that a peer keeps is what its records in that leaf make it, after all crashes (AE1). Roots that agree mean nothing
 * without this.
 */

import { textToBytes } from '../core/bytes.ts';
import { addressOf } from '../core/hash.ts';
import { leafNumber, leafOf, MerkleTree } from '../core/merkle.ts';
import { partitionOf } from '../core/ring.ts';
import { MeshError } from '../core/errors.ts';
import type { Address } from '../core/ids.ts';
import type { Violation } from './checker/violation.ts';
import { bucket } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';

const busyMs = 50;

interface Leaf {
  readonly partition: number;
  readonly leaf: number;
  /** Of the keys that fall into it. */
  readonly addresses: readonly Address[];
}

/**
 * Looks at the leaves that these keys fall into, at the primaries: what others keep for them is compared with nobody, and a doubt about it need not outlive its
 * holder.
 */
export function checkTrees(cluster: Cluster, keys: readonly string[], partitions: number, n: number): Violation[] {
  const violations: Violation[] = [];
  const leaves = new Map<string, Leaf>();
  const placement = cluster.peers.find((peer) => peer.serving)?.core?.membership.placement;
  for (const key of keys) {
    const address = addressOf(bucket, textToBytes(key));
    const { position } = address;
    const [partition, leaf] = [partitionOf({ partitions }, position), leafOf(position, partitions)];
    const name = `${partition}/${leaf}`;
    leaves.set(name, { partition, leaf, addresses: [...(leaves.get(name)?.addresses ?? []), address] });
  }
  let open = 0;
  for (const peer of cluster.peers) {
    for (const leaf of leaves.values()) {
      if (placement?.primaries(leaf.partition, n).includes(peer.id) === false) continue;
      open++;
      const look = (): void =>
        checkLeaf(peer, leaf, n, (message, isBusy) => {
          // A tombstone that is reaped just now has left the tree and not the disk.
          if (isBusy) return cluster.world.after(busyMs, 'client', peer.index, look);
          open--;
          if (message !== undefined) violations.push({ check: 'trees', key: String(leaf.partition), message });
        });
      look();
    }
  }
  cluster.world.runUntil(() => open === 0, 60_000);
  if (open > 0) violations.push({ check: 'trees', key: '', message: `${open} leaves could not be read` });
  return violations;
}

/** `isBusy`: a commit to one of its records was under way. */
type LeafDone = (message: string | undefined, isBusy: boolean) => void;

function checkLeaf(peer: SimPeer, { partition, leaf, addresses }: Leaf, n: number, done: LeafDone): void {
  peer.inspect((core, now) => {
    const { records } = core.replica;
    const isBusy = (): boolean => addresses.some((address) => records.isWriting(address));
    if (isBusy()) return done(undefined, true);
    records.trees.tree(now, partition, n, (_, tree) => {
      if (tree instanceof MeshError) return done(`${peer.id} cannot read the tree of partition ${partition}: ${tree.message}`, false);
      const { changes } = tree;
      records.inLeaves(now, [leafNumber(partition, leaf)], n, (_then, found) => {
        if (found instanceof MeshError)
          return done(`${peer.id} cannot read leaf ${leaf} of partition ${partition}: ${found.message}`, false);
        if (isBusy() || tree.changes !== changes) return done(undefined, true);
        const expected = new MerkleTree();
        for (const { digest } of found) expected.toggle(leaf, digest);
        const message = `leaf ${leaf} of partition ${partition} at ${peer.id} is not what its ${found.length} records make it`;
        done(tree.leaf(leaf) === expected.leaf(leaf) ? undefined : message, false);
      });
    });
  });
}
