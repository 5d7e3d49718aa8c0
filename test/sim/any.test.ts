/** Level `any`: what a peer takes that reaches nobody, and how it gets home (QR8). */

import { describe, expect, it } from 'vitest';

import type { PutOutcome } from '../../src/core/messages.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { held, hintsLeft, mesh, newCluster, placesOf, put } from './support/story.ts';

const key = 'cart';
const any = { mode: 'any', w: 3 } as const;

/** The peer that takes it holds it durably, and is the only one. */
function expectTaken({ outcome, sloppy, dot, receipts }: PutOutcome, role: 'primary' | 'fallback'): void {
  expect({ outcome, sloppy, named: dot !== undefined }).toEqual({ outcome: 'ok', sloppy: role === 'fallback', named: true });
  expect(receipts.filter(({ state }) => state === 'stored')).toMatchObject([{ role, durable: true }]);
}

function cutOff(cluster: Cluster, peer: number): void {
  const others = cluster.peers.map(({ index }) => index).filter((index) => index !== peer);
  cluster.split([[peer], others]);
  cluster.world.runUntil(() => others.every((other) => cluster.view(peer, other) === 'dead'), 60_000);
}

/** Returns what others hold. */
function expectHome(cluster: Cluster, value: string): string[] {
  cluster.world.runUntil(() => cluster.whole && hintsLeft(cluster) === 0, 60_000);
  const { primaries, fallbacks } = placesOf(cluster, key);
  // A copy of which its holder gave a version is cleared away with the next look at what others own.
  cluster.world.runUntil(() => fallbacks.every((peer) => held(cluster, peer, key).length === 0), 90_000);
  expect([hintsLeft(cluster), ...primaries.map((peer) => held(cluster, peer, key).join())]).toEqual([0, value, value, value]);
  return fallbacks.flatMap((peer) => held(cluster, peer, key));
}

describe('a put at level any', () => {
  it('[QR8] by a peer that is cut off is kept for all primaries, and each of them gets it', () => {
    const cluster = mesh();
    const [alone = 0] = placesOf(cluster, key).fallbacks;
    cutOff(cluster, alone);
    expectTaken(put(cluster, alone, key, 'v1', any), 'fallback');
    expect(cluster.peer(alone).core?.hints.held).toBe(3);
    cluster.network.mendAll();
    expect(expectHome(cluster, 'v1')).toEqual([]);
  });

  it('[QR8] [HH2] survives a restart of the peer that took it, and is delivered by the next run', () => {
    const cluster = mesh();
    const [alone = 0] = placesOf(cluster, key).fallbacks;
    cutOff(cluster, alone);
    expectTaken(put(cluster, alone, key, 'v1', any), 'fallback');
    cluster.peer(alone).kill();
    cluster.network.mendAll();
    cluster.peer(alone).start();
    expect(expectHome(cluster, 'v1')).toEqual([]);
  });

  it('[QR8] [VR3] by a peer that has just started and that nobody has recognised waits until it may mint', () => {
    const cluster = mesh();
    const [alone = 0] = placesOf(cluster, key).fallbacks;
    for (const peer of cluster.peers) peer.kill();
    cluster.peer(alone).start();
    cluster.world.runUntil(() => cluster.peer(alone).serving, 5000);
    expectTaken(put(cluster, alone, key, 'v1', any), 'fallback');
    cluster.startAll();
    expect(expectHome(cluster, 'v1')).toEqual([]);
  });

  it('[QR8] [RG4] by a peer without a place on the ring is taken, too', () => {
    const cluster = mesh({ weight: (index) => (index === 4 ? 0 : 32) });
    cutOff(cluster, 4);
    expectTaken(put(cluster, 4, key, 'v1', any), 'fallback');
    cluster.network.mendAll();
    expect(expectHome(cluster, 'v1')).toEqual([]);
  });

  for (const [who, weight, afterMs, role] of [
    ['of weight 0', 0, 1000, 'fallback'],
    ['without a place yet', 32, 25_000, 'fallback'],
    ['with a ring of its own', 32, 40_000, 'primary'],
  ] as const) {
    it(`[QR8] by a peer ${who} that has never met anyone is kept for whoever will be a primary`, () => {
      const cluster = newCluster({ peers: 6, weight: (index) => (index === 5 ? weight : 32) });
      cluster.peer(5).start();
      cluster.world.runFor(afterMs);
      expectTaken(put(cluster, 5, key, 'v1', any), role);
      expect(cluster.peer(5).core?.hints.held).toBe(1);
      cluster.startAll();
      expectHome(cluster, 'v1');
    });
  }

  it('[QR8] goes to the replicas like any other where they can be reached', () => {
    const cluster = mesh();
    put(cluster, placesOf(cluster, key).fallbacks[0] ?? 0, key, 'v1', any);
    cluster.world.runFor(1000);
    expect(hintsLeft(cluster)).toBe(0);
    expect(expectHome(cluster, 'v1')).toEqual([]);
  });
});
