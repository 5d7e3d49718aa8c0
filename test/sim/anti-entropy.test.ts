/** Whom a peer compares with, and how soon it has compared with everyone. */

import { describe, expect, it } from 'vitest';

import { sharers } from '../../src/core/comparison.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { mesh, put } from './support/story.ts';

/** Twelve peers that hold a few large partitions: nobody shares with all. */
function wide(): Cluster {
  const cluster = mesh({ peers: 12, partitions: 16, weight: 2 });
  for (let i = 0; i < 100; i++) put(cluster, i % 12, `key-${i}`, 'v', { w: 3 });
  return cluster;
}

describe('anti-entropy in the background', () => {
  it('[AE2] compares with each member that shares partitions within a bound, and with no other', () => {
    const cluster = wide();
    cluster.world.runFor(60_000);
    const compared = new Set<string>();
    cluster.onEvent((peer, event) => {
      if (event.type === 'compare' && event.level === 'all') compared.add(`${cluster.peer(peer).id} ${event.peer}`);
    });
    const expected = cluster.peers.flatMap(({ id, core }) =>
      core === undefined ? [] : sharers(core.membership, [3]).map((other) => `${id} ${other}`),
    );
    const most = Math.max(...cluster.peers.map(({ id }) => expected.filter((pair) => pair.startsWith(`${id} `)).length));
    expect(expected.length).toBeLessThan(12 * 11);
    cluster.world.runFor((most + 1) * 45_000);
    expect([...compared].sort()).toEqual(expected.sort());
  });
});
