/**
 * A watcher of a run: it watches some of the keys at one peer, while faults strike and after, and writes down what it is told. When its peer dies it begins anew
 * there, as an application does after a `resync`. In the end it must have been told of all that is there, and of nothing twice.
 */

import { textToBytes } from '../core/bytes.ts';
import { type ByteString, dotText } from '../core/ids.ts';
import type { SeededRandom } from '../core/random.ts';
import type { News } from '../core/watching.ts';
import { happens, pick } from './chance.ts';
import type { Violation } from './checker/violation.ts';
import { bucket } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { Operation } from './history.ts';

export interface WatcherOptions {
  readonly index: number;
  readonly cluster: Cluster;
  readonly n: number;
  readonly hotKeys: number;
}

/** What was told of one key. */
interface Told {
  readonly dots: Map<string, { readonly deleted: boolean }>;
  /** Of those that are not replaced, and others that were there before. */
  current: readonly string[];
}

const againMs = 200;

export class Watcher {
  /** Versions that were told in all, and how often it had to begin anew. */
  versions = 0;
  beginnings = 0;
  readonly #options: WatcherOptions;
  readonly #random: SeededRandom;
  readonly #peer: number;
  readonly #name: string;
  readonly #filter: { readonly key: ByteString; readonly exact: boolean };
  readonly #initial: boolean;
  readonly #twice: Violation[] = [];
  #told = new Map<string, Told>();
  #readyAt = Infinity;

  constructor(options: WatcherOptions) {
    const { index, cluster, hotKeys } = options;
    this.#options = options;
    this.#random = cluster.world.stream(`watcher/${index}`);
    this.#peer = this.#random.below(cluster.peers.length);
    this.#initial = happens(this.#random, 0.5);
    const key = pick(this.#random, ['', 'hot-', 'wide-1', `hot-${this.#random.below(hotKeys)}`]);
    this.#filter = { key: textToBytes(key), exact: key.startsWith('hot-') && key.length > 4 };
    this.#name = `watcher ${index} of ${this.#filter.exact ? key : `${key}…`} at ${cluster.peer(this.#peer).id}`;
  }

  begin(): void {
    const { world } = this.#options.cluster;
    const peer = this.#options.cluster.peer(this.#peer);
    const again = (): void => world.after(againMs, 'client', this.#options.index, () => this.begin());
    if (!peer.serving) return again();
    this.beginnings++;
    this.#told = new Map();
    this.#readyAt = Infinity;
    const command = { bucket, ...this.#filter, n: this.#options.n, initial: this.#initial };
    peer.request({ type: 'watch', command }, again, (news) => this.#hear(news));
  }

  #hear(news: News): void {
    if (news.type === 'ready') {
      this.#readyAt = this.#options.cluster.world.nowMs;
      return;
    }
    const { key, version, current } = news;
    const told = this.#told.get(key) ?? { dots: new Map<string, { deleted: boolean }>(), current: [] };
    const dot = dotText(version.dot);
    this.versions++;
    if (told.dots.has(dot)) this.#twice.push({ check: 'watch', key, message: `${this.#name} was told ${dot} twice` });
    told.dots.set(dot, { deleted: version.value.tombstone });
    told.current = current.map(dotText);
    this.#told.set(key, told);
  }

  /** Judges once all is healed. `mayForget`: stores lost versions that nobody had acknowledged, or were told to. */
  violations(history: readonly Operation[], mayForget: boolean): Violation[] {
    const found = [...this.#twice];
    if (this.#readyAt === Infinity) found.push({ check: 'watch', key: '', message: `${this.#name} is never ready` });
    for (const [key, dots] of finalDots(history)) {
      if (!this.#isWatched(key)) continue;
      const told = this.#told.get(key);
      for (const dot of dots) {
        const isTold = told?.dots.has(dot) ?? false;
        if (!isTold && (this.#initial || writtenAt(history, key, dot) > this.#readyAt))
          found.push({ check: 'watch', key, message: `${this.#name} was not told ${dot}, which is there at the end` });
        if (isTold && !told?.current.includes(dot))
          found.push({ check: 'watch', key, message: `${this.#name} takes ${dot} for replaced, and it is not` });
      }
      for (const dot of mayForget ? [] : (told?.current ?? []))
        if (told?.dots.get(dot)?.deleted === false && !dots.has(dot))
          found.push({ check: 'watch', key, message: `${this.#name} was not told what replaced ${dot}` });
    }
    return found;
  }

  #isWatched(key: string): boolean {
    return this.#filter.exact ? key === this.#filter.key : key.startsWith(this.#filter.key);
  }
}

/** What the replicas hold at the end, by key. */
function finalDots(history: readonly Operation[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { key, phase, dots } of history) {
    if (phase !== 'final') continue;
    const known = found.get(key) ?? new Set();
    for (const dot of Object.values(dots)) known.add(dot);
    found.set(key, known);
  }
  return found;
}

/** When the put of a version began, in virtual milliseconds. */
function writtenAt(history: readonly Operation[], key: string, dot: string): number {
  const ids = history.filter((operation) => operation.key === key).flatMap(({ dots }) => Object.entries(dots));
  const id = ids.find(([, known]) => known === dot)?.[0];
  return history.find((operation) => operation.key === key && operation.op !== 'get' && operation.valueId === id)?.invoke ?? -Infinity;
}
