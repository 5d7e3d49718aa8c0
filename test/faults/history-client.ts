/**
 * One client over HTTP: one operation at a time through some gateway, written down as histories are (see `src/sim/history.ts`).
 *
 * Keys of a history are `bucket/key`. Operations in the sloppy bucket are those of a process of another name, which begins with `weak`: what strict ones are
 * promised does not hold for them.
 */

import type { CheckName, HistoryRow } from 'ringmesh/sim';
import type { Envelope, Receipt } from '../../node/client/api.ts';
import { type OpenOperation, openOperation } from '../../src/sim/history.ts';
import { ask, type GatewayAnswer, NoAnswer, type GatewayRequest } from './gateway.ts';

export type Bucket = 'strict' | 'sloppy';

export interface KeyName {
  readonly bucket: Bucket;
  readonly key: string;
}

/** What a client knows of a key: the values, and the context that covers them. */
export interface Seen {
  readonly context: string;
  readonly ids: readonly string[];
}

export const nothingSeen: Seen = { context: '', ids: [] };

/** Refused before a replica was touched. */
const untouched = new Set([
  'UNREACHABLE',
  'NOT_OWNER',
  'NOT_READY',
  'OVERLOADED',
  'TOO_MANY_SIBLINGS',
  'CONTEXT_TOO_LARGE',
  'COUNTER_EXHAUSTED',
]);
export const budgetMs = 2000;
/** How long a client waits beyond what it asked the peer to take. */
const patienceMs = 1000;

/** What all clients of a run share. */
export class Recorder {
  readonly rows: HistoryRow[] = [];
  /** What went wrong that no check of the history sees. */
  readonly violations: { check: CheckName; key: string; message: string }[] = [];
  /** Why operations ended badly, by code, with how many did. */
  readonly reasons = new Map<string, number>();
  readonly #began = performance.now();

  /** Whole milliseconds since the begin of the run, on one clock for all clients. */
  get nowMs(): number {
    return Math.floor(performance.now() - this.#began);
  }

  report(check: CheckName, key: string, message: string): void {
    this.violations.push({ check, key, message });
  }

  count(reason: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }
}

export const keyText = ({ bucket, key }: KeyName): string => `${bucket}/${key}`;

export class HistoryClient {
  readonly #name: string;
  readonly #recorder: Recorder;
  #values = 0;

  constructor(name: string, recorder: Recorder) {
    this.#name = name;
    this.#recorder = recorder;
  }

  #open(op: OpenOperation['op'], key: KeyName): OpenOperation {
    const process = key.bucket === 'strict' ? this.#name : `weak-${this.#name}`;
    const operation = openOperation(op, process, keyText(key), this.#recorder.nowMs);
    this.#recorder.rows.push(operation);
    return operation;
  }

  /** `r` replicas of `mode`; by default a quorum as the bucket has it. */
  async get(url: string, key: KeyName, { r = 2, mode = key.bucket }: { r?: number; mode?: Bucket } = {}): Promise<Seen | undefined> {
    const operation = this.#open('get', key);
    const query = `?n=3&r=${r}&mode=${mode}&timeoutMs=${budgetMs}`;
    const answer = await this.#ask(operation, url, { method: 'GET', path: pathOf(key) + query, headers: { Accept: 'application/json' } });
    if (answer === undefined || !answer.text.includes('"outcome"')) return undefined;
    const { siblings, context } = JSON.parse(answer.text) as Envelope;
    return { context, ids: fillIn(operation, siblings, this.#recorder) };
  }

  /** A put, or a delete when there is no size. Answers what the client has seen after it: also its own value when that is known to be there. */
  async write(url: string, key: KeyName, seen: Seen, size: number | undefined): Promise<Seen | undefined> {
    const operation = this.#open(size === undefined ? 'delete' : 'put', key);
    const id = `${operation.process}/${++this.#values}`;
    operation.valueId = id;
    operation.seen = seen.ids;
    const headers = seen.context === '' ? {} : { 'X-Ringmesh-Context': seen.context };
    const path = `${pathOf(key)}?n=3&r=2&w=2&mode=${key.bucket}&timeoutMs=${budgetMs}`;
    const request: GatewayRequest =
      size === undefined ? { method: 'DELETE', path, headers } : { method: 'PUT', path, headers, body: valueText(id, size) };
    const answer = await this.#ask(operation, url, request);
    if (answer === undefined || (answer.status !== 200 && answer.status !== 202)) return undefined;
    const { outcome, dot, context } = JSON.parse(answer.text) as Receipt;
    operation.status = outcome === 'ok' ? 'ok' : 'info';
    if (outcome !== 'ok') this.#recorder.count(outcome);
    if (dot === null) return seen;
    operation.dots = { [id]: dot };
    return { context, ids: [...seen.ids, id] };
  }

  /** Undefined without an answer. Notes when the operation ended and, for a refusal, how. */
  async #ask(operation: OpenOperation, url: string, request: GatewayRequest): Promise<GatewayAnswer | undefined> {
    let answer: GatewayAnswer;
    try {
      answer = await ask(url, { ...request, withinMs: budgetMs + patienceMs });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.#recorder.count(error.sent ? 'no answer' : 'gateway is down');
      if (error.sent && operation.op !== 'get') return undefined;
      operation.status = 'fail';
      operation.complete = this.#recorder.nowMs;
      return undefined;
    }
    operation.complete = this.#recorder.nowMs;
    const code = /"error":\{"code":"([A-Z_]+)"/.exec(answer.text)?.[1];
    if (code === undefined) return answer;
    this.#recorder.count(code);
    if (untouched.has(code)) operation.status = 'fail';
    // A request of the driver is never wrong, and a gateway never at its wits' end.
    if (answer.status === 400 || answer.status >= 500 !== (answer.status === 503))
      this.#recorder.report(
        'exception',
        operation.key,
        `${request.method} ${request.path} is answered with ${answer.status}: ${answer.text}`,
      );
    return answer;
  }
}

export const pathOf = ({ bucket, key }: KeyName, below = '/v1'): string => `${below}/buckets/${bucket}/keys/${encodeURIComponent(key)}`;

/** The values in an answer go into the operation. */
export function fillIn(operation: OpenOperation, siblings: Envelope['siblings'], recorder: Recorder): string[] {
  const ids: string[] = [];
  const dots: Record<string, string> = {};
  for (const { value, dot } of siblings) {
    const id = valueIdOf(Buffer.from(value, 'base64').toString());
    if (id === undefined) {
      recorder.report('values', operation.key, `${operation.node ?? operation.process} returned a damaged value with the dot ${dot}`);
      continue;
    }
    ids.push(id);
    dots[id] = dot;
  }
  operation.status = 'ok';
  operation.returned = ids;
  operation.dots = dots;
  return ids;
}

/** A value says its id and its own length, so that a part of it, or two mixed, cannot pass for it. */
function valueText(id: string, size: number): string {
  const head = `${id} ${size}\n`;
  return head + `${id}.`.repeat(Math.ceil(size / id.length)).slice(0, size);
}

function valueIdOf(text: string): string | undefined {
  const [, id = '', size] = /^(\S+) (\d+)\n/.exec(text) ?? [];
  return size !== undefined && text === valueText(id, Number(size)) ? id : undefined;
}
