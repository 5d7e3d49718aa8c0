/** Watches through the public handle, over simulated peers: who watches need not store what it watches. */

import { describe, expect, it } from 'vitest';
import type { Watch, WatchEvent } from '../../src/api.ts';
import { Cluster } from '../../src/sim/cluster.ts';
import { simHandle } from '../../src/sim/handle.ts';
import { World } from '../../src/sim/world.ts';
import { settled } from './support/settled.ts';

const watcher = 5;

/** Five servers, and one peer that stores nothing. */
function mesh(): Cluster {
  const cluster = new Cluster(new World(3), { peers: 6, weight: (index) => (index === watcher ? 0 : 16), bootstrap: 0, founders: 6 });
  cluster.startFormed();
  cluster.world.runFor(1000);
  return cluster;
}

/** What a watch tells, as short lines. */
function follow(watch: Watch): { readonly lines: string[]; readonly events: WatchEvent[] } {
  const told = { lines: [] as string[], events: [] as WatchEvent[] };
  void (async () => {
    for await (const event of watch) {
      told.events.push(event);
      told.lines.push(event.type === 'change' ? `${text(event.key)}=${event.value === undefined ? '†' : text(event.value)}` : event.type);
    }
  })();
  return told;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Lets the world run, and the promises that come of it. */
async function pass({ world }: Cluster, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    world.runFor(50);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

describe('[WA1] a peer that stores nothing is told each version once', () => {
  it('of a prefix: puts, replacements, deletes, whoever took them', async () => {
    const cluster = mesh();
    const bucket = (peer: number) => simHandle(cluster, peer).bucket('b');
    await settled(cluster.world, bucket(0).put('a/old', 'x'));
    const watch = bucket(watcher).watch({ prefix: 'a/' });
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    const first = await settled(cluster.world, bucket(0).put('a/1', 'one'));
    await settled(cluster.world, bucket(1).put('b/1', 'elsewhere'));
    await settled(cluster.world, bucket(2).put('a/1', 'two', { context: first.context }));
    const old = await settled(cluster.world, bucket(3).get('a/old'));
    await settled(cluster.world, bucket(3).delete('a/old', { context: old.context }));
    await pass(cluster, 2000);
    expect(told.lines).toEqual(['ready', 'a/1=one', 'a/1=two', 'a/old=†']);
    watch.close();
    await settled(cluster.world, bucket(0).put('a/2', 'unheard'));
    await pass(cluster, 2000);
    expect(told.lines).toHaveLength(4);
  });

  it('of one key, with what is there already if it is wanted', async () => {
    const cluster = mesh();
    await settled(cluster.world, simHandle(cluster, 0).bucket('b').put('key', 'there'));
    await settled(cluster.world, simHandle(cluster, 0).bucket('b').put('key2', 'no match'));
    const watch = simHandle(cluster, watcher).bucket('b').watch('key', { initial: true });
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    await settled(cluster.world, simHandle(cluster, 1).bucket('b').put('key', 'beside'));
    await pass(cluster, 500);
    expect(told.lines).toEqual(['key=there', 'ready', 'key=beside']);
  });

  it('with large values, which are fetched', async () => {
    const cluster = mesh();
    const watch = simHandle(cluster, watcher).bucket('b').watch('key');
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    await settled(cluster.world, simHandle(cluster, 1).bucket('b').put('key', new Uint8Array(200_000)));
    await pass(cluster, 1000);
    expect(told.events.map((event) => event.type === 'change' && event.value?.length)).toEqual([false, 200_000]);
  });
});

describe('[WA1] conflicts', () => {
  it('are seen in `current`, and settled with the context of what was told', async () => {
    const cluster = mesh();
    const watch = simHandle(cluster, watcher).bucket('b').watch('key');
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    await settled(cluster.world, simHandle(cluster, 0).bucket('b').put('key', 'one'));
    await settled(cluster.world, simHandle(cluster, 1).bucket('b').put('key', 'other'));
    await pass(cluster, 500);
    const last = told.events.at(-1);
    if (last?.type !== 'change') throw new Error('nothing was told');
    expect(last.current).toHaveLength(2);
    await settled(cluster.world, simHandle(cluster, watcher).bucket('b').put('key', 'both', { context: last.context }));
    await pass(cluster, 500);
    const end = told.events.at(-1);
    expect(end?.type === 'change' && end.current).toHaveLength(1);
    expect((await settled(cluster.world, simHandle(cluster, 2).bucket('b').get('key', { r: 3 }))).siblings).toHaveLength(1);
  });

  it('[VR1] the context does not cover what was there before and was not told', async () => {
    const cluster = mesh();
    await settled(cluster.world, simHandle(cluster, 0).bucket('b').put('key', 'before'));
    const watch = simHandle(cluster, watcher).bucket('b').watch('key');
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    await settled(cluster.world, simHandle(cluster, 0).bucket('b').put('key', 'beside'));
    await pass(cluster, 500);
    const last = told.events.at(-1);
    if (last?.type !== 'change') throw new Error('nothing was told');
    await settled(cluster.world, simHandle(cluster, 1).bucket('b').put('key', 'next', { context: last.context }));
    const { siblings } = await settled(cluster.world, simHandle(cluster, 2).bucket('b').get('key', { r: 3 }));
    expect(siblings.map(({ value }) => text(value)).sort()).toEqual(['before', 'next']);
  });
});

describe('[WA2] no gap', () => {
  it('when nobody could be reached for a while', async () => {
    const cluster = mesh();
    const watch = simHandle(cluster, watcher).bucket('b').watch({ prefix: '' });
    const told = follow(watch);
    await settled(cluster.world, watch.ready);
    cluster.split([[0, 1, 2, 3, 4], [watcher]]);
    await pass(cluster, 1000);
    const names = Array.from({ length: 30 }, (_, i) => `k${i}`);
    for (const name of names) await settled(cluster.world, simHandle(cluster, 0).bucket('b').put(name, 'v'));
    await pass(cluster, 3000);
    expect(told.lines).toEqual(['ready']);
    for (const peer of [0, 1, 2, 3, 4]) {
      cluster.network.mend(peer, watcher);
      cluster.network.mend(watcher, peer);
    }
    await pass(cluster, 20_000);
    expect(told.lines.slice(1).sort()).toEqual(names.map((name) => `${name}=v`).sort());
  });
});
