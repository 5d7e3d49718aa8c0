/** How simulated peers find each other, notice a death, and accuse nobody for being slow themselves. */

import { describe, expect, it } from 'vitest';

import { get, held, hintsLeft, mesh, newCluster, placesOf, put } from './support/story.ts';

const seeds = [1, 2, 3, 4, 5];

describe('a mesh comes together', () => {
  it.each(seeds)('[MB4] five peers started at once agree on one ring within 5 s (seed %i)', (seed) => {
    const cluster = newCluster({ seed });
    cluster.startAll();
    expect(cluster.world.runUntil(() => cluster.whole, 5000)).toBe(true);
  });

  it.each(seeds)('[MB4] losing every gossip message only delays that (seed %i)', (seed) => {
    const cluster = newCluster({ seed });
    cluster.network.faults.gossipLoss = 1;
    cluster.startAll();
    expect(cluster.world.runUntil(() => cluster.whole, 15_000)).toBe(true);
    expect(cluster.network.counters.gossipLost).toBe(cluster.network.counters.gossipSent);
  });

  it('[RG1] peers that are started one after the other, in any order, make the ring that others made', () => {
    const digests = [
      [0, 1, 2, 3, 4],
      [3, 1, 0, 4, 2],
    ].map((order) => {
      const cluster = newCluster();
      for (const peer of order) {
        cluster.peer(peer).start();
        cluster.world.runFor(700);
      }
      expect(cluster.world.runUntil(() => cluster.whole, 10_000)).toBe(true);
      return cluster.peer(0).core?.membership.placement.ring.digest;
    });
    expect(digests[0]).toBe(digests[1]);
  });

  it.each(seeds)('[MB4] news are gossiped a few times, not by everyone that hears them (seed %i)', (seed) => {
    const peers = 20;
    const cluster = mesh({ seed, peers });
    cluster.world.runFor(1000);
    let published = 0;
    const publish = cluster.network.publish.bind(cluster.network);
    cluster.network.publish = (who, rumors) => {
      published++;
      publish(who, rumors);
    };
    cluster.peer(7).kill();
    expect(cluster.world.runUntil(() => cluster.peers.every(({ up, index }) => !up || cluster.view(index, 7) === 'dead'), 20_000)).toBe(
      true,
    );
    cluster.world.runFor(1000);
    // A suspicion, then a death that all find out at the same time.
    expect(published).toBeLessThan(peers / 2);
    expect(published).toBeGreaterThan(1);
  });

  it('[MB1] who hears of many members at once makes their ring once', () => {
    const founders = 40;
    const cluster = newCluster({ peers: founders + 1, bootstrap: 0, founders });
    cluster.startFormed(founders);
    const rings: number[] = [];
    cluster.onEvent((peer, event) => {
      if (peer === founders && event.type === 'ring') rings.push(event.members);
    });
    cluster.peer(founders).start();
    cluster.network.connect(founders, cluster.peer(0).id);
    expect(cluster.world.runUntil(() => cluster.agreed, 5000)).toBe(true);
    expect(rings).toEqual([0, founders, founders + 1]);
  });

  it('[MB2] peers that were all killed come back with the ring that they left, before they have met anyone', () => {
    const cluster = mesh();
    const { digest } = cluster.peer(0).core?.membership.placement.ring ?? { digest: '' };
    for (const peer of cluster.peers) peer.kill();
    cluster.peer(3).start();
    expect(cluster.world.runUntil(() => cluster.peer(3).serving, 1000)).toBe(true);
    expect(cluster.peer(3).core?.membership.placement.ring.digest).toBe(digest);
  });
});

describe('a peer dies', () => {
  it.each(seeds)('[MB3] a killed peer is dead in all views within 5 s, and back soon after its return (seed %i)', (seed) => {
    const cluster = mesh({ seed });
    const victim = seed % 5;
    cluster.peer(victim).kill();
    expect(cluster.world.runUntil(() => cluster.allSee(victim, 'dead'), 5000)).toBe(true);
    cluster.peer(victim).start();
    expect(cluster.world.runUntil(() => cluster.whole, 10_000)).toBe(true);
  });

  it('[MB2] a dead peer stays on the ring', () => {
    const cluster = mesh();
    cluster.peer(2).kill();
    cluster.world.runFor(60_000);
    expect(cluster.view(0, 2)).toBe('dead');
    expect(cluster.agreed).toBe(true);
  });

  it('[MB3] a peer that says goodbye is known to be gone at once', () => {
    const cluster = mesh();
    cluster.peer(2).announcePause();
    cluster.world.runFor(100);
    cluster.peer(2).kill();
    expect(cluster.allSee(2, 'dead')).toBe(true);
  });

  it('[HH1] what is written meanwhile is handed over after its return', () => {
    const cluster = mesh();
    const key = 'while it was away';
    const [victim = 0, other = 0] = placesOf(cluster, key).primaries;
    cluster.peer(victim).kill();
    expect(cluster.world.runUntil(() => cluster.allSee(victim, 'dead'), 5000)).toBe(true);
    expect(put(cluster, other, key, 'v1').outcome).toBe('ok');
    cluster.world.runFor(1000);
    expect(hintsLeft(cluster)).toBe(1);
    cluster.peer(victim).start();
    expect(cluster.world.runUntil(() => cluster.peer(victim).serving && hintsLeft(cluster) === 0, 10_000)).toBe(true);
    expect(held(cluster, victim, key)).toEqual(['v1']);
  });
});

describe('a peer stands still', () => {
  it.each(seeds)('[MB3] it accuses no one when it goes on (seed %i)', (seed) => {
    const cluster = mesh({ seed });
    const accusers = new Set<number>();
    cluster.onEvent((peer, event) => {
      if (event.type === 'member' && (event.state === 'suspect' || event.state === 'dead') && event.peer !== cluster.peer(2).id)
        accusers.add(peer);
    });
    cluster.peer(2).pause();
    cluster.world.runFor(30_000);
    cluster.peer(2).resume();
    cluster.world.runFor(10_000);
    expect([...accusers]).toEqual([]);
    expect(cluster.whole).toBe(true);
  });

  it.each(seeds)('[MB3] nor when its links broke meanwhile (seed %i)', (seed) => {
    const cluster = mesh({ seed });
    const accused = new Set<string>();
    cluster.onEvent((_, event) => {
      if (event.type === 'member' && (event.state === 'suspect' || event.state === 'dead') && event.peer !== cluster.peer(2).id)
        accused.add(event.peer);
    });
    cluster.peer(2).pause();
    cluster.world.runFor(10_000);
    for (const other of [0, 1, 3, 4]) cluster.network.reset(2, other);
    cluster.world.runFor(10_000);
    cluster.peer(2).resume();
    cluster.world.runFor(10_000);
    expect([...accused]).toEqual([]);
    expect(cluster.whole).toBe(true);
  });
});

describe('a split', () => {
  it('[MB3] both sides hold each other for dead, and forgive after it', () => {
    const cluster = mesh();
    cluster.split([
      [0, 1],
      [2, 3, 4],
    ]);
    expect(
      cluster.world.runUntil(
        () => [0, 1].every((a) => [2, 3, 4].every((b) => cluster.view(a, b) === 'dead' && cluster.view(b, a) === 'dead')),
        15_000,
      ),
    ).toBe(true);
    expect([cluster.view(0, 1), cluster.view(2, 4)]).toEqual(['alive', 'alive']);
    cluster.network.mendAll();
    expect(cluster.world.runUntil(() => cluster.whole, 20_000)).toBe(true);
  });

  it('[QR3] the side with a majority of a key goes on reading and writing it strictly, the other one refuses', () => {
    const cluster = mesh();
    const key = 'split';
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [a = 0, b = 0, c = 0] = primaries;
    put(cluster, a, key, 'before');
    cluster.split([
      [a, b],
      [c, ...fallbacks],
    ]);
    cluster.world.runFor(5000);
    expect(put(cluster, a, key, 'during', { context: get(cluster, a, key).context }).outcome).toBe('ok');
    expect(get(cluster, b, key).values).toEqual(['during']);
    expect(() => get(cluster, c, key)).toThrow('1 of the 2 replicas');
    expect(put(cluster, c, key, 'minority').outcome).toBe('partial');
    cluster.network.mendAll();
    expect(cluster.world.runUntil(() => cluster.whole, 20_000)).toBe(true);
    expect(get(cluster, c, key).values).toEqual(['during', 'minority']);
  });
});
