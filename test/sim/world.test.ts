/** The simulated world keeps its word: time, chance, links and disks are as the ports describe them, so that what holds here holds outside. */

import { describe, expect, it } from 'vitest';

import type { DiskAnswer } from '../../src/core/disk.ts';
import { peerId, type ByteString } from '../../src/core/ids.ts';
import type { Message } from '../../src/core/messages.ts';
import { simIdentity } from '../../src/sim/identity.ts';
import { defaultNetworkOptions, type NetworkOptions } from '../../src/sim/links.ts';
import { SimNetwork } from '../../src/sim/network.ts';
import { SortedMap } from '../../src/sim/sorted-map.ts';
import { crossings, splitShapes } from '../../src/sim/splits.ts';
import { defaultStorageOptions, SimStorage, type StorageOptions } from '../../src/sim/storage.ts';
import { valueBytes, valueIdOf } from '../../src/sim/values.ts';
import { World } from '../../src/sim/world.ts';

const key = (text: string): ByteString => text as ByteString;
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('time and chance', () => {
  it('[IN] events happen in the order of their time, and of their adding within one instant', () => {
    const world = new World(1);
    const order: string[] = [];
    for (const [name, at] of [
      ['c', 3],
      ['a', 1],
      ['b1', 2],
      ['b2', 2],
    ] as const)
      world.after(at, 'watch', 0, () => order.push(`${name}@${world.nowMs}`));
    world.runFor(10);
    expect(order).toEqual(['a@1', 'b1@2', 'b2@2', 'c@3']);
    expect(world.nowMs).toBe(10);
  });

  it('[IN] one more draw in one part shifts nothing in another', () => {
    const [a, b] = [new World(7), new World(7)];
    a.stream('network').u32();
    expect(a.stream('clients').bytes(8)).toEqual(b.stream('clients').bytes(8));
    expect(a.stream('clients').bytes(8)).not.toEqual(new World(8).stream('clients').bytes(8));
    expect(a.stream('clients').bytes(8)).not.toEqual(a.stream('network').bytes(8));
  });

  it('[IN] the event hash tells apart what, when and to whom', () => {
    const hashOf = (at: number, who: number, detail: number): string => {
      const world = new World(1);
      world.after(at, 'message', who, () => {}, detail);
      world.runFor(10);
      return world.eventHash;
    };
    expect(new Set([hashOf(1, 1, 1), hashOf(2, 1, 1), hashOf(1, 2, 1), hashOf(1, 1, 2)]).size).toBe(4);
    expect(hashOf(1, 1, 1)).toBe(hashOf(1, 1, 1));
  });
});

describe('the disk', () => {
  function disk(options: Partial<StorageOptions> = {}, seed = 1) {
    const world = new World(seed);
    const storage = new SimStorage(world, 0, { ...defaultStorageOptions, ...options });
    const answers: DiskAnswer[] = [];
    let id = 0;
    const write = (name: string, ...values: number[]): void =>
      storage.submit({ type: 'write', id: ++id, changes: [{ key: key(name), value: bytes(...values) }] }, (answer) => answers.push(answer));
    const read = (...names: string[]): DiskAnswer | undefined => {
      let got: DiskAnswer | undefined;
      storage.submit({ type: 'read', id: ++id, keys: names.map(key) }, (answer) => (got = answer));
      world.runUntil(() => got !== undefined, 1000);
      return got;
    };
    return { world, storage, answers, write, read };
  }

  it('[ST1] acknowledges commits in order, and only then are they surely seen', () => {
    const { world, storage, answers, write, read } = disk();
    for (let i = 1; i <= 20; i++) write('k', i);
    expect(storage.rows.get(key('k'))).toBeUndefined();
    world.runFor(1000);
    expect(answers.map((answer) => answer.id)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(read('k', 'other')).toMatchObject({ values: [bytes(20), undefined] });
  });

  it('[ST2] a crash loses nothing that was acknowledged, and of the rest keeps what came before what it keeps', () => {
    const survivors = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const { world, storage, answers, write } = disk({ lateAnswers: (seed % 3) / 2 }, seed);
      for (let i = 1; i <= 10; i++) write(`k${i}`, i);
      world.runFor(1);
      const acknowledged = answers.length;
      storage.crash();
      world.runFor(1000);
      expect(answers).toHaveLength(acknowledged);
      const kept = Array.from({ length: 10 }, (_, i) => storage.rows.get(key(`k${i + 1}`)) !== undefined);
      expect(kept.lastIndexOf(true) + 1).toBe(kept.filter(Boolean).length);
      expect(kept.filter(Boolean).length).toBeGreaterThanOrEqual(acknowledged);
      survivors.add(kept.filter(Boolean).length - acknowledged);
    }
    expect(survivors.size).toBeGreaterThan(2);
  });

  it('[ST2] what was seen before it was acknowledged is not undone by a crash', () => {
    let early = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const { world, storage, answers, write } = disk({ lateAnswers: 1 }, seed);
      for (let i = 1; i <= 10; i++) write('k', i);
      world.runFor(seed / 10);
      const [seen] = storage.rows.get(key('k')) ?? bytes(0);
      if ((seen ?? 0) > answers.length) early++;
      storage.crash();
      expect(storage.rows.get(key('k'))?.[0] ?? 0).toBeGreaterThanOrEqual(seen ?? 0);
      world.runFor(1000);
    }
    expect(early).toBeGreaterThan(5);
  });

  it('[ST2] a torn write takes the last commits, each whole, and opening tells of it', () => {
    const { world, storage, write } = disk();
    for (let i = 1; i <= 20; i++) write('k', i);
    world.runFor(1000);
    storage.crash();
    expect(storage.mayHaveForgotten).toBe(false);
    expect(storage.tear()).toBe(true);
    expect(storage.rows.get(key('k'))?.[0]).toBeLessThan(20);
    expect(storage.mayHaveForgotten).toBe(true);
    write('k', 21);
    world.runFor(1000);
    expect(storage.mayHaveForgotten).toBe(false);
  });

  it('[ST3] a bit that flips while a record is read is not on the disk', () => {
    const { world, storage, read, write } = disk();
    write('r', 1);
    world.runFor(100);
    storage.faults.flippedBit = 1;
    expect(read('r')).not.toMatchObject({ values: [bytes(1)] });
    storage.mend();
    expect(read('r')).toMatchObject({ values: [bytes(1)] });
  });

  it('keeps its bytes to itself', () => {
    const { world, storage, read } = disk();
    const value = bytes(1);
    storage.submit({ type: 'write', id: 99, changes: [{ key: key('k'), value }] }, () => {});
    value[0] = 2;
    world.runFor(1000);
    const answer = read('k');
    if (answer?.type === 'read') answer.values[0]?.fill(3);
    expect(read('k')).toMatchObject({ values: [bytes(1)] });
  });

  it('[VR4] an error is never an absent value', () => {
    const { storage, read, write, world, answers } = disk();
    storage.faults.readError = 1;
    expect(read('k')).toMatchObject({ type: 'failed', error: { code: 'STORAGE_FAILED' } });
    storage.mend();
    storage.faults.full = true;
    write('k', 1);
    world.runFor(100);
    expect(answers).toMatchObject([{ type: 'failed', error: { code: 'STORAGE_FULL' } }]);
  });

  it('reads ranges in bytewise order', () => {
    const map = new SortedMap();
    for (const name of ['rb', 'ra', 'k', 'rc', 'm', 'r']) map.set(key(name), bytes(1));
    map.delete(key('rb'));
    const range = (from: string, to: string, limit = 10): string[] =>
      map.range({ from: key(from), to: key(to), limit }).map(([found]) => found);
    expect(range('r', 's')).toEqual(['r', 'ra', 'rc']);
    expect(range('k', 'rb')).toEqual(['k', 'm', 'r', 'ra']);
    expect(range('', '\u00ff', 2)).toEqual(['k', 'm']);
    expect(range('ra', 'ra')).toEqual([]);
  });
});

describe('the network', () => {
  interface Seen {
    readonly ups: string[];
    readonly frames: number[];
  }

  function links(peers: number, options: Partial<NetworkOptions> = {}, seed = 1) {
    const world = new World(seed);
    const names = Array.from({ length: peers }, (_, i) => peerId(`P${i}`));
    const network = new SimNetwork(world, names, { ...defaultNetworkOptions, ...options });
    const seen: Seen[] = names.map(() => ({ ups: [], frames: [] }));
    const attach = (who: number): void => {
      const { ups, frames } = seen[who] as Seen;
      network.attach(who, {
        message: (_, message) => frames.push(message.kind === 'call' ? message.id : -1),
        gossip: () => frames.push(0),
        up: (peer) => ups.push(`up ${peer}`),
        down: (peer) => ups.push(`down ${peer}`),
      });
      for (const name of names) network.connect(who, name);
    };
    names.forEach((_, who) => attach(who));
    world.runFor(1000);
    let id = 0;
    const send = (from: number, to: number): boolean =>
      network.send(from, peerId(`P${to}`), { kind: 'call', id: ++id, ring: '', body: { type: 'probe' } } satisfies Message);
    return { world, network, seen: (who: number) => seen[who] as Seen, send, attach };
  }

  const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

  it('makes one link of two dials, and carries frames in order', () => {
    const { world, network, seen, send } = links(2, { latencyMs: [1, 50] });
    network.faults.delay = 0.2;
    expect([seen(0).ups, seen(1).ups]).toEqual([['up P1'], ['up P0']]);
    for (let i = 0; i < 100; i++) {
      expect(send(0, 1)).toBe(true);
      world.runFor(1);
    }
    world.runFor(1000);
    expect(seen(1).frames).toEqual(upTo(100));
  });

  it('refuses what it surely cannot send', () => {
    const { network, send, world } = links(2);
    expect(network.send(0, peerId('nobody'), { kind: 'answer', id: 1, body: { type: 'stored', durable: true, agrees: true } })).toBe(false);
    network.detach(1, false);
    world.runFor(100);
    expect(send(0, 1)).toBe(false);
  });

  it('loses frames of a broken link only together with a `down`, and makes the link again', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { world, network, seen, send } = links(2, { latencyMs: [1, 20] }, seed);
      for (let i = 0; i < 20; i++) {
        send(0, 1);
        world.runFor(1);
        if (i === 9) network.reset(0, 1);
      }
      world.runFor(2000);
      const { frames } = seen(1);
      expect(frames).toEqual(frames.toSorted((a, b) => a - b));
      expect(seen(0).ups).toEqual(['up P1', 'down P1', 'up P1']);
      expect(seen(1).ups).toEqual(['up P0', 'down P0', 'up P0']);
    }
  });

  it('holds the frames of a cut direction, and gives up the link when that lasts', () => {
    const { world, network, seen, send } = links(2, { keepAliveMs: [5000, 5000] });
    network.cut(0, 1);
    send(0, 1);
    send(1, 0);
    world.runFor(3000);
    expect([seen(0).frames, seen(1).frames]).toEqual([[2], []]);
    network.mend(0, 1);
    world.runFor(100);
    expect(seen(1).frames).toEqual([1]);
    network.cut(0, 1);
    world.runFor(20_000);
    expect(seen(0).ups).toEqual(['up P1', 'down P1']);
    network.mend(0, 1);
    world.runFor(10_000);
    expect(seen(0).ups).toEqual(['up P1', 'down P1', 'up P1']);
  });

  it('keeps the order of frames around a mending', () => {
    const { world, network, seen, send } = links(2, { latencyMs: [1, 30] });
    for (let i = 0; i < 200; i++) {
      if (i % 40 === 10) network.cut(0, 1, true);
      if (i % 40 === 30) network.mend(0, 1);
      send(0, 1);
      world.runFor(1);
    }
    world.runFor(1000);
    expect(seen(1).frames).toEqual(upTo(200));
  });

  it('tells of a silent death late, and of a return before that at once', () => {
    const { world, network, seen, attach } = links(2, { keepAliveMs: [8000, 8000] });
    network.detach(1, true);
    world.runFor(5000);
    expect(seen(0).ups).toEqual(['up P1']);
    attach(1);
    world.runFor(1000);
    expect(seen(0).ups).toEqual(['up P1', 'down P1', 'up P1']);
  });

  it('a frame that is lost takes its link with it', () => {
    const { world, network, seen, send } = links(2);
    network.faults.loss = 1;
    expect(send(0, 1)).toBe(true);
    network.faults.loss = 0;
    world.runFor(1000);
    expect([seen(0).ups, seen(1).ups]).toEqual([
      ['up P1', 'down P1', 'up P1'],
      ['up P0', 'down P0', 'up P0'],
    ]);
    expect([seen(1).frames, network.counters.lost]).toEqual([[], 1]);
  });

  it('can break the contract for single frames, each fault counted', () => {
    const { world, network, seen, send } = links(2);
    Object.assign(network.faults, { duplicate: 0.1, reorder: 0.1, replay: 0.1 });
    for (let i = 0; i < 1000; i++) {
      send(0, 1);
      world.runFor(1);
    }
    world.runFor(10_000);
    const { duplicated, reordered, replayed } = network.counters;
    for (const count of [duplicated, reordered, replayed]) expect(count).toBeGreaterThan(50);
    expect(seen(1).frames).toHaveLength(1000 + duplicated + replayed);
    expect(seen(1).frames).not.toEqual(seen(1).frames.toSorted((a, b) => a - b));
  });

  it('floods gossip along the links that there are', () => {
    const { world, network, seen } = links(4);
    network.cut(0, 2);
    network.cut(0, 3);
    network.publish(0, { members: [], suspicions: [], removals: [] });
    world.runFor(100);
    expect([0, 1, 2, 3].map((who) => seen(who).frames.length)).toEqual([0, 1, 1, 1]);
    for (const other of [1, 2, 3]) network.cut(0, other);
    network.publish(0, { members: [], suspicions: [], removals: [] });
    world.runFor(100);
    expect([1, 2, 3].map((who) => seen(who).frames.length)).toEqual([1, 1, 1]);
  });

  it('comes apart in shapes that leave some pairs together', () => {
    for (const shape of splitShapes) {
      for (const count of [3, 5, 8]) {
        const pairs = crossings(
          shape,
          Array.from({ length: count }, (_, i) => i),
        );
        if (count > 3) expect(pairs.length, `${shape} of ${count}`).toBeGreaterThan(0);
        expect(pairs.length).toBeLessThan((count * (count - 1)) / 2);
        if (shape === 'bridge') expect(pairs.flat()).not.toContain(0);
      }
    }
  });
});

describe('identities and values', () => {
  it('[MB1] a signature holds for its bytes and its peer only', () => {
    const [a, b] = [simIdentity(peerId('A')), simIdentity(peerId('B'))];
    const signature = a.sign(bytes(1, 2, 3));
    expect(b.verify(peerId('A'), bytes(1, 2, 3), signature)).toBe(true);
    expect(b.verify(peerId('B'), bytes(1, 2, 3), signature)).toBe(false);
    expect(b.verify(peerId('A'), bytes(1, 2, 4), signature)).toBe(false);
    expect(b.verify(peerId('A'), bytes(1, 2, 3), signature.subarray(1))).toBe(false);
  });

  it('a value tells when it was cut, lengthened or damaged', () => {
    const value = valueBytes('client1-1', 50);
    expect(valueIdOf(value)).toBe('client1-1');
    expect([valueIdOf(value.subarray(1)), valueIdOf(value.subarray(0, 40)), valueIdOf(new Uint8Array([...value, 1]))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(valueIdOf(value.with(20, 0))).toBeUndefined();
  });
});
