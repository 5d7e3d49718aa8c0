/** Members that come and go: what a new owner must have before it counts, and what an old one keeps until then. */

import { describe, expect, it } from 'vitest';

import { Cluster } from '../../src/sim/cluster.ts';
import { runSimulation } from '../../src/sim/run.ts';
import { checkStrays } from '../../src/sim/strays-check.ts';
import { World } from '../../src/sim/world.ts';
import { get, held, put } from './support/story.ts';

const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);

/** A mesh of which the last peer has not come yet, with a value for each key. */
function meshOf(peers: number, seed = 7): Cluster {
  const cluster = new Cluster(new World(seed), { peers, partitions: 64 });
  for (const peer of cluster.peers.slice(0, -1)) peer.start();
  cluster.world.runUntil(() => cluster.peers.slice(0, -1).every((peer) => peer.core?.membership.record.status === 'up'), 20_000);
  cluster.world.runFor(3000);
  for (const key of keys) put(cluster, 0, key, `value of ${key}`, { w: 3 });
  return cluster;
}

const statusOf = (cluster: Cluster, peer: number): string | undefined => cluster.peer(peer).core?.membership.record.status;

/** Each key at exactly the peers that own it. */
function expectInPlace(cluster: Cluster): void {
  expect(checkStrays(cluster)).toEqual([]);
  for (const key of keys) {
    const holders = cluster.peers.filter((peer) => peer.up && held(cluster, peer.index, key).length > 0);
    expect(holders).toHaveLength(3);
    expect(get(cluster, 0, key, { r: 3 }).values).toEqual([`value of ${key}`]);
  }
}

describe('joining', () => {
  it('[RG4] members begin a ring though the first one has no weight', () => {
    const cluster = new Cluster(new World(7), {
      peers: 4,
      partitions: 64,
      founders: 1,
      bootstrap: 1,
      weight: (index) => (index === 0 ? 0 : 16),
    });
    cluster.startAll();
    expect(cluster.world.runUntil(() => cluster.agreed, 30_000)).toBe(true);
    put(cluster, 0, 'key', 'value', { w: 3 });
  });

  it('[TR1] a new peer owns its places once it has copied them, and the old copies go', () => {
    const cluster = meshOf(5);
    const last = cluster.peer(4);
    const changes: string[] = [];
    cluster.onEvent((peer, event) => {
      if (peer === 4 && event.type === 'joined') changes.push(`joined with ${last.core?.replica.records.trees.replicaCounts.join()}`);
    });
    last.start();
    cluster.world.runUntil(() => last.serving, 5000);
    expect(statusOf(cluster, 4)).toBe('joining');
    cluster.world.runUntil(() => cluster.whole, 20_000);
    expect(statusOf(cluster, 4)).toBe('up');
    cluster.world.runFor(1000);
    expect(changes).toEqual(['joined with 3']);
    expectInPlace(cluster);
  });

  it('[TR1] while it copies, reads are served by the owners, and strict writes reach it too', () => {
    const cluster = meshOf(5);
    const last = cluster.peer(4);
    last.start();
    // The one that it must copy from is away: it cannot own anything yet.
    cluster.world.runUntil(() => cluster.view(0, 4) === 'alive', 5000);
    cluster.peer(1).kill();
    for (const key of keys.slice(0, 20)) expect(get(cluster, 0, key, { r: 2 }).values).toEqual([`value of ${key}`]);
    cluster.world.runFor(10_000);
    expect(statusOf(cluster, 4)).toBe('joining');
    put(cluster, 0, 'while', 'it copies', { w: 2 });
    cluster.peer(1).start();
    cluster.world.runUntil(() => cluster.whole, 30_000);
    expect(statusOf(cluster, 4)).toBe('up');
    expect(get(cluster, 4, 'while', { r: 2 }).values).toEqual(['it copies']);
  });

  it('[TR2] [SE3] [AE3] large values are copied a few at a time, with a rest after each portion for as long as it took', () => {
    const onWayMs = 50;
    const cluster = new Cluster(new World(7), { peers: 4, partitions: 2, network: { latencyMs: [onWayMs, onWayMs] } });
    for (const peer of cluster.peers.slice(0, -1)) peer.start();
    cluster.world.runUntil(() => cluster.peers.slice(0, -1).every((peer) => peer.core?.membership.record.status === 'up'), 20_000);
    const large = 'x'.repeat(100 * 1024);
    for (const key of keys) put(cluster, 0, key, large, { w: 3 });
    const sizes: number[] = [];
    const askedMs: number[] = [];
    const send = cluster.network.send.bind(cluster.network);
    cluster.network.send = (from, to, message) => {
      if (message.body.type === 'fetchMany') askedMs.push(cluster.world.nowMs);
      if (message.body.type === 'fetchedMany') sizes.push(message.body.records.length);
      return send(from, to, message);
    };
    cluster.peer(3).start();
    cluster.world.runUntil(() => cluster.whole, 60_000);
    expect(Math.max(...sizes)).toBe(3);
    const [firstMs = 0, lastMs = 0] = [askedMs[0], askedMs.at(-1)];
    expect((lastMs - firstMs) / (askedMs.length - 1)).toBeGreaterThan(2 * (onWayMs + onWayMs));
    for (const key of keys) expect(get(cluster, 3, key, { r: 3 }).values).toEqual([large]);
  });

  it('[TR2] a peer that is killed while it copies goes on when it is started again', () => {
    const cluster = meshOf(5);
    const last = cluster.peer(4);
    last.start();
    cluster.world.runUntil(() => held(cluster, 4, keys[0] ?? '').length + held(cluster, 4, keys[1] ?? '').length > 0, 3000);
    last.kill();
    cluster.world.runFor(8000);
    last.start();
    cluster.world.runUntil(() => cluster.whole, 30_000);
    expectInPlace(cluster);
  });

  it('[TR1] [TR2] waits for an owner that is killed while it copies from it, and goes on when that one is back', () => {
    const large = keys.slice(0, 24);
    const waitedFor: (string | undefined)[] = [];
    for (const source of [0, 1, 2, 3]) {
      const cluster = meshOf(5);
      // So that there is more to copy from each of them than one message brings.
      for (const key of large)
        put(cluster, 0, key, `value of ${key}`.padEnd(100_000, '.'), { w: 3, context: get(cluster, 0, key).context });
      cluster.peer(4).start();
      cluster.world.runUntil(() => (cluster.peer(4).core?.transfer?.keys ?? 0) > 0, 3000);
      cluster.peer(source).kill();
      cluster.world.runFor(15_000);
      expect(statusOf(cluster, 4)).toBe('joining');
      waitedFor.push(cluster.peer(4).core?.transfer?.waitsFor);
      cluster.peer(source).start();
      cluster.world.runUntil(() => cluster.whole && statusOf(cluster, 4) === 'up', 30_000);
      expect(checkStrays(cluster)).toEqual([]);
      for (const key of large) expect(get(cluster, 4, key, { r: 3 }).values[0]).toContain(`value of ${key}.`);
    }
    expect(waitedFor).toEqual(
      meshOf(5)
        .peers.slice(0, 4)
        .map(({ id }) => id),
    );
  });
});

describe('a peer that has lost its disk', () => {
  it('[TR1] compares thousands of partitions with each of the others, and counts again', () => {
    const cluster = new Cluster(new World(3), { peers: 3, partitions: 4096 });
    cluster.startAll();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    for (const key of keys) put(cluster, 0, key, `value of ${key}`, { w: 3 });
    for (const lost of [1, 2]) {
      cluster.peer(lost).kill();
      cluster.peer(lost).storage.wipe();
      cluster.peer(lost).start();
      cluster.world.runUntil(() => cluster.whole && cluster.peer(lost).core?.transfer === undefined, 30_000);
      cluster.world.runFor(2000);
    }
    expectInPlace(cluster);
  });
});

describe('leaving', () => {
  it('[TR3] ends when the others have copied everything, and leaves nothing behind', () => {
    const cluster = meshOf(6);
    cluster.peer(5).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    expect(cluster.ask(2, { type: 'leave' }, 60_000)).toEqual({ type: 'left' });
    expect(statusOf(cluster, 2)).toBe('left');
    cluster.peer(2).kill();
    cluster.world.runFor(5000);
    expectInPlace(cluster);
  });

  it('[TR3] the last owner may not leave', () => {
    const cluster = new Cluster(new World(1), { peers: 1, partitions: 64 });
    cluster.peer(0).start();
    cluster.world.runUntil(() => statusOf(cluster, 0) === 'up', 40_000);
    expect(cluster.ask(0, { type: 'leave' })).toMatchObject({ type: 'failed', error: { code: 'OPTION_INVALID' } });
  });

  it('[TR3] goes on after the leaving peer was killed and started again', () => {
    const cluster = meshOf(6);
    cluster.peer(5).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    cluster.peer(2).request({ type: 'leave' }, () => {});
    cluster.world.runUntil(() => cluster.peer(3).core?.membership.table.get(cluster.peer(2).id)?.signed.record.status === 'leaving', 1000);
    cluster.peer(2).kill();
    cluster.world.runFor(3000);
    cluster.peer(2).start();
    expect(cluster.world.runUntil(() => statusOf(cluster, 2) === 'left', 60_000)).toBe(true);
  });
});

describe('removal', () => {
  it('[MB2] [TS2] others own what a removed member owned; it joins anew, without what it had', () => {
    const cluster = meshOf(6);
    cluster.peer(5).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    cluster.peer(3).kill();
    cluster.world.runUntil(() => cluster.allSee(3, 'dead'), 20_000);
    expect(cluster.ask(0, { type: 'remove', peer: cluster.peer(3).id })).toEqual({ type: 'removed' });
    cluster.world.runFor(10_000);
    expect(cluster.view(1, 3)).toBe('removed');
    expectInPlace(cluster);
    cluster.peer(3).start();
    cluster.world.runUntil(() => cluster.whole, 60_000);
    expect(statusOf(cluster, 3)).toBe('up');
    expectInPlace(cluster);
  });

  it('[MB2] comes by itself for tabs that have been dead for a while, and never for servers', () => {
    const cluster = new Cluster(new World(5), { peers: 5, partitions: 64, classes: ['server', 'server', 'server', 'server', 'tab'] });
    cluster.startAll();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    cluster.peer(3).kill();
    cluster.peer(4).kill();
    cluster.world.runFor(10 * 60_000);
    expect([cluster.view(0, 3), cluster.view(0, 4)]).toEqual(['dead', 'dead']);
    cluster.world.runFor(6 * 60_000);
    expect([cluster.view(0, 3), cluster.view(0, 4)]).toEqual(['dead', 'removed']);
  });

  it('[MB2] of a member that is alive is refused', () => {
    const cluster = meshOf(4);
    expect(cluster.ask(0, { type: 'remove', peer: cluster.peer(2).id })).toMatchObject({
      type: 'failed',
      error: { code: 'OPTION_INVALID' },
    });
    expect(cluster.view(0, 2)).toBe('alive');
  });

  it('[MB2] of somebody who is no member is an error', () => {
    const cluster = meshOf(4);
    expect(cluster.ask(0, { type: 'remove', peer: cluster.peer(3).id })).toMatchObject({
      type: 'failed',
      error: { code: 'OPTION_INVALID' },
    });
  });
});

describe('members that come and go under every fault', () => {
  it.each([1, 2, 3, 4, 5, 6])('[IN] nothing is lost (seed %i)', (seed) => {
    const { violations } = runSimulation({
      seed,
      peers: 5 + (seed % 3),
      ops: 500,
      faults: ['leave', 'remove', 'kill', 'pause', 'halves', 'loss'],
    });
    expect(violations).toEqual([]);
  });

  it('[MB2] [VR3] a removed member whose store remembers less than the removal names joins anew all the same', () => {
    const { violations } = runSimulation({ seed: 40300, peers: 13, ops: 400, faults: ['leave', 'remove', 'silentRollback'] });
    expect(violations).toEqual([]);
  });
});
