/**
 * Failure detection: SWIM (Das, Gupta, Motivala, 2002). Each interval one member is probed, directly, then through others; one that answers neither way is
 * suspected, and declared dead when it has not refuted the suspicion in time.
 *
 * A peer that is not well itself should not accuse others. One whose timers stalled (a paused process, a throttled tab) accuses no one for that time:
 * it was itself that was absent (MB3). One whose timers run late or whose probes fail waits longer (local health, as in "Lifeguard", Dadgar et al.,
 * 2018); and whoever has been heard from since the probe began is alive, however late its answer.
 */

import type { Calls } from './calls.ts';
import type { Instant, PeerId } from './ids.ts';
import type { Suspicion } from './messages.ts';
import type { MemberTable } from './member-table.ts';
import { stateOf } from './member-table.ts';
import type { Random } from './random.ts';
import type { Timers } from './timers.ts';

export interface ProbeTimes {
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  /** From the suspicion to the declaration of death. */
  readonly suspicionMs: number;
}

export const defaultProbeTimes: ProbeTimes = { probeIntervalMs: 700, probeTimeoutMs: 400, suspicionMs: 2000 };

const helpers = 3;
/** How many times longer a peer that is not well waits at most. */
const patienceMax = 4;
const linksGraceMs = 3000;
const lostAtOnce = 8;
const lostEveryMs = 250;

export class Prober {
  readonly #self: PeerId;
  readonly #table: MemberTable;
  readonly #calls: Calls;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #times: ProbeTimes;
  /** Reports a suspicion to the membership, which spreads it. `byMany`: what led to it others meet at the same moment. */
  readonly #accuse: (now: Instant, suspicion: Suspicion, byMany: boolean) => void;
  #round: PeerId[] = [];
  /** Links to these broke, and nobody has looked yet. */
  readonly #lost = new Set<PeerId>();
  #looksAtLost = 0;
  /** Probes that began before this instant accuse nobody. */
  #trustFrom = 0;
  /** How much longer than usual to wait: 1 when well, rises with late timers and failed probes, falls with answered ones. */
  #patience = 1;

  constructor(options: {
    self: PeerId;
    table: MemberTable;
    calls: Calls;
    timers: Timers;
    random: Random;
    times: ProbeTimes;
    accuse: (now: Instant, suspicion: Suspicion, byMany: boolean) => void;
  }) {
    this.#self = options.self;
    this.#table = options.table;
    this.#calls = options.calls;
    this.#timers = options.timers;
    this.#random = options.random;
    this.#times = options.times;
    this.#accuse = options.accuse;
  }

  start(now: Instant): void {
    const { probeIntervalMs } = this.#times;
    // The first links are still being made: their absence says nothing yet.
    this.#trustFrom = now.mono + linksGraceMs;
    // Peers that start together do not probe together.
    this.#timers.at(now.mono + this.#random.below(probeIntervalMs) + 1, (then) => this.#tick(then, then.mono));
  }

  #tick(now: Instant, due: number): void {
    const { probeIntervalMs } = this.#times;
    // Links that broke meanwhile are made again first, as at the start.
    const lateBy = now.mono - due;
    if (lateBy > probeIntervalMs) this.#trustFrom = now.mono + linksGraceMs;
    if (lateBy > this.#times.probeTimeoutMs / 4) this.#feel(1);
    const target = this.#nextTarget();
    if (target !== undefined) this.probe(now, target);
    const next = now.mono + probeIntervalMs;
    this.#timers.at(next, (then) => this.#tick(then, next));
  }

  /** Every member once in a random order, then again in another one: the time to the first probe is bounded (SWIM, section 4.3). */
  #nextTarget(): PeerId | undefined {
    for (let fresh = 0; fresh < 2; fresh++) {
      for (let peer = this.#round.pop(); peer !== undefined; peer = this.#round.pop()) {
        const member = this.#table.get(peer);
        if (member !== undefined && (stateOf(member) === 'alive' || stateOf(member) === 'suspect')) return peer;
      }
      this.#round = this.#shuffled([...this.#table.all()].map((member) => member.signed.record.peer).filter((peer) => peer !== this.#self));
    }
    return undefined;
  }

  #shuffled(peers: PeerId[]): PeerId[] {
    const shuffled: PeerId[] = [];
    for (const peer of peers) shuffled.splice(this.#random.below(shuffled.length + 1), 0, peer);
    return shuffled;
  }

  /** A link broke: that is reason enough to look at once. Of many that break together some are looked at, and of the others these may be told by somebody else meanwhile. */
  lost(now: Instant, peer: PeerId): void {
    this.#lost.add(peer);
    this.#probeLost(now);
  }

  #probeLost(now: Instant): void {
    for (const peer of this.#lost) {
      if (this.#looksAtLost >= lostAtOnce) return;
      this.#lost.delete(peer);
      const member = this.#table.get(peer);
      if (member === undefined || stateOf(member) !== 'alive') continue;
      this.#looksAtLost++;
      const next = (then: Instant): void => {
        this.#looksAtLost--;
        this.#probeLost(then);
      };
      this.probe(now, peer, (then) => void this.#timers.at(Math.max(then.mono, now.mono + lostEveryMs), next));
    }
  }

  /** Asks the target, then others to ask it; accuses it when neither brings an answer. `done` comes after that. */
  probe(now: Instant, target: PeerId, done: (now: Instant) => void = () => {}): void {
    const began = now.mono;
    const options = { timeoutMs: this.#times.probeTimeoutMs * this.#patience, ring: '' };
    this.#calls.ask(now, target, { type: 'probe' }, options, (then, result) => {
      this.#feel(result === 'timeout' ? 1 : -1);
      if (typeof result === 'string') this.#probeThroughOthers(then, target, began, done);
      else done(then);
    });
  }

  #feel(worse: number): void {
    this.#patience = Math.min(patienceMax, Math.max(1, this.#patience + worse));
  }

  #probeThroughOthers(now: Instant, target: PeerId, began: number, done: (now: Instant) => void): void {
    const others = this.#someLinked(target);
    let waiting = others.length;
    let isAlive = false;
    const end = (then: Instant): void => {
      if (!isAlive) this.#suspect(then, target, began);
      done(then);
    };
    if (waiting === 0) return end(now);
    const options = { timeoutMs: 2 * this.#times.probeTimeoutMs * this.#patience, ring: '' };
    for (const other of others) {
      this.#calls.ask(now, other, { type: 'probeFor', target }, options, (then, result) => {
        isAlive ||= typeof result === 'object' && result.type === 'probed' && result.alive;
        if (--waiting === 0) end(then);
      });
    }
  }

  /** Some peers that can be asked, but not this one. */
  #someLinked(target: PeerId): PeerId[] {
    const others = [...this.#calls.links()].filter((peer) => peer !== target);
    const chosen: PeerId[] = [];
    while (chosen.length < helpers && others.length > 0) chosen.push(...others.splice(this.#random.below(others.length), 1));
    return chosen;
  }

  #suspect(now: Instant, target: PeerId, began: number): void {
    const lateBy = now.mono - began - 3 * this.#times.probeTimeoutMs;
    if (lateBy > this.#times.probeIntervalMs) this.#trustFrom = Math.max(this.#trustFrom, now.mono);
    const member = this.#table.get(target);
    if (began < this.#trustFrom || this.#calls.heardAt(target) > began || member === undefined || stateOf(member) !== 'alive') return;
    // A link that broke did so for the others, too.
    this.#accuse(now, { peer: target, incarnation: member.signed.record.incarnation, dead: false }, !this.#calls.linked(target));
  }

  /** Someone suspects a peer: unless it refutes in time, it is dead. */
  countDown(now: Instant, suspicion: Suspicion): void {
    // Larger clusters need more rounds until the suspect hears of it (Lifeguard, section 4).
    const rounds = Math.max(1, Math.log10(this.#table.size));
    const due = now.mono + this.#times.suspicionMs * rounds * this.#patience;
    this.#timers.at(due, (then) => {
      if (then.mono - due > this.#times.probeIntervalMs) return this.countDown(then, suspicion);
      const member = this.#table.get(suspicion.peer);
      const still = member?.health === 'suspect' && member.signed.record.incarnation <= suspicion.incarnation;
      if (still && this.#calls.heardAt(suspicion.peer) > now.mono) return this.countDown(then, suspicion);
      // All that heard of a suspicion count down, and come to the end of it at the same time.
      if (still) this.#accuse(then, { ...suspicion, dead: true }, true);
    });
  }
}
