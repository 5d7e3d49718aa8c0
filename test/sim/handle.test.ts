/** The public handle over simulated peers, and a mesh that is there at once. */

import { describe, expect, it } from 'vitest';
import { Cluster } from '../../src/sim/cluster.ts';
import { simHandle } from '../../src/sim/handle.ts';
import { World } from '../../src/sim/world.ts';
import { settled } from './support/settled.ts';

function formed(peers: number, weight = 16): Cluster {
  const cluster = new Cluster(new World(7), { peers, weight, bootstrap: 0, founders: peers });
  cluster.startFormed();
  return cluster;
}

describe('a formed mesh', () => {
  it('[RG1] agrees on one ring and answers at once, whoever is asked', async () => {
    const cluster = formed(40);
    const { world } = cluster;
    expect(cluster.agreed).toBe(true);
    expect(cluster.whole).toBe(true);
    const receipt = await settled(world, simHandle(cluster, 3).bucket('b').put('key', 'value', { mode: 'strict' }));
    expect(receipt.outcome).toBe('ok');
    const got = await settled(world, simHandle(cluster, 30).bucket('b').get('key', { mode: 'strict' }));
    expect(new TextDecoder().decode(got.siblings[0]?.value)).toBe('value');
  });

  it('[MB3] finds out that a peer is gone, and that it is back', () => {
    const cluster = formed(40);
    cluster.world.runFor(2000);
    cluster.peer(5).kill();
    expect(cluster.world.runUntil(() => cluster.allSee(5, 'dead'), 60_000)).toBe(true);
    cluster.peer(5).start();
    expect(cluster.world.runUntil(() => cluster.whole, 60_000)).toBe(true);
  });

  it('[TR1] takes in who joins later', () => {
    const cluster = new Cluster(new World(7), { peers: 9, weight: 16, bootstrap: 0, founders: 8 });
    cluster.startFormed(8);
    cluster.world.runFor(1000);
    cluster.peer(8).start();
    cluster.network.connect(8, cluster.peer(0).id);
    const joined = (): boolean => simHandle(cluster, 3).ring().members.length === 9;
    expect(cluster.world.runUntil(joined, 60_000)).toBe(true);
  });

  it('is a moment’s work for hundreds of peers', () => {
    const cluster = formed(400, 8);
    expect(cluster.agreed).toBe(true);
    expect(simHandle(cluster, 399).members()).toHaveLength(400);
  });
});

describe('the handle of a simulated peer', () => {
  it('[QR4] tells the race of a put: who was asked, who answered when, and whose answer made the quorum', async () => {
    const cluster = formed(5);
    const { world } = cluster;
    const home = simHandle(cluster, 0).placement('b', 'key').primaries[0] ?? '';
    const handle = simHandle(
      cluster,
      cluster.peers.findIndex((peer) => peer.id === home),
    );
    const told: string[] = [];
    handle.onEvent((event) => {
      if (event.type === 'hop') told.push(`ask ${event.kind}`);
      if (event.type === 'answer') told.push(`${event.state}${event.made ? ' made' : ''}${event.late ? ' late' : ''}`);
    });
    await settled(world, handle.bucket('b').put('key', 'value'));
    world.runFor(100);
    expect(told).toEqual(['ask store', 'stored', 'ask store', 'ask store', 'stored made', 'stored late']);
  });

  it('[QR7] tells the race of a get', async () => {
    const cluster = formed(5);
    const handle = simHandle(cluster, 1);
    const answers: boolean[] = [];
    handle.onEvent((event) => void (event.type === 'answer' && answers.push(event.made)));
    await settled(cluster.world, handle.bucket('b').get('nothing', { r: 3 }));
    expect(answers).toEqual([false, false, true]);
  });

  it('[AE2] tells how two trees are compared down to the keys that differ', async () => {
    const cluster = formed(3);
    const { world } = cluster;
    cluster.split([[0, 1], [2]]);
    world.runFor(100);
    await settled(world, simHandle(cluster, 0).bucket('b').put('key', 'value', { mode: 'strict' }));
    for (const peer of [0, 1]) {
      cluster.network.mend(peer, 2);
      cluster.network.mend(2, peer);
    }
    const levels = new Set<string>();
    let keys = 0;
    cluster.onEvent((_, event) => {
      if (event.type !== 'compare' || event.different === 0) return;
      levels.add(event.level);
      if (event.level === 'leaf') keys += event.different;
    });
    expect(world.runUntil(() => keys > 0, 200_000)).toBe(true);
    expect([...levels]).toEqual(['all', 'group', 'partition', 'inner', 'leaf']);
  });

  it('[HH1] shows what any peer keeps of a key, and for whom', async () => {
    const cluster = formed(5);
    const { world } = cluster;
    const handle = simHandle(cluster, 0);
    const { primaries, fallbacks } = handle.placement('b', 'key');
    const away = primaries[2] ?? '';
    cluster.peer(cluster.peers.findIndex((peer) => peer.id === away)).kill();
    expect(world.runUntil(() => handle.members().some(({ peer, state }) => peer === away && state === 'dead'), 60_000)).toBe(true);
    await settled(world, handle.bucket('b').put('key', 'value'));
    world.runFor(1000);
    const keptBy = async (peer: string) => settled(world, handle.bucket('b').local('key', peer));
    expect((await keptBy(fallbacks[0] ?? ''))?.keptFor).toEqual([away]);
    expect((await keptBy(primaries[0] ?? ''))?.keptFor).toEqual([]);
    expect(await keptBy(fallbacks[1] ?? '')).toBeUndefined();
    expect(await settled(world, handle.holdings(fallbacks[0]))).toEqual({ keys: 1, bytes: 5, exact: true, hints: 1 });
    await expect(settled(world, handle.holdings(away))).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('fails when the other peer answers something else', async () => {
    const cluster = formed(3);
    const send = cluster.network.send.bind(cluster.network);
    cluster.network.send = (from, to, message) =>
      message.kind === 'answer' && message.body.type === 'holdings'
        ? send(from, to, { ...message, body: { type: 'probed', alive: true } })
        : send(from, to, message);
    const asked = settled(cluster.world, simHandle(cluster, 0).holdings(cluster.peer(1).id));
    await expect(asked).rejects.toMatchObject({ code: 'UNKNOWN' });
  });

  it('counts what a peer keeps, and estimates it where it is much', async () => {
    const cluster = formed(3);
    const { world } = cluster;
    const handle = simHandle(cluster, 0);
    const putMany = async (from: number, to: number): Promise<void> => {
      for (let key = from; key < to; key += 500) {
        const some = Array.from({ length: 500 }, (_, index) => handle.bucket('b').put(`key-${key + index}`, 'ten bytes.'));
        await settled(world, Promise.all(some));
      }
    };
    await putMany(0, 1000);
    await settled(world, handle.bucket('b').delete('key-7', { context: (await settled(world, handle.bucket('b').get('key-7'))).context }));
    world.runFor(1000);
    expect(await settled(world, handle.holdings())).toEqual({ keys: 999, bytes: 9990, exact: true, hints: 0 });
    await putMany(1000, 6000);
    world.runFor(1000);
    const many = await settled(world, handle.holdings(cluster.peer(2).id));
    expect(many).toMatchObject({ exact: false, hints: 0 });
    expect(Math.abs(many.keys / 5999 - 1)).toBeLessThan(0.1);
    expect(Math.abs(many.bytes / 59_990 - 1)).toBeLessThan(0.1);
  });

  it('a peer that is down says so', async () => {
    const cluster = formed(3);
    const handle = simHandle(cluster, 1);
    cluster.peer(1).kill();
    await expect(handle.bucket('b').get('key')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(() => handle.members()).toThrow('this peer is down');
  });
});
