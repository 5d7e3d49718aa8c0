/**
 * Storms of news in a large mesh. When a split ends, half of the members have something to refute, and each of that as gossip would be a message to everybody.
 * Comparisons of tables tell of many at once, and everybody after a number of rounds that is the logarithm of theirs (Demers et al., "Epidemic Algorithms", 1987);
 * so a storm is told by more of them, and not by gossip.
 */

import type { Instant } from './ids.ts';
import type { Random } from './random.ts';
import type { Timers } from './timers.ts';

/** In a table of up to so many members there is no storm: all that is new fits a message or two. */
const calmTableMax = 64;
/** More changes than this in a second are a storm, which lasts until there have been fewer for a while. */
const changesMax = 16;
const countedMs = 1000;
const lastsMs = 2000;
/** How soon tables are compared again while it lasts. */
const compareEveryMs = 250;

export interface StormOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Compares the table with that of some other member. */
  readonly compare: (now: Instant) => void;
}

export class Storm {
  readonly #options: StormOptions;
  #changes = { since: -Infinity, count: 0 };
  #until = -Infinity;

  constructor(options: StormOptions) {
    this.#options = options;
  }

  lastsAt(now: Instant): boolean {
    return now.mono < this.#until;
  }

  /** The table, of so many members, has changed. */
  changed(now: Instant, members: number): void {
    if (members <= calmTableMax) return;
    if (now.mono - this.#changes.since > countedMs) this.#changes = { since: now.mono, count: 0 };
    if (++this.#changes.count <= changesMax) return;
    const isNew = !this.lastsAt(now);
    this.#until = now.mono + lastsMs;
    if (isNew) this.#compareSoon(now);
  }

  #compareSoon(now: Instant): void {
    const { timers, random, compare } = this.#options;
    timers.at(now.mono + compareEveryMs / 2 + random.below(compareEveryMs), (then) => {
      if (!this.lastsAt(then)) return;
      compare(then);
      this.#compareSoon(then);
    });
  }
}
