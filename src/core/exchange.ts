/**
 * Anti-entropy: two peers find the keys on which they differ and bring both to the merged state (Dynamo, section 4.7).
 *
 * They compare digests from the top and descend only where these differ; traffic grows with the differences, not with the keys (AE2). The records of keys
 * that differ are copied, merged here and sent back: what one side has not seen it gets, what it has dropped stays dropped (AE3). Between two portions a run rests for as long as
 * the last one took, so that requests go first: where there is much to do, a portion takes longer. A run that breaks off is simply begun again.
 */

import type { CallFailure } from './calls.ts';
import { Comparison } from './comparison.ts';
import type { Environment } from './environment.ts';
import { type ErrorCode, MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import type { Address, Instant, PeerId } from './ids.ts';
import { limits } from './limits.ts';
import { innerCount } from './merkle.ts';
import type { Answer, Call, CompareLevel, LeafEntry } from './messages.ts';
import { emptyRecord, recordSize, type RecordSet } from './record.ts';
import { compareSets, merge } from './versions.ts';

type StoreCall = Extract<Call, { type: 'store' }>;

export interface ExchangeCounts {
  /** Bytes of the values that were received. */
  readonly bytes: number;
  /** Keys that were not the same on both sides. */
  readonly different: number;
  readonly received: number;
  readonly sent: number;
}

export const addCounts = (a: ExchangeCounts, b: ExchangeCounts): ExchangeCounts => ({
  different: a.different + b.different,
  received: a.received + b.received,
  sent: a.sent + b.sent,
  bytes: a.bytes + b.bytes,
});

export interface ExchangeResult extends ExchangeCounts {
  /** The partitions that were compared; none when the run ended early. */
  readonly compared: readonly number[];
  /** Keys that could not be repaired now. */
  readonly skipped: number;
  /** Why the run ended early, if it did. */
  readonly failure: string | undefined;
}

export interface ExchangeOptions {
  readonly peer: PeerId;
  readonly n: number;
  /** Compare only these, whoever owns them. Default: all that the two peers share. */
  readonly partitions?: readonly number[] | undefined;
  /** Only the other peer gets what it lacks. */
  readonly givesOnly?: boolean | undefined;
  /** Called after each portion. */
  readonly progress?: ((now: Instant, counts: ExchangeCounts) => void) | undefined;
  readonly done: (now: Instant, result: ExchangeResult) => void;
}

const deeper: Record<CompareLevel, CompareLevel | 'leaf'> = { all: 'group', group: 'partition', partition: 'inner', inner: 'leaf' };
const callTimeoutMs = 10_000;
const restMaxMs = 500;
const nodesToldMax = 64;
const readAtOnce = 8;

/** One run between this peer and another one, over the buckets of one n. */
export class ExchangeRun {
  readonly #env: Environment;
  readonly #peer: PeerId;
  readonly #n: number;
  readonly #options: ExchangeOptions;
  /** Nodes that are still to be compared, the deepest last: the descent finishes one place before it opens the next. */
  readonly #open: { readonly level: CompareLevel | 'leaf'; readonly nodes: readonly number[] }[] = [];
  #comparison: Comparison | undefined;
  #aborted = false;
  #different = 0;
  #received = 0;
  #sent = 0;
  #bytes = 0;
  #skipped = 0;

  constructor(env: Environment, options: ExchangeOptions) {
    this.#env = env;
    this.#peer = options.peer;
    this.#n = options.n;
    this.#options = options;
  }

  start(now: Instant): void {
    const { members, replica } = this.#env;
    const { trees } = replica.records;
    const { partitions } = this.#options;
    const begin = (then: Instant, comparison: Comparison | MeshError): void => {
      if (comparison instanceof MeshError) return this.#end(then, comparison.message);
      this.#comparison = comparison;
      this.#open.push(partitions === undefined ? { level: 'all', nodes: [0] } : { level: 'partition', nodes: partitions });
      this.#next(then);
    };
    if (partitions === undefined) return Comparison.open(now, trees, members.placement, [members.self, this.#peer], this.#n, begin);
    Comparison.of(now, trees, { total: members.placement.ring.partitions, chosen: partitions }, this.#n, begin);
  }

  /** Ends the run soon; the keys under way are finished. */
  abort(): void {
    this.#aborted = true;
  }

  get #counts(): ExchangeCounts {
    return { different: this.#different, received: this.#received, sent: this.#sent, bytes: this.#bytes };
  }

  #end(now: Instant, failure?: string): void {
    const compared = failure === undefined ? this.#comparison?.partitions : undefined;
    this.#options.done(now, { ...this.#counts, compared: compared ?? [], skipped: this.#skipped, failure });
  }

  #next(now: Instant): void {
    if (this.#aborted) return this.#end(now, 'the run was aborted');
    const place = this.#open.pop();
    if (place === undefined) return this.#end(now);
    const nodes = place.nodes.slice(0, limits.compareNodesMax);
    if (nodes.length < place.nodes.length) this.#open.push({ level: place.level, nodes: place.nodes.slice(nodes.length) });
    if (place.level === 'leaf') return this.#compareLeaves(now, nodes);
    this.#compareNodes(now, place.level, nodes);
  }

  #compareNodes(now: Instant, level: CompareLevel, nodes: readonly number[]): void {
    const comparison = this.#comparison;
    if (comparison === undefined) return;
    const digest = level === 'all' ? comparison.digest : ('' as typeof comparison.digest);
    this.#ask(now, { type: 'compare', n: this.#n, level, nodes, digest }, (then, answer) => {
      if (answer.type !== 'digests') return this.#end(then, 'the other peer answered something else');
      const same = level === 'all' && answer.digests.length === 0;
      const different = same ? [] : comparison.different(level, nodes, answer.digests, this.#options.givesOnly);
      this.#tell(level, nodes.length, different.length, different);
      if (different.length > 0) this.#open.push({ level: deeper[level], nodes: different });
      this.#next(then);
    });
  }

  #ask(now: Instant, call: Call, done: (now: Instant, answer: Answer) => void): void {
    const { calls, members } = this.#env;
    calls.ask(now, this.#peer, call, { timeoutMs: callTimeoutMs, ring: members.placement.digest }, (then, result: Answer | CallFailure) => {
      if (typeof result === 'string') return this.#end(then, `the other peer is ${result === 'timeout' ? 'silent' : 'out of reach'}`);
      if (result.type === 'refused') return this.#end(then, result.message);
      done(then, result);
    });
  }

  #compareLeaves(now: Instant, nodes: readonly number[]): void {
    this.#ask(now, { type: 'leaves', n: this.#n, nodes }, (then, answer) => {
      if (answer.type !== 'leafKeys') return this.#end(then, 'the other peer answered something else');
      leafEntries(this.#env, then, this.#n, nodes, (later, ours) => {
        if (ours instanceof MeshError) return this.#end(later, ours.message);
        const keys = differingKeys(ours, this.#options.givesOnly === true ? [] : answer.entries, answer.entries);
        this.#different += keys.length;
        this.#tell('leaf', nodes.length, keys.length, nodes);
        this.#repair(later, keys);
      });
    });
  }

  #tell(level: CompareLevel | 'leaf', compared: number, different: number, nodes: readonly number[]): void {
    if (!this.#env.watched()) return;
    this.#env.emit({ type: 'compare', peer: this.#peer, level, compared, different, nodes: nodes.slice(0, nodesToldMax) });
  }

  /** The records of as many of these keys as one message brings, then those of the others. */
  #repair(now: Instant, keys: readonly Address[]): void {
    const portion = keys.slice(0, limits.copiesMax);
    if (portion.length === 0 || this.#aborted) return this.#next(now);
    this.#ask(now, { type: 'fetchMany', keys: portion.map(({ bucket, key }) => ({ bucket, key })) }, (then, answer) => {
      const copies = answer.type === 'fetchedMany' ? answer.records.slice(0, portion.length) : [];
      if (copies.length === 0) return this.#end(then, 'the other peer answered something else');
      let open = copies.length;
      const one = (later: Instant): void => {
        if (--open > 0) return;
        this.#options.progress?.(later, this.#counts);
        this.#rest(later, later.mono - now.mono, (rested) => this.#repair(rested, keys.slice(copies.length)));
      };
      for (const [index, copy] of copies.entries()) this.#settle(portion[index] as Address, copy, one);
    });
  }

  #rest(now: Instant, workedMs: number, goOn: (now: Instant) => void): void {
    this.#env.timers.at(now.mono + Math.min(workedMs, restMaxMs), goOn);
  }

  /** Brings both sides to the merged state of one key. One that cannot be repaired now is left to the next run. */
  #settle(address: Address, copy: RecordSet | ErrorCode, done: (now: Instant) => void): void {
    const { replica } = this.#env;
    const theirs = typeof copy === 'string' ? damagedAsEmpty(copy) : copy;
    replica.records.read(address, (then, read) => {
      const ours = read instanceof MeshError ? damagedAsEmpty(read.code) : read;
      if (ours === undefined || theirs === undefined) {
        this.#skipped++;
        return done(then);
      }
      const order = compareSets(ours, theirs);
      const receive = (order === 'before' || order === 'concurrent') && this.#options.givesOnly !== true;
      const send = order === 'after' || order === 'concurrent';
      const merged = merge(ours, theirs);
      const store: StoreCall = { type: 'store', ...address, n: this.#n, owner: undefined, ordered: false, record: merged };
      let open = Number(receive) + Number(send);
      const settled = (later: Instant, isStored: boolean): void => {
        if (!isStored) this.#skipped++;
        if (--open === 0) done(later);
      };
      if (open === 0) return done(then);
      if (receive) this.#receive(then, store, recordSize(theirs), settled);
      if (send) this.#send(then, store, settled);
    });
  }

  #receive(now: Instant, store: StoreCall, bytes: number, settled: (now: Instant, isStored: boolean) => void): void {
    this.#received++;
    this.#bytes += bytes;
    this.#env.replica.store(now, store, (then, error) => settled(then, error === undefined));
  }

  #send(now: Instant, store: StoreCall, settled: (now: Instant, isStored: boolean) => void): void {
    const { calls, members } = this.#env;
    this.#sent++;
    calls.ask(now, this.#peer, store, { timeoutMs: callTimeoutMs, ring: members.placement.digest }, (then, answer) =>
      settled(then, typeof answer === 'object' && answer.type === 'stored'),
    );
  }
}

/** A damaged record is replaced by what the other peer has. */
const damagedAsEmpty = (code: ErrorCode): RecordSet | undefined => (code === 'RECORD_CORRUPT' ? emptyRecord : undefined);

/** Reads a few records at a time until a message is full: as many as fit into it if they are as large as those before. */
export function serveFetchMany(
  { replica }: Environment,
  now: Instant,
  { keys }: Extract<Call, { type: 'fetchMany' }>,
  answer: (now: Instant, answer: Answer) => void,
): void {
  const copies: (RecordSet | ErrorCode)[] = [];
  let bytes = 0;
  const isFull = (): boolean => copies.length === keys.length || bytes > limits.copyBytes;
  const next = (then: Instant, atOnceMax: number): void => {
    if (isFull()) return answer(then, { type: 'fetchedMany', records: copies });
    const fitting = copies.length === 0 ? 1 : Math.ceil((limits.copyBytes - bytes + 1) / (bytes / copies.length));
    const names = keys.slice(copies.length, copies.length + Math.min(fitting, atOnceMax));
    const addresses = names.map(({ bucket, key }) => addressOf(bucket, key));
    replica.records.readMany(addresses, (later, records) => {
      // What cannot be read must not hide what can.
      if (records instanceof MeshError && names.length > 1) return next(later, 1);
      for (const record of records instanceof MeshError ? [records] : records) {
        if (isFull()) break;
        copies.push(record instanceof MeshError ? record.code : record);
        if (!(record instanceof MeshError)) bytes += recordSize(record);
      }
      next(later, atOnceMax);
    });
  };
  next(now, readAtOnce);
}

/** Serves the other side of a run. */
export function serveCompare(
  env: Environment,
  now: Instant,
  from: PeerId,
  call: Extract<Call, { type: 'compare' }>,
  answer: (now: Instant, answer: Answer) => void,
): void {
  const { members, replica } = env;
  const { trees } = replica.records;
  const { partitions } = members.placement.ring;
  const found = (then: Instant, comparison: Comparison | MeshError): void => {
    if (comparison instanceof MeshError) return answer(then, { type: 'refused', code: comparison.code, message: comparison.message });
    const same = call.level === 'all' && comparison.digest === call.digest;
    answer(then, { type: 'digests', digests: same ? [] : call.nodes.flatMap((node) => comparison.below(call.level, node)) });
  };
  if (call.level === 'all' || call.level === 'group')
    return Comparison.open(now, trees, members.placement, [members.self, from], call.n, found);
  const chosen = new Set(call.nodes.map((node) => (call.level === 'partition' ? node : Math.floor(node / innerCount))));
  Comparison.of(now, trees, { total: partitions, chosen: [...chosen].filter((partition) => partition < partitions) }, call.n, found);
}

export function serveLeaves(
  env: Environment,
  now: Instant,
  call: Extract<Call, { type: 'leaves' }>,
  answer: (now: Instant, answer: Answer) => void,
): void {
  leafEntries(env, now, call.n, call.nodes, (then, entries) => {
    if (entries instanceof MeshError) answer(then, { type: 'refused', code: entries.code, message: entries.message });
    else answer(then, { type: 'leafKeys', entries: entries.slice(0, limits.digestsMax) });
  });
}

/** This peer's own keys in some leaves (numbered across partitions) with the digests of their records. */
function leafEntries(
  env: Environment,
  now: Instant,
  n: number,
  nodes: readonly number[],
  done: (now: Instant, result: LeafEntry[] | MeshError) => void,
): void {
  env.replica.records.inLeaves(now, nodes, n, (then, records) => {
    if (records instanceof MeshError) return done(then, records);
    done(
      then,
      records.map(({ address, digest }) => ({ bucket: address.bucket, key: address.key, digest })),
    );
  });
}

/** Keys of ours that `known` does not have as they are, and keys of theirs that we do not have so. */
function differingKeys(ours: readonly LeafEntry[], theirs: readonly LeafEntry[], known: readonly LeafEntry[]): Address[] {
  const nameOf = ({ bucket, key, digest }: LeafEntry): string => `${bucket}\0${key}\0${digest}`;
  const held = new Set(ours.map(nameOf));
  const asked = new Set(known.map(nameOf));
  const different = new Map<string, Address>();
  for (const entry of [...ours.filter((own) => !asked.has(nameOf(own))), ...theirs.filter((their) => !held.has(nameOf(their)))]) {
    different.set(`${entry.bucket}\0${entry.key}`, addressOf(entry.bucket, entry.key));
  }
  return [...different.values()];
}
