/**
 * When to compare with whom: every peer runs one exchange at a time, with a random member now and then, and soon with all of them after the ring has changed
 * or a link has come back, for then there is most to repair.
 */

import type { Environment } from './environment.ts';
import { ExchangeRun, type ExchangeResult } from './exchange.ts';
import type { Instant, PeerId } from './ids.ts';

const intervalMs = 30_000;
const soonMs = 1000;
const retryMs = 5000;

export class AntiEntropy {
  readonly #env: Environment;
  /** Whom to compare with next, in this order. */
  readonly #waiting = new Set<PeerId>();
  #running = false;
  #ring = '';

  constructor(env: Environment) {
    this.#env = env;
  }

  start(now: Instant): void {
    const { timers, random, calls, replica } = this.#env;
    timers.at(now.mono + intervalMs / 2 + random.below(intervalMs), (then) => {
      // Wrong leaves could look like those of others, and hide a difference.
      replica.records.recountDoubted();
      const links = [...calls.links()];
      const peer = links[random.below(Math.max(1, links.length))];
      if (peer !== undefined) this.#waiting.add(peer);
      this.#next(then);
      this.start(then);
    });
  }

  /** There may be much to compare with this peer. */
  soon(now: Instant, peer: PeerId): void {
    this.#later(now, peer, soonMs);
  }

  #later(now: Instant, peer: PeerId, delayMs: number): void {
    this.#env.timers.at(now.mono + delayMs, (then) => {
      this.#waiting.add(peer);
      this.#next(then);
    });
  }

  /** Compares with everyone when the ring is another one than at the last call. */
  ringMayHaveChanged(now: Instant): void {
    const { digest } = this.#env.members.placement.ring;
    if (digest === this.#ring) return;
    this.#ring = digest;
    for (const peer of this.#env.calls.links()) this.soon(now, peer);
  }

  #next(now: Instant): void {
    if (this.#running) return;
    const { calls, members, replica } = this.#env;
    for (const peer of this.#waiting) {
      this.#waiting.delete(peer);
      if (!calls.linked(peer) || !members.believedAlive(peer)) continue;
      this.#running = true;
      return this.#run(now, peer, replica.records.trees.replicaCounts);
    }
  }

  #run(now: Instant, peer: PeerId, counts: readonly number[]): void {
    const [n, ...rest] = counts;
    if (n === undefined) {
      this.#running = false;
      return this.#next(now);
    }
    const run = new ExchangeRun(this.#env, peer, n, (then, result) => {
      this.#report(peer, result);
      if (result.failure !== undefined) this.#later(then, peer, retryMs);
      this.#run(then, peer, result.failure === undefined ? rest : []);
    });
    run.start(now);
  }

  #report(peer: PeerId, result: ExchangeResult): void {
    const { different, received, sent } = result;
    if (different > 0) this.#env.emit({ type: 'exchange', peer, different, received, sent });
  }
}
