/**
 * One simulated client: one operation at a time against some peer, in one of the ways in which programs use a store. It writes down what it did and saw.
 */

import type { GetCommand } from '../core/get-run.ts';
import type { PutCommand, WriteMode } from '../core/messages.ts';
import { dotText } from '../core/ids.ts';
import type { RecordSet } from '../core/record.ts';
import type { Reply } from '../core/coordinator.ts';
import type { SeededRandom } from '../core/random.ts';
import { textToBytes } from '../core/bytes.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { VersionVector } from '../core/versions.ts';
import { between, happens, pick } from './chance.ts';
import type { Cluster } from './cluster.ts';
import { type OpenOperation, openOperation } from './history.ts';
import type { SimPeer } from './sim-peer.ts';
import { valueBytes, valueIdOf } from './values.ts';

/** Refused before anything changed. */
const untouched: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNREACHABLE',
  'NOT_OWNER',
  'OVERLOADED',
  'HINTS_FULL',
  'TOO_MANY_SIBLINGS',
  'CONTEXT_TOO_LARGE',
  'COUNTER_EXHAUSTED',
]);

export const bucket = 'default';
/** How long a client waits beyond what it asked the peer to take. */
const patienceMs = 1000;

/** What a client knows of a key: the values, and the context that covers them. */
export interface Seen {
  readonly context: VersionVector;
  readonly ids: readonly string[];
}

export const nothingSeen: Seen = { context: [], ids: [] };

export interface Quorum {
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly mode: WriteMode;
}

export interface ClientOptions {
  readonly name: string;
  readonly index: number;
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  readonly budgetMs: number;
  /** Operations are added here when they begin. */
  readonly history: OpenOperation[];
  /** A value came back that nobody can have written. */
  readonly damaged: (key: string, operation: OpenOperation) => void;
}

export class Client {
  readonly #options: ClientOptions;
  #home: number;
  #values = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#home = options.random.below(options.cluster.peers.length);
  }

  get(key: string, quorum: Quorum, done: (seen: Seen | undefined) => void): void {
    const { budgetMs, name, cluster } = this.#options;
    const operation = openOperation('get', name, key, cluster.world.nowMs);
    const { n, r, mode } = quorum;
    const command: GetCommand = { bucket, key: textToBytes(key), n, r, mode, resolver: 'siblings', budgetMs };
    this.#ask(operation, { type: 'get', command }, (reply) => {
      if (reply?.type !== 'get') return done(undefined);
      const { record } = reply.outcome;
      operation.status = 'ok';
      const seen = this.readOf(operation, record);
      done(seen);
    });
  }

  /** Fills in what was read. */
  readOf(operation: OpenOperation, record: RecordSet): Seen {
    const { returned, dots, ids, damaged } = readRecord(record);
    operation.returned = returned;
    operation.dots = dots;
    if (damaged) this.#options.damaged(operation.key, operation);
    return { context: record.context, ids };
  }

  /** Done with what the client has seen after it: what it had seen before, and its own value when that is known to be there. */
  put(key: string, seen: Seen, quorum: Quorum, tombstone: boolean, done: (after: Seen | undefined) => void): void {
    const { budgetMs, name, cluster, random } = this.#options;
    const operation = openOperation(tombstone ? 'delete' : 'put', name, key, cluster.world.nowMs);
    const id = `${name}-${++this.#values}`;
    operation.valueId = id;
    operation.seen = seen.ids;
    const size = happens(random, 0.02) ? random.below(8192) : random.below(100);
    const { n, w, mode } = quorum;
    const value = { tombstone, bytes: valueBytes(id, tombstone ? 0 : size), contentType: undefined, priority: 0 };
    const command: Omit<PutCommand, 'operation'> = {
      bucket,
      key: textToBytes(key),
      context: seen.context,
      ...value,
      n,
      w,
      mode,
      resolver: 'siblings',
      budgetMs,
    };
    this.#ask(operation, { type: 'put', command }, (reply) => {
      if (reply?.type === 'failed' && untouched.has(reply.error.code)) operation.status = 'fail';
      if (reply?.type !== 'put') return done(undefined);
      const { outcome, dot, context } = reply.outcome;
      if (outcome === 'ok') operation.status = 'ok';
      if (dot !== undefined) operation.dots = { [id]: dotText(dot) };
      // Without a dot the context of the answer is the one that was sent.
      done({ context, ids: dot === undefined ? seen.ids : [...seen.ids, id] });
    });
  }

  /** Sends a request to a peer; `done` is called once, with undefined when no answer came in time. */
  #ask(operation: OpenOperation, request: Parameters<Cluster['ask']>[1], done: (reply: Reply | undefined) => void): void {
    const { cluster, history, random, budgetMs, index } = this.#options;
    const { world } = cluster;
    const peer = this.#choosePeer();
    history.push(operation);
    if (peer === undefined) {
      operation.status = 'fail';
      operation.complete = world.nowMs;
      return done(undefined);
    }
    let open = true;
    const end = (reply: Reply | undefined): void => {
      if (!open) return;
      open = false;
      // Without an answer it is not known when it ends, if it ever does.
      operation.complete = reply === undefined ? null : world.nowMs;
      done(reply);
    };
    const id = cluster.peer(peer).request(request, end);
    if (!open) return;
    world.after(budgetMs + patienceMs, 'client', index, () => end(undefined));
    if (happens(random, 0.005)) world.after(between(random, 0, 20), 'client', index, () => open && cluster.peer(peer).abort(id));
  }

  /** Mostly the same peer; another one when that is down. A peer that stands still is not known to do so. */
  #choosePeer(): number | undefined {
    const { cluster, random } = this.#options;
    const isUp = (peer: SimPeer): boolean => peer.up && (peer.paused || peer.serving);
    if (isUp(cluster.peer(this.#home)) && !happens(random, 0.2)) return this.#home;
    const up = cluster.peers.filter(isUp);
    if (up.length === 0) return undefined;
    this.#home = pick(random, up).index;
    return this.#home;
  }
}

/** The ids in a record: of the values to be returned, and of all versions. */
export function readRecord(record: RecordSet): { returned: string[]; ids: string[]; dots: Record<string, string>; damaged: boolean } {
  const ids: string[] = [];
  const returned: string[] = [];
  const dots: Record<string, string> = {};
  let damaged = false;
  for (const { dot, value } of record.siblings) {
    const id = valueIdOf(value.bytes);
    if (id === undefined) {
      damaged = true;
      continue;
    }
    ids.push(id);
    if (value.tombstone) continue;
    returned.push(id);
    dots[id] = dotText(dot);
  }
  return { returned, ids, dots, damaged };
}
