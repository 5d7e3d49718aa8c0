/** Quorums in small stories: fallbacks, hints, siblings, and what a strict read promises. */

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import { addressOf } from '../../src/core/hash.ts';
import { recordKey } from '../../src/core/layout.ts';
import { get, held, hintsLeft, mesh, placesOf, put, putRequest, tryPut } from './support/story.ts';

const key = 'cart';

describe('sloppy quorums', () => {
  it('[QR2] with two of three primaries down a sloppy put says so, and its hints bring the value home', () => {
    const cluster = mesh();
    const [a = 0, b = 0, c = 0] = placesOf(cluster, key).primaries;
    for (const peer of [b, c]) cluster.peer(peer).kill();
    cluster.world.runUntil(() => cluster.allSee(b, 'dead') && cluster.allSee(c, 'dead'), 10_000);
    const outcome = put(cluster, a, key, 'v1', { mode: 'sloppy' });
    expect([outcome.outcome, outcome.sloppy]).toEqual(['ok', true]);
    expect(outcome.receipts.filter((receipt) => receipt.role === 'fallback' && receipt.state === 'stored').length).toBeGreaterThan(0);
    expect(tryPut(cluster, a, 'strict one', 'v1', { budgetMs: 1000 })).toMatchObject({
      type: expect.stringMatching(/put|failed/) as string,
    });
    cluster.world.runFor(1000);
    expect(hintsLeft(cluster)).toBeGreaterThan(0);
    for (const peer of [b, c]) cluster.peer(peer).start();
    expect(cluster.world.runUntil(() => cluster.whole && hintsLeft(cluster) === 0, 30_000)).toBe(true);
    expect([a, b, c].map((peer) => held(cluster, peer, key))).toEqual([['v1'], ['v1'], ['v1']]);
  });

  it('[QR5] the same put, strict, is partial and not undone', () => {
    const cluster = mesh();
    const [a = 0, b = 0, c = 0] = placesOf(cluster, key).primaries;
    for (const peer of [b, c]) cluster.peer(peer).kill();
    cluster.world.runUntil(() => cluster.allSee(b, 'dead') && cluster.allSee(c, 'dead'), 10_000);
    expect(put(cluster, a, key, 'v1').outcome).toBe('partial');
    expect(held(cluster, a, key)).toEqual(['v1']);
    expect(() => get(cluster, a, key)).toThrow('1 of the 2 replicas');
    expect(get(cluster, a, key, { mode: 'sloppy', r: 1 }).values).toEqual(['v1']);
  });

  it('[HH2] hints survive the death of their holder', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [a = 0, b = 0] = primaries;
    cluster.peer(b).kill();
    cluster.world.runUntil(() => cluster.allSee(b, 'dead'), 10_000);
    put(cluster, a, key, 'v1', { mode: 'sloppy' });
    cluster.world.runFor(1000);
    expect(hintsLeft(cluster)).toBe(1);
    for (const peer of fallbacks) cluster.peer(peer).kill();
    cluster.world.runFor(1000);
    for (const peer of fallbacks) cluster.peer(peer).start();
    cluster.world.runFor(3000);
    expect(hintsLeft(cluster)).toBe(1);
    cluster.peer(b).start();
    expect(cluster.world.runUntil(() => cluster.whole && hintsLeft(cluster) === 0, 30_000)).toBe(true);
    expect(held(cluster, b, key)).toEqual(['v1']);
  });

  it('[QR8] `any` is content with a copy on the only peer that is left', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [last = 0, ...others] = fallbacks;
    for (const peer of [...primaries, ...others]) cluster.peer(peer).kill();
    cluster.world.runFor(10_000);
    expect(put(cluster, last, key, 'v1', { mode: 'any' }).outcome).toBe('ok');
    for (const peer of [...primaries, ...others]) cluster.peer(peer).start();
    expect(cluster.world.runUntil(() => cluster.whole && hintsLeft(cluster) === 0, 60_000)).toBe(true);
    expect(get(cluster, primaries[0] ?? 0, key).values).toEqual(['v1']);
  });
});

describe('siblings', () => {
  it('[VR1] two interleaved read-modify-write clients never exceed two siblings', () => {
    const cluster = mesh();
    let most = 0;
    for (let round = 0; round < 20; round++) {
      const [left, right] = [get(cluster, 0, key), get(cluster, 3, key)];
      put(cluster, 0, key, `left ${round}`, { context: left.context });
      put(cluster, 3, key, `right ${round}`, { context: right.context });
      most = Math.max(most, get(cluster, 1, key).values.length);
    }
    expect(most).toBe(2);
  });

  it('[VR1] nor do two clients that go on from the contexts of their own puts, without reading', () => {
    const cluster = mesh();
    let left = put(cluster, 0, key, 'left').context;
    let right = put(cluster, 3, key, 'right').context;
    for (let round = 0; round < 20; round++) {
      left = put(cluster, 0, key, `left ${round}`, { context: left }).context;
      right = put(cluster, 3, key, `right ${round}`, { context: right }).context;
      expect(get(cluster, 1, key).values).toEqual([`left ${round}`, `right ${round}`]);
    }
  });

  it('[VR1] a stale context supersedes only what its writer had seen', () => {
    const cluster = mesh();
    put(cluster, 0, key, 'v1');
    const old = get(cluster, 1, key).context;
    put(cluster, 2, key, 'v2', { context: old });
    put(cluster, 3, key, 'v3');
    put(cluster, 4, key, 'v4', { context: old });
    expect(get(cluster, 0, key).values).toEqual(['v2', 'v3', 'v4']);
    put(cluster, 0, key, 'v5', { context: get(cluster, 1, key).context });
    expect(get(cluster, 4, key).values).toEqual(['v5']);
  });
});

describe('strict reads', () => {
  it('[QR3] a value that one replica has is written to a quorum before it is returned', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [a = 0, b = 0, c = 0] = primaries;
    // Only `a` takes the put; then only `a` and `b` are asked, and after that only `b` and `c`.
    cluster.split([[a], [b, c, ...fallbacks]]);
    cluster.world.runFor(3000);
    expect(put(cluster, a, key, 'v1', { budgetMs: 1000 }).outcome).toBe('partial');
    cluster.network.mendAll();
    cluster.split([[c], [a, b], fallbacks]);
    cluster.world.runFor(500);
    expect(cluster.world.runUntil(() => cluster.network.linked(a, b), 6000)).toBe(true);
    expect(held(cluster, b, key)).toEqual([]);
    expect(get(cluster, b, key).values).toEqual(['v1']);
    expect(held(cluster, b, key)).toEqual(['v1']);
    cluster.network.mendAll();
    cluster.split([[a], [b, c, ...fallbacks]]);
    cluster.world.runFor(6000);
    expect(get(cluster, c, key).values).toEqual(['v1']);
  });

  it('[QR3] what a slow replica says while that is going on is not returned: no quorum has it', () => {
    const cluster = mesh({ storage: { readMs: [1, 1], commitMs: [10, 10] }, network: { latencyMs: [1, 1] } });
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [a = 0, b = 0, c = 0] = primaries;
    // `a` alone has v1, and `c` alone v2.
    cluster.split([[a], [b], [c], fallbacks]);
    cluster.world.runFor(3000);
    put(cluster, a, key, 'v1', { budgetMs: 500 });
    put(cluster, c, key, 'v2', { budgetMs: 500 });
    cluster.network.mendAll();
    cluster.split([[a], [b], [c]], { patient: true });
    const reachable = (): boolean =>
      fallbacks.every((from) => primaries.every((to) => cluster.view(from, to) === 'alive' && cluster.network.linked(from, to)));
    expect(cluster.world.runUntil(reachable, 30_000)).toBe(true);
    // The read asks `a` and `b`, and then `c`, for `b` is slow. It hears `c` while it writes v1 to `b`.
    for (const peer of [b, c]) cluster.peer(peer).storage.faults.slowness = 15;
    expect(get(cluster, fallbacks[0] ?? 0, key).values).toEqual(['v1']);
    expect([a, b, c].map((peer) => held(cluster, peer, key))).toEqual([['v1'], ['v1'], ['v2']]);
    cluster.world.runFor(1000);
    expect([a, b, c].map((peer) => held(cluster, peer, key))).toEqual([
      ['v1', 'v2'],
      ['v1', 'v2'],
      ['v1', 'v2'],
    ]);
  });

  it('[QR9] the deadline ends a read whose replicas stay silent', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    for (const peer of primaries) cluster.peer(peer).pause();
    const began = cluster.world.nowMs;
    const command = { bucket: 'default', key: textToBytes(key), n: 3, r: 2, mode: 'strict', resolver: 'siblings', budgetMs: 700 } as const;
    const reply = cluster.ask(fallbacks[0] ?? 0, { type: 'get', command });
    expect(reply).toMatchObject({ type: 'failed', error: { code: 'UNREACHABLE' } });
    expect(cluster.world.nowMs - began).toBeLessThanOrEqual(701);
  });
});

describe('answers', () => {
  it('[QR4] one that was meant for an earlier life of the asker is not taken for the answer to another call', () => {
    const cluster = mesh();
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [a = 0, client = 0] = [primaries[0], fallbacks[0]];
    // Keys that `a` takes puts for, and the asker does not.
    const keys = Array.from({ length: 2000 }, (_, i) => `key ${i}`).filter((name) => {
      const places = placesOf(cluster, name);
      return places.primaries[0] === a && places.fallbacks.includes(client);
    });
    const [before, after] = [keys.slice(0, 40), keys.slice(40, 80)];
    const stored = (name: string): boolean =>
      cluster.peer(a).storage.rows.get(recordKey(addressOf('default', textToBytes(name)))) !== undefined;
    cluster.peer(a).storage.faults.slowness = 500;
    for (const name of before) cluster.peer(client).request(putRequest(name, 'v1', { w: 1, budgetMs: 20_000 }), () => {});
    cluster.world.runFor(100);
    cluster.peer(client).kill();
    cluster.peer(client).start();
    expect(cluster.world.runUntil(() => cluster.peer(client).serving && cluster.network.linked(a, client), 5000)).toBe(true);
    const told: string[] = [];
    for (const name of after) {
      cluster.peer(client).request(putRequest(name, 'v2', { w: 1, budgetMs: 20_000 }), (reply) => {
        if (reply?.type === 'put' && reply.outcome.outcome === 'ok') told.push(`${name} ${stored(name)}`);
      });
    }
    cluster.world.runFor(30_000);
    expect(told.toSorted()).toEqual(after.map((name) => `${name} true`).toSorted());
  });
});
