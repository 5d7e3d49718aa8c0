/** When a further replica is asked: for answers that are late, as long as that stays a small part of all reads. */

import { describe, expect, it } from 'vitest';

import { Calls } from '../../src/core/calls.ts';
import { Hedging } from '../../src/core/hedging.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { Timers } from '../../src/core/timers.ts';

const peer = 'p' as PeerId;
const at = (mono: number): { mono: number; wall: number } => ({ mono, wall: 0 });

class World {
  readonly timers = new Timers();
  readonly calls = new Calls({ self: 'self' as PeerId, timers: this.timers, send: () => {}, serveSelf: () => {} });
  readonly hedging = new Hedging(this.calls);
  readonly hedged: number[] = [];

  /** A get whose answers never come. */
  get(mono: number): () => void {
    this.hedging.began();
    return this.hedging.whenLate(at(mono), this.timers, [{ peer }], (now) => this.hedged.push(now.mono));
  }

  /** A call to the peer that is answered after this time. */
  answered(ms: number): void {
    this.calls.up(peer);
    this.calls.ask(at(0), peer, { type: 'probe' }, { timeoutMs: 9999, ring: '' }, () => {});
    this.calls.answered(at(ms), peer, this.#id++, { type: 'probed', alive: true });
  }
  #id = 1;
}

describe('hedges', () => {
  it('[QR7] follow the measured round trip: late is what is unusual for the peers that were asked', () => {
    const [near, far] = [new World(), new World()];
    for (let i = 0; i < 20; i++) {
      near.answered(1);
      far.answered(80);
    }
    for (const world of [near, far]) {
      world.get(1000);
      for (let mono = 1000; mono <= 1100; mono++) world.timers.fire(at(mono));
    }
    expect(near.hedged).toEqual([1010]);
    expect(far.hedged[0]).toBeGreaterThanOrEqual(1080);
  });

  it('[QR7] are few when everything is late, and come in any case for a replica that stays silent', () => {
    const world = new World();
    for (let i = 0; i < 400; i++) world.get(0);
    world.timers.fire(at(20));
    expect(world.hedged.length).toBe(20);
    world.timers.fire(at(249));
    expect(world.hedged.length).toBe(20);
    world.timers.fire(at(260));
    expect(world.hedged.length).toBe(400);
  });

  it('[QR7] earn their allowance by the gets, one for twenty', () => {
    const world = new World();
    for (let i = 0; i < 30; i++) world.get(0);
    world.timers.fire(at(300));
    world.hedged.length = 0;
    for (let i = 0; i < 41; i++) world.get(1000);
    world.timers.fire(at(1020));
    expect(world.hedged.length).toBe(2);
  });

  it('[QR9] are called off with their get', () => {
    const world = new World();
    world.get(0)();
    world.timers.fire(at(1000));
    expect(world.hedged).toEqual([]);
  });
});
