/** Gets that ask some replicas for the clock alone, and quorums that must agree on their primaries. What each replica holds is put there by hand. */

import { describe, expect, it } from 'vitest';

import type { RecordSet } from '../../src/core/record.ts';
import { textToBytes } from '../../src/core/bytes.ts';
import type { Cluster } from '../../src/sim/cluster.ts';
import { command, OneReplica } from '../unit/support/one-replica.ts';
import { get, held, mesh, placesOf, put, tryPut } from './support/story.ts';

const key = 'cart';
const large = (letter: string): string => letter.repeat(100_000);

/** Stores a record at one peer, as if another replica had sent it. */
function place(cluster: Cluster, peer: number, record: RecordSet): void {
  let stored = false;
  cluster.peer(peer).inspect((core, now) => {
    const call = { type: 'store', bucket: 'default', key: textToBytes(key), n: 3, record, owner: undefined, ordered: false } as const;
    core.replica.store(now, call, (_, result) => (stored = result === undefined));
  });
  if (!cluster.world.runUntil(() => stored, 1000)) throw new Error('the record was not stored');
}

/** One version after the other, each a record that knows the ones before. */
function versions(...values: readonly string[]): RecordSet[] {
  const store = new OneReplica('s');
  let context: RecordSet['context'] = [];
  return values.map((value) => {
    const { record } = store.put(command(key, value, { bucket: 'default', context }));
    ({ context } = record);
    return record;
  });
}

const of = (store: string, value: string): RecordSet => new OneReplica(store).put(command(key, value, { bucket: 'default' })).record;

/** A mesh whose primaries hold these records, and a peer that holds nothing, with what it asks for. */
function replicasWith(records: readonly (RecordSet | undefined)[]): {
  cluster: Cluster;
  primaries: number[];
  reader: number;
  counted: (name: string) => number;
} {
  const cluster = mesh();
  const { primaries, fallbacks } = placesOf(cluster, key);
  primaries.forEach((peer, i) => {
    const record = records[i];
    if (record !== undefined) place(cluster, peer, record);
  });
  const before = new Map(cluster.network.counters.byName);
  const counted = (name: string): number => (cluster.network.counters.byName.get(name) ?? 0) - (before.get(name) ?? 0);
  return { cluster, primaries, reader: fallbacks[0] ?? 0, counted };
}

const [older, newer] = versions(large('a'), large('b'));

describe('a get of large values', () => {
  for (const mode of ['strict', 'sloppy'] as const) {
    it(`[QR7] (${mode}) brings one copy and clocks where all replicas hold the same`, () => {
      const { cluster, reader, counted } = replicasWith([newer, newer, newer]);
      const { sentBytes } = cluster.network.counters;
      expect(get(cluster, reader, key, { r: 3, mode }).values).toEqual([large('b')]);
      expect([counted('fetched'), counted('clock'), counted('store')]).toEqual([1, 2, 0]);
      expect(cluster.network.counters.sentBytes - sentBytes).toBeLessThan(110_000);
    });

    for (let holds = 0; holds < 27; holds++) {
      const states = [holds % 3, Math.floor(holds / 3) % 3, Math.floor(holds / 9)];
      const names = states.map((state) => ['nothing', 'the old', 'the new'][state]);
      it(`[QR7] [AE4] (${mode}) finds the newest among ${names.join(', ')}, and repairs the others`, () => {
        const { cluster, primaries, reader } = replicasWith(states.map((state) => [undefined, older, newer][state]));
        const newest = [[], [large('a')], [large('b')]][Math.max(...states)];
        expect(get(cluster, reader, key, { r: 3, mode }).values).toEqual(newest);
        cluster.world.runFor(1000);
        expect(primaries.map((peer) => held(cluster, peer, key))).toEqual([newest, newest, newest]);
      });
    }

    it(`[QR7] [VR1] (${mode}) brings siblings that lie at different replicas, and merges them everywhere`, () => {
      const { cluster, primaries, reader } = replicasWith([of('s', large('a')), of('t', large('b')), of('u', large('c'))]);
      const all = [large('a'), large('b'), large('c')];
      expect(get(cluster, reader, key, { r: 3, mode }).values).toEqual(all);
      cluster.world.runFor(1000);
      expect(primaries.map((peer) => held(cluster, peer, key))).toEqual([all, all, all]);
    });

    it(`[QR7] (${mode}) goes on with the replicas that answered by their clocks when the one with the copy dies`, () => {
      for (const victim of [0, 1, 2]) {
        const { cluster, primaries, reader } = replicasWith([newer, newer, newer]);
        const peer = primaries[victim] ?? 0;
        cluster.peer(peer).storage.faults.slowness = 1000;
        cluster.world.after(30, 'fault', 0, () => cluster.peer(peer).kill());
        expect(get(cluster, reader, key, { r: 2, mode }).values).toEqual([large('b')]);
      }
    });
  }

  it('[QR7] of small ones takes one round trip, whatever the replicas hold', () => {
    const [a, b] = versions('a', 'b');
    const { cluster, reader, counted } = replicasWith([a, b, a]);
    expect(get(cluster, reader, key, { r: 3, mode: 'sloppy' }).values).toEqual(['b']);
    expect([counted('fetch'), counted('fetched'), counted('clock')]).toEqual([3, 3, 0]);
  });
});

describe('a quorum of a ring that is out of date', () => {
  /**
   * One peer has started with an empty disk. It has heard of two others that are no primaries of the key, as it is none itself, and a link to one of them has just
   * come up.
   */
  function stranger(): { cluster: Cluster; peer: number; primaries: number[] } {
    const cluster = mesh({ peers: 9, bootstrap: 9 });
    const { primaries, fallbacks } = placesOf(cluster, key);
    const [first = 0, second = 0, peer = 0] = fallbacks;
    put(cluster, primaries[0] ?? 0, key, 'v1', { w: 3 });
    cluster.peer(peer).kill();
    cluster.peer(peer).storage.wipe();
    cluster.world.runUntil(() => cluster.allSee(peer, 'dead'), 20_000);
    for (const { index } of cluster.peers) if (index !== peer) cluster.network.cut(peer, index, true);
    cluster.peer(peer).start();
    cluster.world.runUntil(() => cluster.peer(peer).serving, 5000);
    const { table } = cluster.peer(first).core?.membership ?? {};
    const known = [first, second].map((index) => table?.get(cluster.peer(index).id)?.signed).filter((signed) => signed !== undefined);
    cluster.peer(peer).inspect((core, now) => core.gossiped(now, { members: known, suspicions: [], removals: [] }));
    cluster.network.mend(peer, first);
    cluster.world.runUntil(() => cluster.peer(peer).core?.calls.linked(cluster.peer(first).id) === true, 20_000);
    expect(cluster.peer(peer).core?.membership.placement.ring.members.length).toBe(3);
    return { cluster, peer, primaries };
  }

  it('[MB5] [QR3] makes no strict get of it: an acknowledged value is not missed', () => {
    const { cluster, peer } = stranger();
    const command = { bucket: 'default', key: textToBytes(key), n: 3, r: 2, mode: 'strict', resolver: 'siblings', budgetMs: 500 } as const;
    expect(cluster.ask(peer, { type: 'get', command })).toMatchObject({ type: 'failed' });
    cluster.network.mendAll();
    cluster.world.runUntil(() => cluster.whole, 30_000);
    expect(get(cluster, peer, key).values).toEqual(['v1']);
  });

  it('[MB5] goes on by itself as soon as the rings agree', () => {
    const { cluster, peer } = stranger();
    cluster.network.mendAll();
    expect(get(cluster, peer, key, { budgetMs: 10_000 }).values).toEqual(['v1']);
  });

  it('[MB5] [QR3] makes no strict put of it: strict gets elsewhere would miss it', () => {
    const { cluster, peer, primaries } = stranger();
    const reply = tryPut(cluster, peer, key, 'v2', { budgetMs: 500 });
    const isDone = reply?.type === 'put' && reply.outcome.outcome === 'ok';
    if (isDone) for (const primary of primaries) expect(get(cluster, primary, key).values).toContain('v2');
    cluster.network.mendAll();
    cluster.world.runUntil(() => cluster.whole, 30_000);
    expect(get(cluster, primaries[0] ?? 0, key, { r: 3 }).values).toContain('v1');
  });
});
