/**
 * What every `Network` must keep, as one suite: `networkSuite({ name, world })` runs it against an adapter.
 *
 * A world makes peers that can reach each other. Every wait is for a condition with a deadline; nothing depends on how fast a machine is.
 */

import { afterEach, describe, expect, test } from 'vitest';
import type { PeerId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { Network } from '../../src/ports.ts';

export interface NetworkWorld {
  /** The same seed gives the same peer id, so a peer can be started again. */
  network(options: { seed: number; bootstrap?: readonly string[] }): Network;
  peerId(seed: number): PeerId;
  close?(): Promise<void>;
}

export interface NetworkSuiteOptions {
  readonly name: string;
  readonly world: () => NetworkWorld | Promise<NetworkWorld>;
}

type Told = { readonly type: 'up' | 'down'; readonly peer: PeerId };

/** A started network that writes down what it was told. */
export interface Witness {
  readonly network: Network;
  readonly told: Told[];
  readonly frames: { from: PeerId; frame: Uint8Array }[];
  readonly gossip: { from: PeerId; frame: Uint8Array }[];
  /** Set to answer frames as they come, instead of keeping them. */
  onFrame: ((from: PeerId, frame: Uint8Array) => void) | undefined;
  isUp(peer: PeerId): boolean;
}

const deadlineMs = 20_000;

export async function until(condition: () => boolean, what: string, withinMs = deadlineMs): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`did not happen within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export async function witness(network: Network): Promise<Witness> {
  const up = new Set<PeerId>();
  const self: Witness = { network, told: [], frames: [], gossip: [], onFrame: undefined, isUp: (peer) => up.has(peer) };
  await network.start({
    message(from, frame) {
      if (self.onFrame === undefined) self.frames.push({ from, frame });
      else self.onFrame(from, frame);
    },
    gossip: (from, frame) => void self.gossip.push({ from, frame }),
    up(peer) {
      self.told.push({ type: 'up', peer });
      up.add(peer);
    },
    down(peer) {
      self.told.push({ type: 'down', peer });
      up.delete(peer);
    },
    addressesChanged: () => undefined,
  });
  return self;
}

/** Up and down of each peer must take turns, beginning with up. */
export function expectTurns(told: readonly Told[]): void {
  const state = new Map<PeerId, 'up' | 'down'>();
  for (const { type, peer } of told) {
    expect(type).not.toBe(state.get(peer) ?? 'down');
    state.set(peer, type);
  }
}

export const linked = (a: Witness, b: Witness): Promise<void> =>
  until(() => a.isUp(b.network.self) && b.isUp(a.network.self), 'both sides are up');

/** A frame that tells its number and whose bytes follow from it. */
export function numbered(number: number, length: number): Uint8Array {
  const frame = new Uint8Array(Math.max(4, length)).fill(number & 0xff);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

export function expectNumbered(frames: readonly Uint8Array[], lengths: readonly number[]): void {
  expect(frames.length).toBe(lengths.length);
  frames.forEach((frame, number) => {
    const isNext = new DataView(frame.buffer, frame.byteOffset).getUint32(0) === number;
    const isWhole = frame.length === Math.max(4, lengths[number]!) && (frame.length === 4 || frame.at(-1) === (number & 0xff));
    if (!isNext || !isWhole) throw new Error(`frame ${number} is out of order or damaged`);
  });
}

export function networkSuite({ name, world: makeWorld }: NetworkSuiteOptions): void {
  describe(name, () => {
    let world: NetworkWorld | undefined;
    let started: Network[] = [];

    const start = async (seed: number, bootstrap: readonly string[] = []): Promise<Witness> => {
      world ??= await makeWorld();
      const network = world.network({ seed, bootstrap });
      started.push(network);
      return witness(network);
    };
    const pair = async (): Promise<[Witness, Witness]> => {
      const a = await start(1);
      const b = await start(2, a.network.addresses());
      await linked(a, b);
      return [a, b];
    };

    afterEach(async () => {
      await Promise.all(started.map((network) => network.close()));
      await world?.close?.();
      started = [];
      world = undefined;
    });

    const context: SuiteContext = {
      start,
      pair,
      peerId: (seed) => {
        if (world === undefined) throw new Error('start a peer first');
        return world.peerId(seed);
      },
    };
    linkTests(context);
    frameTests(context);
    gossipTests(context);
  });
}

interface SuiteContext {
  start(seed: number, bootstrap?: readonly string[]): Promise<Witness>;
  pair(): Promise<[Witness, Witness]>;
  peerId(seed: number): PeerId;
}

function linkTests({ start, pair, peerId }: SuiteContext): void {
  test('a started peer has addresses, and its id does not change', async () => {
    const a = await start(1);
    expect(a.network.self).toBe(peerId(1));
    expect(a.network.addresses().length).toBeGreaterThan(0);
    for (const address of a.network.addresses()) expect(address).not.toContain('/p2p/');
  });

  test('a bootstrap address makes both sides up, each once', async () => {
    const [a, b] = await pair();
    expect(a.told).toEqual([{ type: 'up', peer: b.network.self }]);
    expect(b.told).toEqual([{ type: 'up', peer: a.network.self }]);
  });

  test('connect makes both sides up', async () => {
    const a = await start(1);
    const b = await start(2);
    a.network.connect(b.network.self, b.network.addresses());
    await linked(a, b);
  });

  test('peers that dial each other at the same time settle without flapping', async () => {
    const peers = [await start(1), await start(2), await start(3)];
    for (const a of peers) {
      for (const b of peers) if (a !== b) a.network.connect(b.network.self, b.network.addresses());
    }
    for (const a of peers) {
      for (const b of peers) if (a !== b) await linked(a, b);
    }
    let answers = 0;
    for (const a of peers) a.onFrame = () => answers++;
    for (const a of peers) {
      for (const b of peers) if (a !== b) expect(a.network.send(b.network.self, numbered(1, 10))).toBe(true);
    }
    await until(() => answers === 6, 'every frame arrived');
    for (const a of peers) expect(a.told.length).toBe(2);
  });

  test('sending to a peer that nobody knows is refused at once', async () => {
    const [a] = await pair();
    expect(a.network.send(peerId(99), numbered(0, 10))).toBe(false);
    expect(a.network.send('no peer id' as PeerId, numbered(0, 10))).toBe(false);
    expect(a.network.send(a.network.self, numbered(0, 10))).toBe(false);
  });

  test('a peer that closes is down for the other, once', async () => {
    const [a, b] = await pair();
    await b.network.close();
    await until(() => !a.isUp(b.network.self), 'the closed peer is down');
    expect(a.network.send(b.network.self, numbered(0, 10))).toBe(false);
    expectTurns(a.told);
  });

  test('a peer that starts again with its key comes up again where it is wanted', async () => {
    const [a, b] = await pair();
    a.network.connect(b.network.self, b.network.addresses());
    await b.network.close();
    await until(() => !a.isUp(b.network.self), 'down');
    const again = await start(2, a.network.addresses());
    await linked(a, again);
    expect(again.network.self).toBe(b.network.self);
    expect(a.network.send(again.network.self, numbered(7, 50))).toBe(true);
    await until(() => again.frames.length === 1, 'the frame arrived');
    expectTurns(a.told);
  });

  test('a forgotten peer goes down and stays down', async () => {
    const a = await start(1);
    const b = await start(2);
    a.network.connect(b.network.self, b.network.addresses());
    await linked(a, b);
    a.network.forget(b.network.self);
    await until(() => !a.isUp(b.network.self) && !b.isUp(a.network.self), 'both sides are down');
    const c = await start(3);
    a.network.connect(c.network.self, c.network.addresses());
    await linked(a, c);
    expect(a.isUp(b.network.self)).toBe(false);
    a.network.connect(b.network.self, b.network.addresses());
    await linked(a, b);
    expectTurns(a.told);
    expectTurns(b.told);
  });

  test('close may be called twice, at any time, and nothing is told afterwards', async () => {
    const [a, b] = await pair();
    const before = performance.now();
    await Promise.all([a.network.close(), a.network.close()]);
    expect(performance.now() - before).toBeLessThan(5000);
    const told = a.told.length;
    expect(a.network.send(b.network.self, numbered(0, 10))).toBe(false);
    a.network.publish(numbered(0, 10));
    a.network.connect(b.network.self, b.network.addresses());
    await until(() => !b.isUp(a.network.self), 'down');
    await b.network.close();
    expect(a.told.length).toBe(told);
  });
}

function frameTests({ start, pair }: SuiteContext): void {
  test('frames of 1 byte to 1 MiB arrive whole and in order', async () => {
    const [a, b] = await pair();
    const random = new SeededRandom(5);
    const lengths = [4, 5, 1023, 16_384, 16_385, 65_535, 65_536, 262_144, 1024 * 1024];
    for (let i = 0; i < 60; i++) lengths.push(4 + random.below(2 ** (2 + random.below(19))));
    lengths.forEach((length, number) => expect(a.network.send(b.network.self, numbered(number, length))).toBe(true));
    await until(() => b.frames.length === lengths.length, 'all frames arrived');
    expectNumbered(
      b.frames.map(({ frame }) => frame),
      lengths,
    );
    expect(a.network.send(b.network.self, Uint8Array.of(9))).toBe(true);
    await until(() => b.frames.length === lengths.length + 1, 'the frame of one byte arrived');
    expect(b.frames.at(-1)).toEqual({ from: a.network.self, frame: Uint8Array.of(9) });
  });

  test('thousands of small frames pass in both directions at once', async () => {
    const [a, b] = await pair();
    const count = 5000;
    const lengths = Array.from({ length: count }, (_, i) => 4 + (i % 200));
    for (let i = 0; i < count; i++) {
      expect(a.network.send(b.network.self, numbered(i, lengths[i]!))).toBe(true);
      expect(b.network.send(a.network.self, numbered(i, lengths[i]!))).toBe(true);
      if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const side of [a, b]) {
      await until(() => side.frames.length === count, 'all frames arrived');
      expectNumbered(
        side.frames.map(({ frame }) => frame),
        lengths,
      );
    }
  });

  test('requests and answers run many at a time', async () => {
    const [a, b] = await pair();
    b.onFrame = (from, frame) => void b.network.send(from, frame);
    let done = 0;
    a.onFrame = (from, frame) => {
      if (++done <= 2000 - 64) a.network.send(from, frame);
    };
    for (let i = 0; i < 64; i++) a.network.send(b.network.self, numbered(i, 100));
    await until(() => done === 2000, 'all answers came');
  });

  test('[SE3] under back-pressure send refuses, and what it took arrives in order', async () => {
    const [a, b] = await pair();
    const lengths: number[] = [];
    const burst = 400;
    const wanted = 1200;
    while (lengths.length < wanted) {
      for (let i = 0; i < burst && lengths.length < wanted; i++) {
        if (!a.network.send(b.network.self, numbered(lengths.length, 100_000))) break;
        lengths.push(100_000);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(a.isUp(b.network.self)).toBe(true);
    }
    await until(() => b.frames.length === wanted, 'all frames arrived', 60_000);
    expectNumbered(
      b.frames.map(({ frame }) => frame),
      lengths,
    );
  });

  test('[SE3] the queue of a peer is bounded: a burst beyond it is refused, not kept', async () => {
    const [a, b] = await pair();
    let accepted = 0;
    const frame = numbered(0, 1024 * 1024);
    while (accepted < 200 && a.network.send(b.network.self, frame)) accepted++;
    expect(accepted).toBeGreaterThanOrEqual(8);
    expect(accepted).toBeLessThan(100);
    await until(() => b.frames.length === accepted, 'what was taken arrived');
  });

  test('[SE3] a frame beyond the limit and an empty one are refused', async () => {
    const [a, b] = await pair();
    expect(a.network.send(b.network.self, new Uint8Array(limits.frameMaxBytes + 1))).toBe(false);
    expect(a.network.send(b.network.self, new Uint8Array(0))).toBe(false);
  });

  test('frames of several senders do not mix', async () => {
    const a = await start(1);
    const others = [await start(2, a.network.addresses()), await start(3, a.network.addresses())];
    for (const other of others) await linked(a, other);
    for (let i = 0; i < 300; i++) {
      for (const other of others) expect(other.network.send(a.network.self, numbered(i, 3000))).toBe(true);
    }
    await until(() => a.frames.length === 600, 'all frames arrived');
    for (const other of others) {
      const frames = a.frames.filter(({ from }) => from === other.network.self).map(({ frame }) => frame);
      expectNumbered(
        frames,
        frames.map(() => 3000),
      );
    }
  });
}

function gossipTests({ start }: SuiteContext): void {
  test('[MB4] gossip reaches the others and names its author', async () => {
    const a = await start(1);
    const b = await start(2, a.network.addresses());
    const c = await start(3, a.network.addresses());
    await linked(a, b);
    await linked(a, c);
    // No single gossiped frame is promised to arrive: it is published until the others have heard.
    let number = 0;
    const heard = (listener: Witness, author: Witness): boolean => listener.gossip.some(({ from }) => from === author.network.self);
    await until(() => {
      if (number++ % 100 === 0) for (const author of [a, b, c]) author.network.publish(numbered(number, 200));
      return [a, b, c].every((listener) => [a, b, c].every((author) => listener === author || heard(listener, author)));
    }, 'everyone heard everyone');
    for (const peer of [a, b, c]) expect(heard(peer, peer)).toBe(false);
  });

  test('[MB4] gossip without anyone to hear it is no error', async () => {
    const a = await start(1);
    a.network.publish(numbered(1, 100));
    expect(a.gossip).toEqual([]);
  });
}
