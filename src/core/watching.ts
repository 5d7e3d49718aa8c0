/**
 * One watch: what has been told of each key, and what is new in a record that some replica shows. A version is told once, whoever shows it and however often; one
 * that was replaced before anyone showed it is not told.
 *
 * What was there when the watch began is news only if the watcher wants it (`initial`); else what the replicas show at first counts as told.
 */

import type { CallFailure } from './calls.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { ByteString, Dot, Instant, PeerId } from './ids.ts';
import { limits } from './limits.ts';
import type { Answer, Filter, Listed } from './messages.ts';
import type { RecordSet, RecordVersion } from './record.ts';
import { covers, emptySet, emptyVector, joinVectors, merge, onlyDot, type VersionSet, type VersionVector } from './versions.ts';

export interface WatchCommand extends Filter {
  /** Of the bucket. */
  readonly n: number;
  /** Tell of what is there now, too. */
  readonly initial: boolean;
}

export type News =
  /** Whoever could be reached has shown what there is: what is committed from now on will be told. */
  | { readonly type: 'ready' }
  /** `current`: the versions of the key that nothing has replaced, as far as is known; `context` covers those of them that were told. */
  | {
      readonly type: 'version';
      readonly key: ByteString;
      readonly version: RecordVersion;
      readonly current: readonly Dot[];
      readonly context: VersionVector;
    };

/** What is known of a key. The versions say whether they were told, or were there before. */
type Known = VersionSet<boolean>;

/** How many more keys the watches of a peer may remember. */
export interface Budget {
  left: number;
}

/** A replica has shown that there is something new, but not the values. */
interface Report extends Listed {
  readonly peer: PeerId;
}

export interface WatchingOptions {
  readonly env: Environment;
  readonly command: WatchCommand;
  readonly budget: Budget;
  readonly tell: (news: News) => void;
  readonly fail: (now: Instant, error: MeshError) => void;
  /** What this replica has shown could not be fetched: it must be looked at again. */
  readonly missed: (peer: PeerId) => void;
}

const fetchesMax = 16;
/** So many wait to be fetched before the replicas are asked for more. */
const waitingMax = 400;
const fetchTimeoutMs = 5000;

export class Watching {
  readonly command: WatchCommand;
  readonly #options: WatchingOptions;
  readonly #known = new Map<ByteString, Known>();
  readonly #waiting: Report[] = [];
  /** Those under way, with what else was shown of their keys meanwhile. */
  readonly #fetching = new Map<ByteString, Report[]>();
  readonly #whenDrained: ((now: Instant) => void)[] = [];
  #awaited: Set<PeerId>;
  #isReady = false;
  #hasEnded = false;

  /** `awaited`: whose records are to be looked at before it is ready. */
  constructor(options: WatchingOptions, awaited: Iterable<PeerId>) {
    this.command = options.command;
    this.#options = options;
    this.#awaited = new Set(awaited);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  end(now: Instant): void {
    this.#hasEnded = true;
    this.#options.budget.left += this.#known.size;
    this.#known.clear();
    this.#waiting.length = 0;
    this.#settle(now);
  }

  matches(bucket: string, key: ByteString): boolean {
    const { command } = this;
    return bucket === command.bucket && (command.exact ? key === command.key : key.startsWith(command.key));
  }

  /** All that this replica has was shown, or it cannot be. */
  lookedAt(now: Instant, peer: PeerId): void {
    this.#awaited.delete(peer);
    this.#settle(now);
  }

  #settle(now: Instant): void {
    if (this.#waiting.length < waitingMax) for (const next of this.#whenDrained.splice(0)) next(now);
    if (this.#isReady || this.#hasEnded || this.#awaited.size > 0) return;
    if (this.#waiting.length + this.#fetching.size > 0) return;
    this.#isReady = true;
    this.#options.tell({ type: 'ready' });
  }

  /** Calls back when it is ready to be shown more. */
  drained(now: Instant, next: (now: Instant) => void): void {
    if (this.#waiting.length < waitingMax) next(now);
    else this.#whenDrained.push(next);
  }

  /** A replica lists what it has. */
  listed(now: Instant, peer: PeerId, { key, record }: Listed): void {
    if (this.#hasEnded) return;
    if (this.#isReady || this.command.initial) this.shown(now, peer, { key, record, whole: false });
    else this.#remember(now, key, record, false);
  }

  /** A replica shows a record, with its values if it is `whole`. */
  shown(now: Instant, peer: PeerId, { key, record, whole }: Listed & { readonly whole: boolean }): void {
    if (this.#hasEnded) return;
    const fresh = this.#freshIn(key, record);
    const isKnown = fresh.every(({ value }) => whole || value.tombstone);
    if (!isKnown) return this.#want(now, { peer, key, record });
    const known = this.#remember(now, key, record, true);
    if (known === undefined || fresh.length === 0) return;
    const current = known.siblings.map(({ dot }) => dot);
    const context = known.siblings.filter(({ value }) => value).reduce((told, { dot }) => joinVectors(told, onlyDot(dot)), emptyVector);
    for (const version of fresh) this.#options.tell({ type: 'version', key, version, current, context });
  }

  #freshIn(key: ByteString, record: RecordSet): readonly RecordVersion[] {
    const known = this.#known.get(key);
    return known === undefined ? record.siblings : record.siblings.filter(({ dot }) => !covers(known.context, dot));
  }

  #remember(now: Instant, key: ByteString, { context, siblings }: RecordSet, isTold: boolean): Known | undefined {
    const before = this.#known.get(key);
    const { budget, fail } = this.#options;
    if (before === undefined && --budget.left < 0) {
      budget.left++;
      const message = `the watches of a peer follow up to ${limits.watchedKeysMax} keys together: watch a longer prefix`;
      fail(now, new MeshError('WATCH_TOO_LARGE', message));
      return undefined;
    }
    const known = merge<boolean>(before ?? emptySet, { context, siblings: siblings.map(({ dot }) => ({ dot, value: isTold })) });
    this.#known.set(key, known);
    return known;
  }

  #want(now: Instant, report: Report): void {
    const underWay = this.#fetching.get(report.key);
    if (underWay === undefined) this.#waiting.push(report);
    else underWay.push(report);
    this.#fetchSome(now);
  }

  #fetchSome(now: Instant): void {
    while (this.#fetching.size < fetchesMax) {
      const report = this.#waiting.shift();
      if (report === undefined) break;
      const { peer, key, record } = report;
      const underWay = this.#fetching.get(key);
      if (underWay !== undefined) underWay.push(report);
      else if (this.#freshIn(key, record).length === 0) this.#remember(now, key, record, true);
      else this.#fetch(now, peer, key);
    }
    this.#settle(now);
  }

  #fetch(now: Instant, peer: PeerId, key: ByteString): void {
    this.#fetching.set(key, []);
    const { calls, members } = this.#options.env;
    const { bucket } = this.command;
    const options = { timeoutMs: fetchTimeoutMs, ring: members.placement.digest };
    calls.ask(now, peer, { type: 'fetch', bucket, key, n: 0 }, options, (then, result) => this.#fetched(then, peer, key, result));
  }

  #fetched(now: Instant, peer: PeerId, key: ByteString, result: Answer | CallFailure): void {
    const others = this.#fetching.get(key) ?? [];
    this.#fetching.delete(key);
    if (this.#hasEnded) return;
    if (typeof result === 'object' && result.type === 'fetched') this.shown(now, peer, { key, record: result.record, whole: true });
    else this.#options.missed(peer);
    this.#waiting.push(...others);
    this.#fetchSome(now);
  }
}
