/**
 * Scenarios in which only one mechanism can help, so that a mistake in it shows: among random faults another one often makes up for it. The mutations under
 * test/mutations say which mistakes.
 */

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import { addressOf } from '../../src/core/hash.ts';
import { recordKey } from '../../src/core/layout.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import type { StorageSnapshot } from '../../src/sim/storage.ts';
import { get, held, hintsLeft, mesh, placesOf, put, remove, tryPut } from './support/story.ts';

const key = 'cart';

describe('hints alone', () => {
  it('[HH1] bring home what only fallbacks have taken: no primary has it to compare', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    for (const peer of primaries) cluster.peer(peer).kill();
    cluster.world.runUntil(() => primaries.every((peer) => cluster.allSee(peer, 'dead')), 20_000);
    const [first = 0, second = 0] = fallbacks;
    expect(put(cluster, first, key, 'v1', { mode: 'sloppy' }).outcome).toBe('ok');
    expect(held(cluster, second, key)).toEqual(['v1']);
    cluster.world.runFor(1000);
    // One primary after the other, each alone with the fallbacks. Each fallback has a hint for another one.
    const got: string[] = [];
    for (const peer of primaries) {
      cluster.peer(peer).start();
      cluster.world.runUntil(() => cluster.allSee(peer, 'alive') && cluster.peer(peer).serving, 20_000);
      cluster.world.runFor(10_000);
      got.push(...held(cluster, peer, key));
      cluster.peer(peer).kill();
      cluster.world.runUntil(() => cluster.allSee(peer, 'dead'), 20_000);
    }
    expect(got).toEqual(['v1', 'v1']);
  });

  it('[HH1] stay until the owner has acknowledged', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [owner = 0] = primaries;
    for (const peer of primaries) cluster.peer(peer).kill();
    cluster.world.runUntil(() => primaries.every((peer) => cluster.allSee(peer, 'dead')), 20_000);
    put(cluster, fallbacks[0] ?? 0, key, 'v1', { mode: 'sloppy', w: 1 });
    cluster.world.runFor(1000);
    const hints = hintsLeft(cluster);
    // The owner is there and its disk is slow: deliveries run into their deadline.
    cluster.peer(owner).start();
    cluster.world.runUntil(() => cluster.peer(owner).serving, 20_000);
    cluster.peer(owner).storage.faults.slowness = 1e5;
    cluster.world.runFor(20_000);
    expect(hintsLeft(cluster)).toBe(hints);
    cluster.peer(owner).kill();
    cluster.peer(owner).storage.mend();
    cluster.peer(owner).start();
    cluster.world.runFor(20_000);
    expect(held(cluster, owner, key)).toEqual(['v1']);
  });
});

describe('a damaged record', () => {
  it('[ST3] [QR3] that is replaced by an older one counts in no strict read before it was compared with all', () => {
    const cluster = mesh({ peers: 3 });
    const [damaged, informed, behind] = [0, 1, 2];
    const { context } = put(cluster, damaged, key, 'v1', { w: 3 });
    cluster.peer(behind).kill();
    cluster.world.runUntil(() => cluster.allSee(behind, 'dead'), 20_000);
    expect(put(cluster, damaged, key, 'v2', { context }).outcome).toBe('ok');
    const { storage } = cluster.peer(damaged);
    // Two of three have acknowledged v2. One of these copies is lost, and the other one is not there.
    cluster.peer(informed).kill();
    const name = recordKey(addressOf('default', textToBytes(key)));
    storage.rollback(
      [...storage.snapshot()].map(([row, bytes]) => [row, row === name ? bytes.with(20, (bytes[20] ?? 0) ^ 1) : bytes]),
      true,
    );
    cluster.peer(behind).start();
    cluster.world.runUntil(() => cluster.allSee(behind, 'alive') && cluster.peer(behind).serving, 20_000);
    cluster.world.runFor(30_000);
    expect(held(cluster, damaged, key)).toEqual(['v1']);
    expect(() => get(cluster, behind, key)).toThrow('1 of the 2 replicas');
    cluster.peer(informed).start();
    cluster.world.runFor(20_000);
    expect(get(cluster, behind, key).values).toEqual(['v2']);
    expect(held(cluster, damaged, key)).toEqual(['v2']);
  });
});

describe('a store that comes back', () => {
  /** A mesh in which the first primary of the key is down, with what its disk held then. */
  const stopped = (): { cluster: Cluster; first: number; others: number[]; before: StorageSnapshot } => {
    const cluster = mesh();
    const [first = 0, ...others] = placesOf(cluster, key).primaries;
    put(cluster, first, key, 'v1', { w: 3 });
    cluster.peer(first).kill();
    cluster.world.runUntil(() => cluster.allSee(first, 'dead'), 20_000);
    return { cluster, first, others, before: cluster.peer(first).storage.snapshot() };
  };
  const restarted = (cluster: Cluster, peer: number): void => {
    cluster.peer(peer).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
  };

  /** Starts it with what its disk held before, and nobody tells it. Anti-entropy would, later: it must be known before the first put. */
  const startSetBack = (cluster: Cluster, peer: number, rows: StorageSnapshot): void => {
    cluster.peer(peer).kill();
    cluster.peer(peer).storage.rollback(rows, true);
    const reasons: string[] = [];
    cluster.onEvent((who, event) => void (who === peer && event.type === 'amnesia' && reasons.push(event.reason)));
    restarted(cluster, peer);
    cluster.world.runUntil(() => reasons.length > 0, 5000);
    expect(reasons).toEqual(['other members remember a later run of this store']);
  };

  it('[VR3] from a copy of its folder gives no dot again, though no client tells it of later versions', () => {
    const { cluster, first, before } = stopped();
    restarted(cluster, first);
    const actor = cluster.peer(first).core?.replica.actor;
    put(cluster, first, key, 'v2', { w: 3 });
    startSetBack(cluster, first, before);
    expect(put(cluster, first, key, 'v3', { w: 3 }).dot?.actor).not.toBe(actor);
    // Its copies count in strict reads once it has compared them with those of the others.
    cluster.world.runFor(5000);
    expect(get(cluster, first, key, { r: 3 }).values).toContain('v3');
  });

  it('[VR3] from a snapshot of its disk that was taken while it ran gives no dot again', () => {
    const cluster = mesh();
    const [first = 0] = placesOf(cluster, key).primaries;
    put(cluster, first, key, 'v1', { w: 3 });
    // Ten seconds later the others remember a newer incarnation of the same run.
    cluster.world.runFor(15_000);
    const { actor, rows } = { actor: cluster.peer(first).core?.replica.actor, rows: cluster.peer(first).storage.snapshot() };
    put(cluster, first, key, 'v2', { w: 3 });
    cluster.world.runFor(1000);
    startSetBack(cluster, first, rows);
    expect(put(cluster, first, key, 'v3', { w: 3 }).dot?.actor).not.toBe(actor);
  });

  it('[VR3] [VR6] as it was keeps its actor: contexts do not grow with each restart', () => {
    const { cluster, first } = stopped();
    const actor = get(cluster, placesOf(cluster, key).fallbacks[0] ?? 0, key).context[0]?.actor;
    restarted(cluster, first);
    expect(put(cluster, first, key, 'v2', { w: 3 }).dot?.actor).toBe(actor);
  });

  it('[VR3] [QR8] alone takes a put after a while, under a new epoch', () => {
    const { cluster, first, others } = stopped();
    const actor = get(cluster, others[0] ?? 0, key).context[0]?.actor;
    for (const peer of cluster.peers) if (peer.index !== first) peer.kill();
    cluster.peer(first).start();
    cluster.world.runUntil(() => cluster.peer(first).serving, 20_000);
    const alone = { w: 1, mode: 'sloppy' } as const;
    expect(tryPut(cluster, first, 'early', 'v', { ...alone, budgetMs: 500 })).toMatchObject({ type: 'failed' });
    cluster.world.runFor(3000);
    const { dot } = put(cluster, first, key, 'v2', alone);
    expect(dot?.actor.split('.')[0]).toBe(actor?.split('.')[0]);
    expect(dot?.actor).not.toBe(actor);
  });
});

describe('reaping', () => {
  const reaping = { intervalMs: 1000, tombstoneAgeMs: 15_000 };

  it('[TS1] waits for a member that is away with an old copy, and removes the tombstone everywhere once it has been told', () => {
    const cluster = mesh({ reaping });
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [first = 0, , away = 0] = primaries;
    const { context } = put(cluster, first, key, 'v1', { w: 3 });
    cluster.peer(away).kill();
    cluster.world.runUntil(() => cluster.allSee(away, 'dead'), 20_000);
    expect(remove(cluster, first, key, context).outcome).toBe('ok');
    cluster.world.runFor(60_000);
    cluster.peer(away).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    cluster.world.runFor(10_000);
    expect(primaries.map((peer) => held(cluster, peer, key))).toEqual([[], [], []]);
    expect(get(cluster, fallbacks[0] ?? 0, key, { r: 3 }).values).toEqual([]);
    cluster.world.runFor(120_000);
    expect(get(cluster, fallbacks[0] ?? 0, key, { r: 3 })).toMatchObject({ values: [], context: [] });
    const again = put(cluster, first, key, 'v2', { w: 3 });
    expect(again.dot?.counter).toBeGreaterThan(2);
    expect(get(cluster, fallbacks[0] ?? 0, key, { r: 3 }).values).toEqual(['v2']);
  });
});

describe('quorums', () => {
  it('[QR2] fallbacks that have nothing do not make a key absent', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    put(cluster, primaries[0] ?? 0, key, 'v1', { w: 3 });
    for (const peer of primaries) cluster.peer(peer).kill();
    cluster.world.runUntil(() => primaries.every((peer) => cluster.allSee(peer, 'dead')), 20_000);
    expect(() => get(cluster, fallbacks[0] ?? 0, key, { mode: 'sloppy', budgetMs: 1000 })).toThrow('replicas');
  });

  it('[VR5] a put whose replica falls silent is not given to another one', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [replica = 0] = primaries;
    // It mints, and its answer and its own sending are held back until the link is given up.
    for (const other of [...primaries.slice(1), ...fallbacks]) cluster.network.cut(replica, other, true);
    const reply = tryPut(cluster, fallbacks[0] ?? 0, key, 'v1', { budgetMs: 2000 });
    expect(reply).toMatchObject({ type: 'put', outcome: { outcome: 'unknown' } });
    cluster.network.mendAll();
    cluster.world.runUntil(() => cluster.whole, 30_000);
    cluster.world.runFor(5000);
    expect(get(cluster, fallbacks[0] ?? 0, key, { r: 3 }).values).toEqual(['v1']);
  });
});
