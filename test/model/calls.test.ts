/**
 * Calls against a list of what was asked: each one ends exactly once, by the first thing that ends it.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { type CallFailure, Calls } from '../../src/core/calls.ts';
import type { PeerId } from '../../src/core/ids.ts';
import type { Answer, Message } from '../../src/core/messages.ts';
import { Timers } from '../../src/core/timers.ts';
import { holds } from './property.ts';

const self = 'self' as PeerId;
const peers = ['a', 'b', 'c'] as PeerId[];
const aPeer = fc.constantFrom(...peers);

type Step =
  | { readonly type: 'up' | 'down'; readonly peer: PeerId }
  | { readonly type: 'ask'; readonly peer: PeerId; readonly timeoutMs: number }
  | { readonly type: 'answer'; readonly which: number; readonly from: PeerId | undefined }
  | { readonly type: 'refuse'; readonly which: number }
  | { readonly type: 'wait'; readonly ms: number };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('up' as const), peer: aPeer }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('down' as const), peer: aPeer }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('ask' as const),
      peer: fc.oneof(aPeer, fc.constant(self)),
      timeoutMs: fc.integer({ min: 1, max: 50 }),
    }),
  },
  // Mostly from the peer that was asked, sometimes from another one.
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('answer' as const), which: fc.nat(), from: fc.option(aPeer, { nil: undefined, freq: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('refuse' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.nat({ max: 30 }) }) },
);

type Ending = 'self' | 'answer' | CallFailure;

/** One call as the list knows it. `end` is what must have been reported by now. */
interface Asked {
  readonly to: PeerId;
  readonly deadline: number;
  /** Handed to the network. */
  readonly sent: boolean;
  end: Ending | undefined;
}

class World {
  readonly ended: Ending[][] = [];
  readonly messages: Message[] = [];
  readonly #timers = new Timers();
  readonly #links = new Set<PeerId>();
  readonly #list: Asked[] = [];
  /** The call that each message belongs to. */
  readonly #callOf: number[] = [];
  readonly calls: Calls;
  mono = 0;

  constructor() {
    this.calls = new Calls({
      self,
      timers: this.#timers,
      send: (to, message) => {
        expect(this.#links.has(to)).toBe(true);
        this.messages.push(message);
      },
      serveSelf: (now, _body, answer) => answer(now, { type: 'probed', alive: true }),
    });
  }

  run(step: Step): void {
    const now = { mono: this.mono, wall: 0 };
    switch (step.type) {
      case 'up':
        this.calls.up(step.peer);
        this.#links.add(step.peer);
        return;
      case 'down':
        this.#links.delete(step.peer);
        this.#endAll((call) => call.sent && call.to === step.peer, 'lost');
        return this.calls.down(now, step.peer);
      case 'ask':
        return this.#ask(step.peer, step.timeoutMs);
      case 'answer': {
        const id = this.#pick(step.which);
        const call = this.#list[this.#callOf[id] ?? -1];
        if (call === undefined) return;
        const from = step.from ?? call.to;
        if (from === call.to) call.end ??= 'answer';
        return this.calls.answered(now, from, this.#idOf(id), { type: 'stored', durable: true, agrees: true });
      }
      case 'refuse': {
        const id = this.#pick(step.which);
        const call = this.#list[this.#callOf[id] ?? -1];
        if (call === undefined) return;
        call.end ??= 'unsent';
        return this.calls.unsent(now, call.to, this.messages[id] as Message);
      }
      case 'wait':
        this.mono += step.ms;
        this.#endAll((call) => call.to === self, 'self');
        this.#endAll((call) => !call.sent && call.to !== self, 'unsent');
        this.#endAll((call) => call.sent && call.deadline <= this.mono, 'timeout');
        return this.#timers.fire({ mono: this.mono, wall: 0 });
    }
  }

  #ask(to: PeerId, timeoutMs: number): void {
    const index = this.#list.length;
    const sent = this.#links.has(to);
    this.#list.push({ to, deadline: this.mono + timeoutMs, sent, end: undefined });
    if (sent) this.#callOf.push(index);
    const endings: Ending[] = [];
    this.ended.push(endings);
    this.calls.ask({ mono: this.mono, wall: 0 }, to, { type: 'probe' }, { timeoutMs, ring: 'r' }, (_, result) => {
      endings.push(typeof result === 'string' ? result : result.type === 'probed' ? 'self' : 'answer');
    });
    expect(this.messages.length).toBe(this.#callOf.length);
  }

  #pick = (which: number): number => which % Math.max(1, this.messages.length);

  #idOf(index: number): number {
    const message = this.messages[index];
    return message?.kind === 'call' ? message.id : -1;
  }

  #endAll(which: (call: Asked) => boolean, end: Ending): void {
    for (const call of this.#list) if (which(call)) call.end ??= end;
  }

  check(): void {
    expect(this.ended).toEqual(this.#list.map(({ end }) => (end === undefined ? [] : [end])));
    expect(this.calls.pending).toBe(this.#list.filter((call) => call.sent && call.end === undefined).length);
    for (const peer of peers) expect(this.calls.linked(peer)).toBe(this.#links.has(peer));
  }
}

describe('calls', () => {
  it('[QR9] every call ends exactly once: answered, unsent, lost or timed out, whichever comes first', () => {
    const seen = new Set<Ending>();
    holds(
      250,
      fc.property(fc.array(aStep, { maxLength: 60, size: 'max' }), (steps) => {
        const world = new World();
        for (const step of steps) {
          world.run(step);
          world.check();
        }
        world.run({ type: 'wait', ms: 100 });
        world.check();
        expect(world.ended.every((endings) => endings.length === 1)).toBe(true);
        expect(new Set(world.messages.map((message) => message.kind === 'call' && message.id)).size).toBe(world.messages.length);
        for (const [ending] of world.ended) seen.add(ending as Ending);
      }),
    );
    expect([...seen].sort()).toEqual(['answer', 'lost', 'self', 'timeout', 'unsent']);
  });

  const calls = (): { calls: Calls; timers: Timers; sent: Message[] } => {
    const timers = new Timers();
    const sent: Message[] = [];
    return { calls: new Calls({ self, timers, send: (_, message) => void sent.push(message), serveSelf: () => {} }), timers, sent };
  };
  const at = (mono: number): { mono: number; wall: number } => ({ mono, wall: 0 });
  const ignore = (): void => {};
  const stored: Answer = { type: 'stored', durable: true, agrees: true };

  it('[QR7] round trips are smoothed as RFC 6298 says; puts, which wait for others, do not count', () => {
    const { calls: measured, sent } = calls();
    const [peer] = peers as [PeerId];
    measured.up(peer);
    const trip = (ms: number, answer: Answer): void => {
      measured.ask(at(0), peer, { type: 'probe' }, { timeoutMs: 1000, ring: '' }, ignore);
      const last = sent.at(-1);
      measured.answered(at(ms), peer, last?.kind === 'call' ? last.id : -1, answer);
    };
    expect(measured.roundTrip(peer)).toBeUndefined();
    trip(100, stored);
    expect(measured.roundTrip(peer)).toEqual({ mean: 100, deviation: 50 });
    trip(180, stored);
    expect(measured.roundTrip(peer)).toEqual({ mean: 110, deviation: 50 * 0.75 + 80 * 0.25 });
    trip(9999, { type: 'putDone', result: { outcome: 'ok', context: [], dot: undefined, receipts: [], sloppy: false } });
    expect(measured.roundTrip(peer)?.mean).toBe(110);
  });

  it('[QR7] a peer is slow while its oldest call waits for more than half a second', () => {
    const { calls: waiting, sent } = calls();
    const [peer, other] = peers as [PeerId, PeerId];
    waiting.up(peer);
    waiting.ask(at(0), peer, { type: 'probe' }, { timeoutMs: 5000, ring: '' }, ignore);
    waiting.ask(at(400), peer, { type: 'probe' }, { timeoutMs: 5000, ring: '' }, ignore);
    expect([waiting.slow(at(500), peer), waiting.slow(at(501), peer), waiting.slow(at(501), other)]).toEqual([false, true, false]);
    const [first] = sent;
    waiting.answered(at(600), peer, first?.kind === 'call' ? first.id : -1, stored);
    expect([waiting.slow(at(900), peer), waiting.slow(at(901), peer)]).toEqual([false, true]);
    waiting.down(at(950), peer);
    expect(waiting.slow(at(9999), peer)).toBe(false);
  });

  it('[QR9] a call asked in the answer to a broken link is not sent over that link', () => {
    const { calls: broken, timers, sent } = calls();
    const [peer] = peers as [PeerId];
    const results: unknown[] = [];
    broken.up(peer);
    broken.ask(at(0), peer, { type: 'probe' }, { timeoutMs: 100, ring: '' }, (now, result) => {
      results.push(result);
      broken.ask(now, peer, { type: 'probe' }, { timeoutMs: 100, ring: '' }, (_, again) => results.push(again));
    });
    broken.down(at(1), peer);
    timers.fire(at(1));
    expect(results).toEqual(['lost', 'unsent']);
    expect(sent.length).toBe(1);
  });

  it('[QR9] a call that has ended leaves no timer behind', () => {
    const { calls: ended, timers, sent } = calls();
    const [peer] = peers as [PeerId];
    ended.up(peer);
    for (let i = 0; i < 3; i++) ended.ask(at(0), peer, { type: 'probe' }, { timeoutMs: 100 + i, ring: '' }, ignore);
    expect(timers.next()).toBe(100);
    const [first, second] = sent;
    ended.answered(at(1), peer, first?.kind === 'call' ? first.id : -1, stored);
    expect(timers.next()).toBe(101);
    if (second !== undefined) ended.unsent(at(2), peer, second);
    ended.down(at(3), peer);
    expect(timers.next()).toBeUndefined();
  });
});
