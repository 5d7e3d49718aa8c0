/**
 * Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014): timestamps that follow the wall clock, never go back at one peer, and
 * are later than every timestamp the peer has seen. They order values only where a bucket asks for it (VR7); causality never depends on them.
 */

import type { Instant } from './ids.ts';

/** Unix milliseconds and, within one millisecond, a count. */
export interface Timestamp {
  readonly ms: number;
  readonly tick: number;
}

/** How far ahead of the local wall clock another peer's timestamp may be. */
export const maxDriftMs = 60_000;

export function compareTimes(a: Timestamp, b: Timestamp): number {
  return a.ms - b.ms || a.tick - b.tick;
}

export class HybridClock {
  #last: Timestamp = { ms: 0, tick: 0 };

  /** A timestamp later than all before it. */
  next(now: Instant): Timestamp {
    const wall = Math.floor(now.wall);
    const { ms, tick } = this.#last;
    if (wall > ms) this.#last = { ms: wall, tick: 0 };
    // Another peer's tick may be the last one that can be written.
    else this.#last = tick < Number.MAX_SAFE_INTEGER ? { ms, tick: tick + 1 } : { ms: ms + 1, tick: 0 };
    return this.#last;
  }

  /** Takes note of another peer's timestamp. False when it is too far ahead: it is then not followed. */
  observe(now: Instant, time: Timestamp): boolean {
    if (time.ms > now.wall + maxDriftMs) return false;
    if (compareTimes(time, this.#last) > 0) this.#last = time;
    return true;
  }
}
