/**
 * Repair and scrub on demand: what they find, what they bring back, and what they say of peers that they cannot reach. Rows are taken from a running peer's
 * disk, behind its back, and the request comes before the exchange in the background would have noticed.
 */

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import type { Reply, Request } from '../../src/core/coordinator.ts';
import type { CoreEvent } from '../../src/core/events.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { recordKey } from '../../src/core/layout.ts';
import { partitionOf } from '../../src/core/ring.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { held, mesh, put } from './support/story.ts';

const keys = ['apple', 'banana', 'cherry', 'damson', 'elder', 'fig', 'grape', 'hazel'];
const addresses = keys.map((key) => addressOf('default', textToBytes(key)));
const partitions = keys.map((_, i) => partitionOf({ partitions: 256 }, addresses[i]?.position ?? 0));

/** Three peers, which all have all keys. */
function filled(): Cluster {
  const cluster = mesh({ peers: 3 });
  for (const key of keys) put(cluster, 0, key, `the ${key}`, { w: 3 });
  return cluster;
}

function ask<T extends Request['type'] & Reply['type']>(
  cluster: Cluster,
  peer: number,
  request: Request & { type: T },
): Reply & { type: T } {
  const reply = cluster.ask(peer, request, 60_000);
  if (reply?.type !== request.type) throw new Error(reply?.type === 'failed' ? reply.error.message : 'no answer');
  return reply as Reply & { type: T };
}

const repair = (cluster: Cluster, peer: number, only?: readonly number[]) =>
  ask(cluster, peer, { type: 'repair', command: { partitions: only, counts: [3] } }).outcome;
const scrub = (cluster: Cluster, peer: number) => ask(cluster, peer, { type: 'scrub', counts: [3] }).outcome;

/** The first keys vanish from a peer's disk, or their bytes change. */
function harm(cluster: Cluster, peer: number, count: number, how: 'lost' | 'damaged'): void {
  const { storage } = cluster.peer(peer);
  const rows = new Map(storage.snapshot());
  for (const address of addresses.slice(0, count)) {
    const row = rows.get(recordKey(address)) as Uint8Array;
    rows.delete(recordKey(address));
    if (how === 'damaged') rows.set(recordKey(address), row.with(20, (row[20] as number) ^ 1));
  }
  storage.rollback([...rows], true);
}

const allHeld = (cluster: Cluster, peer: number): string[] => keys.flatMap((key) => held(cluster, peer, key));
const everything = keys.map((key) => `the ${key}`);

describe('scrub', () => {
  it('[AE1] finds nothing where nothing is wrong', () => {
    const cluster = filled();
    expect(scrub(cluster, 1)).toMatchObject({ records: keys.length, damaged: 0, names: [], restored: 0, leaves: 0, repair: undefined });
  });

  it('[ST3] [AE3] finds damaged records and brings them back from the others', () => {
    const cluster = filled();
    const events: CoreEvent[] = [];
    cluster.onEvent((peer, event) => void (peer === 1 && events.push(event)));
    harm(cluster, 1, 3, 'damaged');
    const outcome = scrub(cluster, 1);
    expect(outcome).toMatchObject({ records: keys.length, damaged: 3, restored: 3, leaves: 0 });
    expect(new Set(outcome.names)).toEqual(new Set(addresses.slice(0, 3)));
    expect(outcome.repair).toMatchObject({ peers: 2, received: 3, failed: [] });
    expect(allHeld(cluster, 1)).toEqual(everything);
    expect(events.findLast((event) => event.type === 'scrub')).toEqual({
      ...{ type: 'scrub', partitionsDone: 256, partitionsTotal: 256 },
      ...{ records: keys.length, damaged: 3, leaves: 0 },
    });
    expect(scrub(cluster, 1)).toMatchObject({ damaged: 0, leaves: 0 });
  });

  it('[ST3] says what it could not bring back, and who could not be asked', () => {
    const cluster = filled();
    for (const peer of [0, 2]) harm(cluster, peer, 1, 'damaged');
    cluster.peer(1).kill();
    cluster.world.runUntil(() => cluster.allSee(1, 'dead'), 20_000);
    const { damaged, restored, repair: exchanges } = scrub(cluster, 0);
    expect({ damaged, restored, failed: exchanges?.failed }).toEqual({
      ...{ damaged: 1, restored: 0 },
      failed: [{ peer: cluster.peer(1).id, reason: 'out of reach' }],
    });
    cluster.peer(1).start();
    cluster.world.runUntil(() => cluster.whole, 20_000);
    cluster.world.runFor(10_000);
    expect(allHeld(cluster, 0)).toEqual(everything);
  });

  it('[AE1] puts leaves right that are not what their records make them, so that the next exchange sees the difference', () => {
    const cluster = filled();
    harm(cluster, 1, 3, 'lost');
    expect(repair(cluster, 1).different).toBe(0);
    expect(scrub(cluster, 1)).toMatchObject({ records: keys.length - 3, damaged: 0, leaves: 3 });
    expect(repair(cluster, 1)).toMatchObject({ different: 3, received: 3, sent: 0 });
    expect(allHeld(cluster, 1)).toEqual(everything);
    expect(scrub(cluster, 1).leaves).toBe(0);
  });
});

describe('repair', () => {
  /** Another peer lacks the first keys, and knows it. */
  function withLosses(count: number): Cluster {
    const cluster = filled();
    harm(cluster, 1, count, 'lost');
    scrub(cluster, 1);
    return cluster;
  }

  it('[AE3] sends what others lack, counts it, and tells how far it is', () => {
    const cluster = withLosses(4);
    const events: CoreEvent[] = [];
    cluster.onEvent((peer, event) => void (peer === 0 && event.type === 'repair' && events.push(event)));
    expect(repair(cluster, 0)).toMatchObject({ peers: 2, compared: 2 * 256, different: 4, sent: 4, received: 0, failed: [] });
    expect(allHeld(cluster, 1)).toEqual(everything);
    expect(events[0]).toMatchObject({ peersDone: 0, peersTotal: 2, compared: 0, different: 0 });
    expect(events.at(-1)).toMatchObject({ peer: '', peersDone: 2, peersTotal: 2, compared: 512, different: 4, sent: 4 });
    expect(repair(cluster, 0).different).toBe(0);
  });

  it('[AE3] of one partition leaves the others alone', () => {
    const cluster = withLosses(4);
    const [partition = 0] = partitions;
    const there = partitions.slice(0, 4).filter((other) => other === partition).length;
    expect(repair(cluster, 1, [partition])).toMatchObject({ peers: 2, compared: 2, different: there, received: there });
    expect(repair(cluster, 1).different).toBe(4 - there);
  });

  it('[AE3] [TR1] a peer that has nothing at all is filled by itself, and a repair finds nothing then', () => {
    const cluster = filled();
    const peer = cluster.peer(2);
    peer.kill();
    peer.storage.wipe();
    peer.start();
    cluster.world.runUntil(() => peer.serving && cluster.whole, 20_000);
    cluster.world.runUntil(() => allHeld(cluster, 2).length === keys.length, 20_000);
    expect(allHeld(cluster, 2)).toEqual(everything);
    expect(repair(cluster, 2)).toMatchObject({ different: 0, received: 0 });
  });

  it('[AE3] says which members could not be compared', () => {
    const cluster = withLosses(2);
    cluster.peer(2).kill();
    cluster.world.runUntil(() => cluster.allSee(2, 'dead'), 20_000);
    const failed: { peer: PeerId; reason: string }[] = [{ peer: cluster.peer(2).id, reason: 'out of reach' }];
    expect(repair(cluster, 0)).toMatchObject({ peers: 2, compared: 256, failed });
    expect(allHeld(cluster, 1)).toEqual(everything);
  });

  it('[QR9] comes one at a time and can be aborted; the next one goes on', () => {
    const cluster = withLosses(8);
    const command = { partitions: undefined, counts: [3] };
    const replies: (Reply | undefined)[] = [];
    const id = cluster.peer(1).request({ type: 'repair', command }, (reply) => void replies.push(reply));
    expect(cluster.ask(1, { type: 'scrub', counts: [] })).toMatchObject({ type: 'failed', error: { code: 'OVERLOADED' } });
    cluster.peer(1).abort(id);
    expect(replies).toMatchObject([{ type: 'failed', error: { code: 'ABORTED' } }]);
    repair(cluster, 1);
    expect(allHeld(cluster, 1)).toEqual(everything);
  });
});
