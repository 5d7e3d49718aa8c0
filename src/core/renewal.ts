/**
 * When a peer that mints begins a new incarnation, so that the others remember how far its store has come: a copy of the store from before does not know of it
 * (VR3). At the first dot after a pause, and then once in a while as long as more are given: what a store has minted in the last while before its end may be
 * forgotten by a copy without anyone's notice, and nothing else.
 */

import type { Instant } from './ids.ts';
import type { Random } from './random.ts';
import type { Timers } from './timers.ts';

/** Every member hears of each renewal: the more there are, the longer they last, so that nobody hears of more than a few a second. */
export const renewalMs = (members: number): number => 10_000 * Math.max(1, members / 32);

export class Renewal {
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #members: () => number;
  readonly #renew: () => void;
  /** Whether a dot was given since the last renewal; undefined when the next one renews at once. */
  #mintedSince: boolean | undefined;

  constructor(timers: Timers, random: Random, members: () => number, renew: () => void) {
    this.#timers = timers;
    this.#random = random;
    this.#members = members;
    this.#renew = renew;
  }

  /** A dot was given, and is durable. */
  minted(now: Instant): void {
    const isFirst = this.#mintedSince === undefined;
    this.#mintedSince = !isFirst;
    if (!isFirst) return;
    // Members that begin to mint together do not go on renewing together.
    const nextMs = this.#random.below(Math.ceil(renewalMs(this.#members())));
    this.#now(now, nextMs);
  }

  #now(now: Instant, nextMs: number): void {
    this.#renew();
    this.#timers.at(now.mono + nextMs, (then) => {
      const isDue = this.#mintedSince === true;
      this.#mintedSince = isDue ? false : undefined;
      if (isDue) this.#now(then, renewalMs(this.#members()));
    });
  }
}
