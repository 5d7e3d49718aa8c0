/**
 * When to compare with whom: every peer runs one exchange at a time, now and then with the member with which it shares partitions and has not compared them for
 * the longest time, and soon with all of those after the ring has changed or a link has come back, for then there is most to repair. An exchange that somebody
 * asks for comes before those.
 */

import type { Environment } from './environment.ts';
import { sharers } from './comparison.ts';
import { addCounts, type ExchangeCounts, ExchangeRun, type ExchangeResult } from './exchange.ts';
import type { Instant, PeerId } from './ids.ts';

const intervalMs = 30_000;
const soonMs = 1000;
const retryMs = 5000;

/** One comparison with one peer, over the buckets of several n. */
export interface ExchangeOrder {
  readonly peer: PeerId;
  readonly counts: readonly number[];
  /** Compare only these, whoever owns them. Default: all that the two peers share. */
  readonly partitions?: readonly number[] | undefined;
  /** Only the other peer gets what it lacks. */
  readonly givesOnly?: boolean;
  readonly progress?: (now: Instant, counts: ExchangeCounts) => void;
  /** `result` is the sum over all n; the first failure ends them. */
  readonly done: (now: Instant, result: ExchangeResult) => void;
}

interface Waiting {
  readonly order: ExchangeOrder;
  run: ExchangeRun | undefined;
  aborted: boolean;
}

const nothing: ExchangeResult = { different: 0, received: 0, sent: 0, bytes: 0, compared: [], skipped: 0, failure: undefined };

const addResults = (sum: ExchangeResult, found: ExchangeResult): ExchangeResult => ({
  ...addCounts(sum, found),
  compared: [...new Set([...sum.compared, ...found.compared])],
  skipped: sum.skipped + found.skipped,
  failure: found.failure,
});

export class AntiEntropy {
  readonly #env: Environment;
  /** Whom to compare with next in the background, in this order. */
  readonly #waiting = new Set<PeerId>();
  readonly #ordered: Waiting[] = [];
  /** When the last exchange in the background with each of them ended, in monotonic milliseconds. */
  readonly #comparedAt = new Map<PeerId, number>();
  #sharers: { readonly of: string; readonly peers: ReadonlySet<PeerId> } = { of: '', peers: new Set() };
  #running = false;
  #ring = '';

  constructor(env: Environment) {
    this.#env = env;
  }

  start(now: Instant): void {
    const { timers, random, replica } = this.#env;
    timers.at(now.mono + intervalMs / 2 + random.below(intervalMs), (then) => {
      // Wrong leaves could look like those of others, and hide a difference.
      replica.records.recountDoubted();
      const peer = this.#longestAgo();
      if (peer !== undefined) this.#waiting.add(peer);
      this.#next(then);
      this.start(then);
    });
  }

  #longestAgo(): PeerId | undefined {
    let oldest: PeerId | undefined;
    let at = Infinity;
    for (const peer of this.#env.calls.links()) {
      const comparedAt = this.#comparedAt.get(peer) ?? -Infinity;
      if ((oldest !== undefined && comparedAt >= at) || !this.#isComparable(peer)) continue;
      oldest = peer;
      at = comparedAt;
    }
    return oldest;
  }

  /** It can be asked, and there is something to compare. */
  #isComparable(peer: PeerId): boolean {
    const { calls, members, replica } = this.#env;
    if (!calls.linked(peer) || !members.believedAlive(peer)) return false;
    const counts = replica.records.trees.replicaCounts;
    const of = `${members.placement.ring.digest} ${counts.join()}`;
    if (of !== this.#sharers.of) this.#sharers = { of, peers: new Set(sharers(members, counts)) };
    return this.#sharers.peers.has(peer);
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

  /** Nobody need be compared with because of the ring that there is now. */
  ringIsSettled(): void {
    this.#ring = this.#env.members.placement.ring.digest;
  }

  /** Compares with everyone when the ring is another one than at the last call. */
  ringMayHaveChanged(now: Instant): void {
    const { digest } = this.#env.members.placement.ring;
    if (digest === this.#ring) return;
    this.#ring = digest;
    for (const peer of this.#env.calls.links()) this.soon(now, peer);
  }

  /** Carries out an order as soon as the exchange under way has ended. The returned function aborts it. */
  exchange(now: Instant, order: ExchangeOrder): () => void {
    const waiting: Waiting = { order, run: undefined, aborted: false };
    this.#ordered.push(waiting);
    this.#next(now);
    return () => {
      waiting.aborted = true;
      waiting.run?.abort();
    };
  }

  #next(now: Instant): void {
    if (this.#running) return;
    const next = this.#ordered.shift() ?? this.#fromBackground(now);
    if (next === undefined) return;
    this.#running = true;
    this.#run(now, next, next.order.counts, nothing);
  }

  #fromBackground(now: Instant): Waiting | undefined {
    for (const peer of this.#waiting) {
      this.#waiting.delete(peer);
      if (!this.#isComparable(peer)) {
        // It has come back, and is held for dead until its first word is heard.
        if (this.#env.calls.linked(peer) && !this.#env.members.believedAlive(peer)) this.#later(now, peer, retryMs);
        continue;
      }
      const done = (then: Instant, { failure }: ExchangeResult): void => {
        if (failure !== undefined) this.#later(then, peer, retryMs);
        // Whoever fails comes again in its turn, and keeps nobody else waiting.
        this.#comparedAt.set(peer, then.mono);
      };
      return { order: { peer, counts: this.#env.replica.records.trees.replicaCounts, done }, run: undefined, aborted: false };
    }
    return undefined;
  }

  #run(now: Instant, waiting: Waiting, counts: readonly number[], sum: ExchangeResult): void {
    const { peer, partitions, givesOnly, progress } = waiting.order;
    const [n, ...rest] = waiting.aborted ? [] : counts;
    if (n === undefined) return this.#ended(now, waiting.order, sum);
    waiting.run = new ExchangeRun(this.#env, {
      peer,
      n,
      partitions,
      givesOnly,
      progress: progress && ((then, found) => progress(then, addCounts(sum, found))),
      done: (then, found) => {
        this.#run(then, waiting, found.failure === undefined ? rest : [], sum === nothing ? found : addResults(sum, found));
      },
    });
    waiting.run.start(now);
  }

  #ended(now: Instant, order: ExchangeOrder, result: ExchangeResult): void {
    const { different, received, sent } = result;
    if (different > 0) this.#env.emit({ type: 'exchange', peer: order.peer, different, received, sent });
    this.#running = false;
    order.done(now, result);
    this.#next(now);
  }
}
