/** What many peers cost each of them. */

import { describe, expect, it } from 'vitest';

import type { ByteString } from '../../src/core/ids.ts';
import { Cluster } from '../../src/sim/cluster.ts';
import { World } from '../../src/sim/world.ts';

const roundMs = 500;

/** Messages and bytes a peer and second in a mesh all of whose members give dots all the time. */
function costOf(peers: number): { messages: number; bytes: number } {
  const cluster = new Cluster(new World(7), { peers, founders: peers, bootstrap: 0, partitions: 1024, network: { codec: true } });
  cluster.startFormed();
  const { world, network } = cluster;
  let keys = 0;
  const work = (rounds: number): void => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < peers / 8; i++) {
        const command = {
          bucket: 'bucket',
          key: `key-${keys}` as ByteString,
          context: [],
          tombstone: false,
          bytes: new Uint8Array(1),
          contentType: undefined,
        };
        const quorum = { priority: 0, n: 3, w: 2, mode: 'sloppy', resolver: 'siblings', budgetMs: 5000 } as const;
        cluster.peer(keys++ % peers).request({ type: 'put', command: { ...command, ...quorum } }, () => {});
      }
      world.runFor(roundMs);
    }
  };
  work(60);
  const before = { ...network.counters };
  const rounds = 60;
  work(rounds);
  const { sent, gossipSent, sentBytes, gossipBytes } = network.counters;
  const perPeer = (rounds * roundMs * peers) / 1000;
  return {
    messages: (sent + gossipSent - before.sent - before.gossipSent) / perPeer,
    bytes: (sentBytes + gossipBytes - before.sentBytes - before.gossipBytes) / perPeer,
  };
}

/** Messages a peer from the end of a split into halves until all have one ring and see each other alive. */
function costOfMending(peers: number): number {
  const cluster = new Cluster(new World(7), { peers, founders: peers, bootstrap: 0, partitions: 256 });
  cluster.startFormed();
  const { world, network } = cluster;
  const all = cluster.peers.map(({ index }) => index);
  const sent = (): number => network.counters.sent + network.counters.gossipSent;
  world.runFor(5000);
  cluster.split([all.filter((index) => index % 2 === 0), all.filter((index) => index % 2 === 1)]);
  world.runFor(15_000);
  const before = sent();
  network.mendAll();
  while (!all.every((index) => cluster.allSee(index, 'alive'))) {
    if (sent() - before > 1000 * peers) throw new Error('the halves do not come together');
    world.runFor(100);
  }
  return (sent() - before) / peers;
}

describe('many peers', { timeout: 180_000 }, () => {
  it('[MB4] [VR3] cost each of them no more than the logarithm of their number, while all of them give dots', () => {
    const [few, many] = [32, 96];
    const [ofFew, ofMany] = [costOf(few), costOf(many)];
    const growth = Math.log(many) / Math.log(few);
    expect(ofMany.messages / ofFew.messages).toBeLessThan(growth);
    expect(ofMany.bytes / ofFew.bytes).toBeLessThan(growth);
  });

  it('[MB4] hear of half of all members at the end of a split in about as many messages, however many these are', () => {
    const [ofFew, ofMany] = [costOfMending(80), costOfMending(160)];
    expect(ofMany / ofFew).toBeLessThan(1.5);
    expect(ofMany).toBeLessThan(250);
  });
});
