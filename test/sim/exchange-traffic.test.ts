/**
 * What an exchange costs: with 200,000 keys on two peers and 50 differences all that travels is less than 1 MiB, and less than a hundredth of what all keys
 * with their clocks would take. The stores are written row by row, as two peers would have left them.
 */

import { expect, it } from 'vitest';

import { fromByteString, textToBytes, toByteString, Writer } from '../../src/core/bytes.ts';
import { encodeMessage } from '../../src/core/codec.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { Actor, Address, ByteString } from '../../src/core/ids.ts';
import { indexKey, leafKey, recordKey } from '../../src/core/layout.ts';
import { emptyDigest, leafOf, recordDigest, xor } from '../../src/core/merkle.ts';
import { encodeRecord, type RecordSet, writeVector } from '../../src/core/record.ts';
import { partitionOf } from '../../src/core/ring.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { newCluster } from './support/story.ts';

const count = 200_000;
const partitions = 4096;
const n = 2;
const bucket = 'people';
const name = (index: number): string => `customer/${String(index).padStart(8, '0')}`;
const actor = (index: number): Actor => `${String(index).padStart(32, '0')}.0` as Actor;
const text = (value: string): Uint8Array => Uint8Array.from(textToBytes(value), (letter) => letter.charCodeAt(0));

/** A key's versions after `puts` of this replica: each put has seen the one before it. */
function recordAfter(replica: number, counter: number, puts: number): RecordSet {
  const last = counter + puts - 1;
  const value = { tombstone: false, bytes: text(`value ${last}`), contentType: 'text/plain', priority: 0 };
  const stored = { ...value, time: { ms: 1_700_000_000_000, tick: 0 }, operation: toByteString(new Uint8Array(16).fill(last)) };
  return {
    context: [{ actor: actor(replica), counter: last }],
    siblings: [{ dot: { actor: actor(replica), counter: last }, value: stored }],
  };
}

type Rows = Map<ByteString, Uint8Array>;

/** A peer's rows in the making: what another one had, with some records replaced. */
class Store {
  readonly rows: Rows;
  readonly leaves: Map<ByteString, ByteString>;

  constructor(from?: Store) {
    this.rows = new Map(from?.rows);
    this.leaves = new Map(from?.leaves);
  }

  put(address: Address, record: RecordSet | undefined, before?: RecordSet): void {
    const leaf = leafKey(n, partitionOf({ partitions }, address.position), leafOf(address.position, partitions));
    for (const set of [before, record])
      if (set !== undefined) this.leaves.set(leaf, xor(this.leaves.get(leaf) ?? emptyDigest, recordDigest(address, set)));
    if (record === undefined) {
      this.rows.delete(recordKey(address));
      this.rows.delete(indexKey(address));
    } else {
      this.rows.set(recordKey(address), encodeRecord(record, n));
      this.rows.set(indexKey(address), new Uint8Array(0));
    }
  }

  get all(): (readonly [ByteString, Uint8Array])[] {
    const leaves = [...this.leaves].map(([key, digest]) => [key, fromByteString(digest)] as const);
    return [...this.rows, ...leaves].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Two stores that differ in 50 keys, and what their keys and clocks would take on the wire. */
function stores(): { stores: [Store, Store]; keysBytes: number } {
  const first = new Store();
  const addresses: Address[] = [];
  let keysBytes = 0;
  for (let index = 0; index < count; index++) {
    const address = addressOf(bucket, textToBytes(name(index)));
    const record = recordAfter(0, index + 1, 1);
    first.put(address, record);
    addresses.push(address);
    const writer = new Writer().text(bucket).byteString(address.key);
    writeVector(writer, record.context);
    keysBytes += writer.finish().length;
  }
  const second = new Store(first);
  for (let i = 0; i < 50; i++) {
    const index = i * 3989;
    const address = addresses[index] as Address;
    const common = recordAfter(0, index + 1, 1);
    if (i < 20) first.put(address, recordAfter(0, index + 1, 2), common);
    else if (i < 30) second.put(address, undefined, common);
    else if (i < 40) first.put(address, undefined, common);
    else second.put(address, recordAfter(1, index + 1, 1), common);
  }
  return { stores: [first, second], keysBytes };
}

/** Counts the bytes of all frames of all peers, each with its length prefix. */
function countBytes(cluster: Cluster): () => number {
  let bytes = 0;
  const send = cluster.network.send.bind(cluster.network);
  cluster.network.send = (from, to, message) => {
    bytes += encodeMessage(message).length + 4;
    return send(from, to, message);
  };
  return () => bytes;
}

it('[AE2] 50 differences among 200,000 keys cost less than 1 MiB and less than a hundredth of all keys with their clocks', () => {
  const { stores: both, keysBytes } = stores();
  const cluster = newCluster({ peers: 2, partitions });
  // A mesh that has been together: who joins compares everything once.
  cluster.startAll();
  expect(cluster.world.runUntil(() => cluster.whole, 20_000)).toBe(true);
  cluster.world.runFor(2000);
  both.forEach((store, index) => {
    const peer = cluster.peer(index);
    peer.kill();
    const members = peer.storage.snapshot().filter(([key]) => key.startsWith('m'));
    peer.storage.rollback([...members, ...store.all], true);
  });
  cluster.startAll();
  expect(cluster.world.runUntil(() => cluster.whole, 20_000)).toBe(true);
  const bytes = countBytes(cluster);
  const different: number[] = [];
  cluster.onEvent((_, event) => void (event.type === 'exchange' && different.push(event.different)));
  const command = { partitions: undefined, counts: [n] };
  const [first, again] = [cluster.ask(0, { type: 'repair', command }, 60_000), cluster.ask(0, { type: 'repair', command }, 60_000)];
  const spent = bytes();
  // The exchange in the background may have come first.
  expect(different).toEqual([50]);
  expect(first).toMatchObject({ type: 'repair', outcome: { compared: partitions, failed: [] } });
  expect(again).toMatchObject({ type: 'repair', outcome: { compared: partitions, different: 0 } });
  expect(spent).toBeLessThan(1024 * 1024);
  expect(spent).toBeLessThan(keysBytes / 100);
}, 120_000);
