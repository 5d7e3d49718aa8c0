/**
 * Whom this peer tells of what it commits: peers that watch keys ask all replicas of these to tell them (`watches.ts` is their side).
 *
 * A watcher is told of the commits in their order, some at a time; the next ones are sent when it has heard the last ones. While that goes on without a gap its
 * session stays the same. When something could not be told, for a link broke or too much was waiting, nothing more is until the watcher asks again; it then gets
 * another session, and knows that it has to compare.
 */

import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant, PeerId } from './ids.ts';
import { recordName } from './layout.ts';
import { limits } from './limits.ts';
import type { Answer, Changed, Filter } from './messages.ts';
import { recordSize, type RecordSet, withoutValues } from './record.ts';

interface Watcher {
  readonly peer: PeerId;
  session: number;
  filters: readonly Filter[];
  renewedAt: number;
  isTelling: boolean;
  hasGap: boolean;
  queue: Changed[];
  queuedBytes: number;
}

const tellTimeoutMs = 5000;
/** A watcher asks again every few seconds: who has not for so long is gone. */
const forgetMs = 60_000;
/** Values of larger records are fetched by who wants them. */
const wholeMaxBytes = 64 * 1024;
const batchMax = 200;
const batchMaxBytes = 256 * 1024;

export class Watchers {
  readonly #env: Environment;
  readonly #watchers = new Map<PeerId, Watcher>();
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #byPrefix = new Map<string, { readonly prefix: ByteString; readonly watcher: Watcher }[]>();

  constructor(env: Environment) {
    this.#env = env;
  }

  /** A peer wants to be told of these from now on, and of nothing else. */
  watch(now: Instant, peer: PeerId, filters: readonly Filter[]): Answer {
    for (const watcher of this.#watchers.values()) if (now.mono - watcher.renewedAt > forgetMs) this.#forget(watcher);
    let watcher = this.#watchers.get(peer);
    if (filters.length === 0) {
      if (watcher !== undefined) this.#forget(watcher);
      return { type: 'watching', session: 0 };
    }
    if (watcher === undefined) {
      if (this.#watchers.size >= limits.watchersMax) {
        const { code, message } = new MeshError('OVERLOADED', `${limits.watchersMax} peers watch this one already`);
        return { type: 'refused', code, message };
      }
      const session = 1 + this.#env.random.u32();
      watcher = { peer, session, filters: [], renewedAt: now.mono, isTelling: false, hasGap: false, queue: [], queuedBytes: 0 };
      this.#watchers.set(peer, watcher);
    }
    if (watcher.hasGap) {
      watcher.session++;
      watcher.hasGap = false;
    }
    watcher.renewedAt = now.mono;
    this.#unlist(watcher);
    watcher.filters = filters;
    this.#list(watcher);
    return { type: 'watching', session: watcher.session };
  }

  #list(watcher: Watcher): void {
    for (const { bucket, key, exact } of watcher.filters) {
      if (exact) {
        const name = recordName(bucket, key);
        this.#byKey.set(name, (this.#byKey.get(name) ?? new Set()).add(watcher));
      } else {
        this.#byPrefix.set(bucket, [...(this.#byPrefix.get(bucket) ?? []), { prefix: key, watcher }]);
      }
    }
  }

  #unlist(watcher: Watcher): void {
    for (const { bucket, key, exact } of watcher.filters) {
      if (exact) {
        const name = recordName(bucket, key);
        const watchers = this.#byKey.get(name);
        if (watchers?.delete(watcher) === true && watchers.size === 0) this.#byKey.delete(name);
      } else {
        const left = this.#byPrefix.get(bucket)?.filter((entry) => entry.watcher !== watcher) ?? [];
        if (left.length === 0) this.#byPrefix.delete(bucket);
        else this.#byPrefix.set(bucket, left);
      }
    }
  }

  #forget(watcher: Watcher): void {
    this.#unlist(watcher);
    this.#watchers.delete(watcher.peer);
  }

  /** This peer has committed a record. */
  committed(now: Instant, { bucket, key }: Address, record: RecordSet): void {
    if (this.#watchers.size === 0 || record.context.length === 0) return;
    const wanting = new Set(this.#byKey.get(recordName(bucket, key)));
    for (const { prefix, watcher } of this.#byPrefix.get(bucket) ?? []) if (key.startsWith(prefix)) wanting.add(watcher);
    if (wanting.size === 0) return;
    const whole = recordSize(record) <= wholeMaxBytes;
    const entry: Changed = { bucket, key, whole, record: whole ? record : withoutValues(record) };
    for (const watcher of wanting) this.#add(now, watcher, entry);
  }

  #add(now: Instant, watcher: Watcher, entry: Changed): void {
    if (watcher.hasGap) return;
    watcher.queue.push(entry);
    watcher.queuedBytes += sizeOf(entry);
    if (watcher.queue.length > limits.changesMax || watcher.queuedBytes > limits.changesMaxBytes) this.#leaveGap(watcher);
    else this.#tell(now, watcher);
  }

  #leaveGap(watcher: Watcher): void {
    watcher.hasGap = true;
    watcher.queue = [];
    watcher.queuedBytes = 0;
  }

  #tell(now: Instant, watcher: Watcher): void {
    if (watcher.isTelling || watcher.queue.length === 0) return;
    watcher.isTelling = true;
    const entries = takeBatch(watcher);
    const { peer } = watcher;
    const options = { timeoutMs: tellTimeoutMs, ring: this.#env.members.placement.digest };
    this.#env.calls.ask(now, peer, { type: 'changed', entries }, options, (then, result) => {
      watcher.isTelling = false;
      if (this.#watchers.get(peer) !== watcher) return;
      if (typeof result !== 'object') this.#leaveGap(watcher);
      else if (result.type !== 'heard') this.#forget(watcher);
      else this.#tell(then, watcher);
    });
  }
}

/** What is told at once, at least one. */
function takeBatch(watcher: Watcher): Changed[] {
  const { queue } = watcher;
  let bytes = 0;
  let count = 0;
  while (count < Math.min(queue.length, batchMax) && (count === 0 || bytes < batchMaxBytes)) bytes += sizeOf(queue[count++] as Changed);
  watcher.queuedBytes -= bytes;
  return queue.splice(0, count);
}

const sizeOf = ({ key, record }: Changed): number =>
  key.length + recordSize(record) + 128 * record.siblings.length + 64 * record.context.length;
