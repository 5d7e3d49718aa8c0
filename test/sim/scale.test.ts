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

describe('many peers', { timeout: 180_000 }, () => {
  it('[MB4] [VR3] cost each of them no more than the logarithm of their number, while all of them give dots', () => {
    const [few, many] = [32, 96];
    const [ofFew, ofMany] = [costOf(few), costOf(many)];
    const growth = Math.log(many) / Math.log(few);
    expect(ofMany.messages / ofFew.messages).toBeLessThan(growth);
    expect(ofMany.bytes / ofFew.bytes).toBeLessThan(growth);
  });
});
