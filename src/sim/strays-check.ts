/** In the end each record lies with exactly its owners: what others held while members came and went is cleared away (TR1). */

import { addressOfRecordKey } from '../core/layout.ts';
import { replicaCountIn } from '../core/record.ts';
import type { Violation } from './checker/violation.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';

/** How long after the ring has come to rest. */
const clearedWithinMs = 120_000;
const lookMs = 2000;

export function checkStrays(cluster: Cluster): Violation[] {
  const { world } = cluster;
  const until = world.nowMs + clearedWithinMs;
  let strays = straysOf(cluster);
  while (strays.length > 0 && world.nowMs < until) {
    world.runFor(lookMs);
    strays = straysOf(cluster);
  }
  return strays.map((message) => ({ check: 'strays', key: '', message }));
}

const straysOf = (cluster: Cluster): string[] => cluster.peers.flatMap((peer) => straysAt(peer));

function straysAt(peer: SimPeer): string[] {
  const { core } = peer;
  if (core === undefined) return [];
  const { placement } = core.membership;
  let count = 0;
  for (const [key, row] of peer.storage.snapshot()) {
    const address = key.startsWith('r') ? addressOfRecordKey(key) : undefined;
    if (address === undefined || core.replica.hints.keeps(address)) continue;
    if (!placement.primaries(placement.partition(address.position), replicaCountIn(row)).includes(peer.id)) count++;
  }
  return count === 0 ? [] : [`${peer.id} still holds ${count} records that others own`];
}
