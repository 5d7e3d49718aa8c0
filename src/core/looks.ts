/**
 * What one peer itself keeps, for whoever looks at the mesh: how much in all, and what of one key. Any peer can be asked by any other, so that a page sees tabs and peers
 * whose gateways it cannot reach.
 */

import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import type { Answer, Call, Holdings, OwnCopy } from './messages.ts';
import { liveSiblings, recordSize } from './record.ts';

type Done<T> = (now: Instant, result: T | MeshError) => void;

const askWithinMs = 3000;
/** Beyond this the rest is estimated. */
const countedMax = 2000;
const countedBytesMax = 4 * 1024 * 1024;

export class Looks {
  readonly #env: Environment;
  #waiting: Done<Holdings>[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  askHoldings(now: Instant, peer: PeerId | undefined, done: Done<Holdings>): void {
    if (peer === undefined || peer === this.#env.members.self) return this.holdings(done);
    this.#ask(now, peer, { type: 'holdings' }, 'holdings', (then, answer) =>
      done(then, answer instanceof MeshError ? answer : answer.holdings),
    );
  }

  askCopy(now: Instant, peer: PeerId | undefined, bucket: string, key: ByteString, done: Done<OwnCopy>): void {
    if (peer === undefined || peer === this.#env.members.self) return this.copy(bucket, key, done);
    this.#ask(now, peer, { type: 'copy', bucket, key }, 'copied', done);
  }

  #ask<T extends Answer['type']>(now: Instant, peer: PeerId, call: Call, wanted: T, done: Done<Extract<Answer, { type: T }>>): void {
    const { calls, members } = this.#env;
    calls.ask(now, peer, call, { timeoutMs: askWithinMs, ring: members.placement.digest }, (then, result) => {
      if (result === 'timeout') return done(then, new MeshError('TIMEOUT', `${peer} has not answered in time`));
      if (typeof result === 'string') return done(then, new MeshError('UNREACHABLE', `this peer has no connection with ${peer} now`));
      if (result.type === 'refused') return done(then, new MeshError(result.code, result.message));
      if (isAnswer(result, wanted)) return done(then, result);
      done(then, new MeshError('UNKNOWN', `${peer} answered something else`));
    });
  }

  /** This peer's own. One count at a time serves all who ask meanwhile. */
  holdings(done: Done<Holdings>): void {
    this.#waiting.push(done);
    if (this.#waiting.length > 1) return;
    this.#count({ keys: 0, bytes: 0, records: 0, part: 0 }, undefined, (now, result) => {
      for (const each of this.#waiting.splice(0)) each(now, result);
    });
  }

  #count(sum: { keys: number; bytes: number; records: number; part: number }, after: ByteString | undefined, done: Done<Holdings>): void {
    const { records, hints } = this.#env.replica;
    records.pageOfAll(after, (now, page) => {
      if (page instanceof MeshError) return done(now, page);
      for (const [{ position }, held] of page.entries) {
        sum.records++;
        sum.part = (position + 1) / 2 ** 32;
        if (held instanceof MeshError || liveSiblings(held.record, now.wall).length > 0) sum.keys++;
        if (!(held instanceof MeshError)) sum.bytes += recordSize(held.record);
      }
      const { keys, bytes } = sum;
      if (page.last === undefined) return done(now, { keys, bytes, exact: true, hints: hints.held });
      if (sum.records < countedMax && bytes < countedBytesMax) return this.#count(sum, page.last, done);
      done(now, { keys: Math.round(keys / sum.part), bytes: Math.round(bytes / sum.part), exact: false, hints: hints.held });
    });
  }

  copy(bucket: string, key: ByteString, done: Done<OwnCopy>): void {
    const { records, hints } = this.#env.replica;
    const address = addressOf(bucket, key);
    records.read(address, (now, record) => done(now, record instanceof MeshError ? record : { record, keptFor: hints.ownersOf(address) }));
  }
}

const isAnswer = <T extends Answer['type']>(answer: Answer, type: T): answer is Extract<Answer, { type: T }> => answer.type === type;
