/** Hints that are too many, too large or too old, and hints for who will not come back. */

import { describe, expect, it } from 'vitest';

import type { CoreEvent } from '../../src/core/events.ts';
import type { SignedMember } from '../../src/core/messages.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { get, held, hintsLeft, mesh, placesOf, put, tryPut } from './support/story.ts';

const key = 'cart';
const day = 24 * 60 * 60_000;
const plenty = { max: 1000, maxBytes: 1e9, maxAgeMs: day };
const sloppy = { mode: 'sloppy' } as const;

type HintEvent = Extract<CoreEvent, { type: 'hint' }>;

function countHints(cluster: Cluster): Map<HintEvent['action'], number> {
  const counts = new Map<HintEvent['action'], number>();
  cluster.onEvent((_, event) => void (event.type === 'hint' && counts.set(event.action, (counts.get(event.action) ?? 0) + 1)));
  return counts;
}

function kill(cluster: Cluster, ...peers: readonly number[]): void {
  for (const peer of peers) cluster.peer(peer).kill();
  cluster.world.runUntil(() => peers.every((peer) => cluster.allSee(peer, 'dead')), 20_000);
}

function start(cluster: Cluster, ...peers: readonly number[]): void {
  for (const peer of peers) cluster.peer(peer).start();
  cluster.world.runUntil(() => peers.every((peer) => cluster.peer(peer).serving && cluster.allSee(peer, 'alive')), 20_000);
}

describe('more hints than there is room for', () => {
  const keys = Array.from({ length: 150 }, (_, i) => `key-${i}`);
  const value = 'v'.repeat(400);

  for (const [what, hints] of [
    ['in number', { ...plenty, max: 10 }],
    ['in bytes', { ...plenty, maxBytes: 4000 }],
  ] as const) {
    it(`[HH3] ${what} are refused and counted, the writes go on, and anti-entropy brings the owner the rest`, () => {
      const cluster = mesh({ hints });
      const counts = countHints(cluster);
      const away = 4;
      kill(cluster, away);
      let most = 0;
      for (const name of keys) {
        expect(put(cluster, 0, name, value, sloppy).outcome).toBe('ok');
        for (const { core } of cluster.peers) most = Math.max(most, core?.hints.held ?? 0);
        for (const { core } of cluster.peers) expect(core?.replica.hints.bytes ?? 0).toBeLessThanOrEqual(hints.maxBytes);
      }
      expect(most).toBeGreaterThan(5);
      expect(most).toBeLessThanOrEqual(10);
      expect(counts.get('refused')).toBeGreaterThan(10);
      start(cluster, away);
      cluster.world.runFor(30_000);
      expect(hintsLeft(cluster)).toBe(0);
      const own = keys.filter((name) => placesOf(cluster, name).primaries.includes(away));
      expect(own.length).toBeGreaterThan(30);
      expect(own.filter((name) => held(cluster, away, name).join() !== value)).toEqual([]);
    });
  }

  it('[HH3] are refused where nobody else can take them, and nothing is changed', () => {
    const cluster = mesh({ hints: { ...plenty, max: 1 } });
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [first = 0] = fallbacks;
    const same = keys.find((name) => placesOf(cluster, name).primaries.every((peer) => primaries.includes(peer))) ?? '';
    kill(cluster, ...primaries);
    put(cluster, first, key, 'v1', { ...sloppy, w: 1 });
    cluster.world.runFor(1000);
    expect(hintsLeft(cluster)).toBe(2);
    expect(tryPut(cluster, first, same, 'v1', { ...sloppy, w: 1 })).toMatchObject({ type: 'failed', error: { code: 'HINTS_FULL' } });
    expect(fallbacks.map((peer) => held(cluster, peer, same))).toEqual([[], []]);
    // What there is may be replaced.
    expect(put(cluster, first, key, 'v2', { ...sloppy, w: 1 }).outcome).toBe('ok');
  });
});

describe('hints that are too old', () => {
  const hints = { ...plenty, maxAgeMs: 10_000 };

  it('[HH3] are given to other primaries and counted; the owner gets the value from those', () => {
    const cluster = mesh({ hints });
    const counts = countHints(cluster);
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [owner = 0, other = 0, third = 0] = primaries;
    kill(cluster, ...primaries);
    put(cluster, fallbacks[0] ?? 0, key, 'v1', sloppy);
    start(cluster, other);
    cluster.world.runFor(30_000);
    expect(held(cluster, other, key)).toEqual(['v1']);
    // No hint is left at the fallbacks, though two of the primaries have not come back; the one that gave the version keeps its copy until they have.
    expect([hintsLeft(cluster), fallbacks.filter((peer) => held(cluster, peer, key).length > 0).length]).toEqual([0, 1]);
    expect(counts.get('expired')).toBeGreaterThan(0);
    for (const peer of fallbacks) cluster.peer(peer).kill();
    start(cluster, owner, third);
    cluster.world.runFor(120_000);
    expect([owner, third].map((peer) => held(cluster, peer, key))).toEqual([['v1'], ['v1']]);
  });

  it('[HH3] reach a primary for which none was kept', () => {
    const cluster = mesh({ hints });
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [alone = 0, ...others] = fallbacks;
    kill(cluster, ...primaries, ...others);
    put(cluster, alone, key, 'v1', { ...sloppy, w: 1 });
    expect(cluster.peer(alone).core?.hints.held).toBe(1);
    // The hint is for the first one.
    const [, other = 0] = primaries;
    start(cluster, other);
    expect(cluster.world.runUntil(() => held(cluster, other, key).length > 0, 30_000)).toBe(true);
  });

  it('[HH3] are kept while no other primary can take them', () => {
    const cluster = mesh({ hints });
    const { primaries, fallbacks } = placesOf(cluster, key);
    kill(cluster, ...primaries);
    put(cluster, fallbacks[0] ?? 0, key, 'v1', sloppy);
    cluster.world.runFor(60_000);
    expect(hintsLeft(cluster)).toBeGreaterThan(0);
    start(cluster, ...primaries);
    cluster.world.runFor(120_000);
    expect([hintsLeft(cluster), ...primaries.map((peer) => held(cluster, peer, key).join())]).toEqual([0, 'v1', 'v1', 'v1']);
  });
});

describe('an owner that left', () => {
  /** What a peer says when it leaves. */
  function farewell(cluster: Cluster, peer: number): SignedMember {
    const membership = cluster.peer(peer).core?.membership;
    if (membership === undefined) throw new Error('the peer is down');
    return membership.table.sign({ ...membership.record, status: 'left', sequence: membership.record.sequence + 1 });
  }

  it('[HH4] its hints go to the primaries of now', () => {
    const cluster = mesh({ peers: 6 });
    const counts = countHints(cluster);
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [leaver = 0, ...others] = primaries;
    const left = farewell(cluster, leaver);
    kill(cluster, ...primaries);
    const [holder = 0] = fallbacks;
    put(cluster, holder, key, 'v1', { ...sloppy, w: 1 });
    // No other peer knows the value, and only the hint for the leaver says where it belongs.
    for (const peer of fallbacks.slice(1)) cluster.peer(peer).kill();
    cluster.peer(holder).inspect((core, now) => core.gossiped(now, { members: [left], suspicions: [], removals: [] }));
    start(cluster, ...others, ...fallbacks.slice(1));
    cluster.world.runFor(20_000);
    const owners = placesOf(cluster, key).primaries;
    expect(owners).not.toContain(leaver);
    expect(counts.get('rerouted')).toBeGreaterThan(0);
    expect([hintsLeft(cluster), ...owners.map((peer) => held(cluster, peer, key).join())]).toEqual([0, 'v1', 'v1', 'v1']);
  });
});

describe('repair', () => {
  it('[HH4] by reads and by anti-entropy leaves no hints', () => {
    const cluster = mesh();
    const { primaries } = placesOf(cluster, key);
    const [first = 0, behind = 0, away = 0] = primaries;
    cluster.peer(behind).kill();
    for (const peer of placesOf(cluster, key).fallbacks) cluster.network.cut(first, peer, true);
    put(cluster, first, key, 'v1', { w: 1 });
    cluster.network.mendAll();
    cluster.world.runFor(2000);
    cluster.world.runUntil(() => hintsLeft(cluster) === 0, 60_000);
    start(cluster, behind);
    cluster.world.runUntil(() => hintsLeft(cluster) === 0, 60_000);
    kill(cluster, away);
    const counts = countHints(cluster);
    get(cluster, first, key);
    cluster.world.runFor(60_000);
    expect([hintsLeft(cluster), counts.size]).toEqual([0, 0]);
  });
});
