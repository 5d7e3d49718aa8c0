/**
 * When a get asks a further replica because an answer is late (QR7; Dean and Barroso, "The Tail at Scale", 2013).
 *
 * Late is what is unusual for the peers that were asked. Under load everything is late, and asking more would only add to it: hedges are paid from an
 * allowance that grows with the gets, so that they are a small part of all reads. A replica that is silent for long is hedged in any case.
 */

import type { Calls } from './calls.ts';
import type { Instant, PeerId } from './ids.ts';
import type { Timers } from './timers.ts';

const lateMinMs = 10;
const silentMs = 250;
/** Hedges for each get, and how many may be saved up. */
const allowance = 1 / 20;
const savedMax = 20;

export class Hedging {
  readonly #calls: Calls;
  #saved = savedMax;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** A get has begun. */
  began(): void {
    this.#saved = Math.min(savedMax, this.#saved + allowance);
  }

  /** Calls back when the answers of these peers are late and a hedge may be afforded. The returned function cancels. */
  whenLate(now: Instant, timers: Timers, asked: readonly { readonly peer: PeerId }[], hedge: (now: Instant) => void): () => void {
    let late = lateMinMs;
    for (const { peer } of asked) {
      const trip = this.#calls.roundTrip(peer);
      if (trip !== undefined) late = Math.max(late, trip.mean + 4 * trip.deviation);
    }
    let cancel = timers.at(now.mono + Math.min(late, silentMs), (then) => {
      if (this.#saved >= 1 || late >= silentMs) {
        this.#saved = Math.max(0, this.#saved - 1);
        return hedge(then);
      }
      cancel = timers.at(now.mono + silentMs, hedge);
    });
    return () => cancel();
  }
}
