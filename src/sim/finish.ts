/**
 * What comes after the faults: the mesh must become whole again, every operation must succeed again, no hint may be left, all replicas must become
 * equal by themselves, and then every one is read for the history.
 */

import { textToBytes, hex, fromByteString } from '../core/bytes.ts';
import type { Reply, Request } from '../core/coordinator.ts';
import { addressOf } from '../core/hash.ts';
import type { PeerId } from '../core/ids.ts';
import type { Violation } from './checker/violation.ts';
import { bucket, type Quorum, readRecord } from './client.ts';
import type { Cluster } from './cluster.ts';
import { type HistoryRow, type OpenOperation, openOperation, type RootRow } from './history.ts';
import { valueBytes } from './values.ts';

export interface FinishOptions {
  readonly quorum: Quorum;
  /** Within how long all must be well again, in virtual milliseconds. */
  readonly wholeMs: number;
  readonly succeedMs: number;
  readonly hintsMs: number;
  readonly convergeMs: number;
}

export const defaultFinish = { wholeMs: 40_000, succeedMs: 5000, hintsMs: 60_000 } as const;

const budgetMs = 5000;
const settleMs = 2000;
const rootLooks = 5;
/** Requests under way at once while all keys are read. */
const atOnce = 64;

export class Finish {
  readonly rows: HistoryRow[] = [];
  readonly violations: Violation[] = [];
  readonly #cluster: Cluster;
  readonly #options: FinishOptions;

  constructor(cluster: Cluster, options: FinishOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Whole again, and every peer serves puts and gets. */
  recover(): void {
    const { wholeMs } = this.#options;
    if (!this.#cluster.world.runUntil(() => this.#cluster.whole, wholeMs)) {
      this.#late(`the mesh is not whole again ${wholeMs} ms after the healing: ${this.#disagreement()}`);
    }
    for (const { index } of this.#cluster.peers) this.#writeAndRead(index);
  }

  #late(message: string): void {
    this.violations.push({ check: 'liveness', key: '', message });
  }

  #disagreement(): string {
    const { peers, network } = this.#cluster;
    const doubts = peers.flatMap((a) =>
      peers
        .filter((b) => a !== b && (this.#cluster.view(a.index, b.index) !== 'alive' || !network.linked(a.index, b.index)))
        .map(
          (b) =>
            `${a.id} sees ${b.id} ${this.#cluster.view(a.index, b.index) ?? 'not at all'}${network.linked(a.index, b.index) ? '' : ' (no link)'}`,
        ),
    );
    const absent = peers
      .filter((peer) => !peer.serving)
      .map((peer) => `${peer.id} does not serve${peer.startError === undefined ? '' : `: ${peer.startError.message}`}`);
    return [...absent, ...doubts].slice(0, 8).join(', ') || 'their rings differ';
  }

  #writeAndRead(peer: number): void {
    const { world } = this.#cluster;
    const { succeedMs, quorum } = this.#options;
    const key = `after-${peer}`;
    const { n, r, w } = quorum;
    const id = `healer-${peer}`;
    const value = { tombstone: false, bytes: valueBytes(id, 10), contentType: undefined, priority: 0 };
    const command = { bucket, key: textToBytes(key), n, mode: 'strict', resolver: 'siblings', budgetMs } as const;
    const started = world.nowMs;
    const put = openOperation('put', 'healer', key, world.nowMs);
    put.valueId = id;
    const written = this.#untilGood(peer, { type: 'put', command: { ...command, ...value, w, context: [] } }, started);
    put.complete = world.nowMs;
    if (written?.type === 'put' && written.outcome.outcome === 'ok') put.status = 'ok';
    const get = openOperation('get', 'healer', key, world.nowMs);
    const read = this.#untilGood(peer, { type: 'get', command: { ...command, r } }, started);
    this.#fill(get, read);
    this.rows.push(put, get);
    if (put.status !== 'ok' || get.status !== 'ok')
      this.#late(`peer ${this.#cluster.peer(peer).id} serves no put and get within ${succeedMs} ms after the healing`);
  }

  #untilGood(peer: number, request: Request, started: number): Reply | undefined {
    const { world } = this.#cluster;
    for (;;) {
      const reply = this.#cluster.ask(peer, request);
      const good = reply?.type === 'get' || (reply?.type === 'put' && reply.outcome.outcome === 'ok');
      if (good || world.nowMs - started > this.#options.succeedMs) return reply;
      world.runFor(100);
    }
  }

  #fill(operation: OpenOperation, reply: Reply | undefined): void {
    operation.complete = this.#cluster.world.nowMs;
    if (reply?.type !== 'get' && reply?.type !== 'local') return;
    const { returned, dots, damaged } = readRecord(reply.type === 'get' ? reply.outcome.record : reply.copy.record);
    operation.status = 'ok';
    operation.returned = returned;
    operation.dots = dots;
    if (damaged)
      this.violations.push({ check: 'values', key: operation.key, message: `a damaged value at ${operation.node ?? operation.process}` });
  }

  /** All hints are delivered. */
  deliverHints(): void {
    const { peers, world } = this.#cluster;
    const left = (): number => peers.reduce((sum, peer) => sum + (peer.core?.hints.held ?? 0), 0);
    if (world.runUntil(() => left() === 0, this.#options.hintsMs)) return;
    const holders = peers.filter((peer) => (peer.core?.hints.held ?? 0) > 0).map((peer) => peer.id);
    this.#late(`hints are left at ${holders.join(', ')} ${this.#options.hintsMs} ms after all peers came back`);
  }

  /** Anti-entropy alone makes the roots equal. When it is late, the final reads will show where. */
  converge(keys: readonly string[]): void {
    const { world } = this.#cluster;
    const { convergeMs } = this.#options;
    const partitions = this.#partitionsOf(keys);
    const equal = (): boolean => this.#rootsOf(partitions).every((roots) => new Set(roots.map((root) => root.digest)).size < 2);
    // What is still under way after an acknowledgement arrives; afterwards, what the roots say already gets to the disks.
    world.runFor(settleMs);
    for (const end = world.nowMs + convergeMs; !equal(); world.runFor(5000)) {
      if (world.nowMs > end) return this.#late(`the replicas are not equal ${convergeMs} ms after the last hint`);
    }
    world.runFor(settleMs);
  }

  /** Reads every key at all its primaries, strictly, which repairs what is left. */
  repairByReading(keys: readonly string[]): void {
    const { n } = this.#options.quorum;
    const { peers } = this.#cluster;
    this.#forEach(keys, (key, i, done) => {
      const get = openOperation('get', 'reader', key, this.#cluster.world.nowMs);
      const command = { bucket, key: textToBytes(key), n, r: n, mode: 'strict', resolver: 'siblings', budgetMs } as const;
      this.#cluster.peer(i % peers.length).request({ type: 'get', command }, (reply) => {
        this.#fill(get, reply);
        this.rows.push(get);
        if (get.status !== 'ok')
          this.#late(
            `a read of all replicas of ${key} fails after the healing: ${reply?.type === 'failed' ? reply.error.message : 'no answer'}`,
          );
        done();
      });
    });
    this.#cluster.world.runFor(settleMs);
  }

  #partitionsOf(keys: readonly string[]): Map<number, readonly PeerId[]> {
    const partitions = new Map<number, readonly PeerId[]>();
    for (const key of keys) {
      const { partition, primaries } = this.#placeOf(key);
      partitions.set(partition, primaries);
    }
    return partitions;
  }

  #placeOf(key: string): { partition: number; primaries: readonly PeerId[] } {
    const placement = this.#cluster.peers.find((peer) => peer.serving)?.core?.membership.placement;
    if (placement === undefined) return { partition: 0, primaries: [] };
    const partition = placement.partition(addressOf(bucket, textToBytes(key)).position);
    return { partition, primaries: placement.primaries(partition, this.#options.quorum.n) };
  }

  /** What each primary of each key holds, and the roots of their partitions. */
  readReplicas(keys: readonly string[]): void {
    this.#forEach(keys, (key, _, done) => {
      const { primaries } = this.#placeOf(key);
      let open = primaries.length;
      for (const node of primaries) {
        this.#localRead(node, key, () => {
          if (--open === 0) done();
        });
      }
    });
    this.rows.push(...this.#finalRoots(keys));
  }

  /** Tombstones that are reaped just now are gone at one peer a moment before they are at another. */
  #finalRoots(keys: readonly string[]): RootRow[] {
    const partitions = this.#partitionsOf(keys);
    for (let looks = 1; ; looks++) {
      const found = this.#rootsOf(partitions);
      const differ = found.some((roots) => new Set(roots.map((root) => root.digest)).size > 1);
      if (!differ || looks === rootLooks) return found.flat();
      this.#cluster.world.runFor(settleMs);
    }
  }

  #localRead(node: PeerId, key: string, done: () => void): void {
    const final: OpenOperation = { ...openOperation('get', 'final', key, this.#cluster.world.nowMs), node, phase: 'final' };
    const request: Request = { type: 'local', bucket, key: textToBytes(key) };
    this.#cluster.peer(this.#cluster.indexOf(node)).request(request, (reply) => {
      this.#fill(final, reply);
      this.rows.push(final);
      done();
    });
  }

  /** The roots at the primaries, partition by partition. */
  #rootsOf(partitions: ReadonlyMap<number, readonly PeerId[]>): RootRow[][] {
    const found: RootRow[][] = [];
    const reads = [...partitions].flatMap(([partition, primaries]) => {
      const rows: RootRow[] = [];
      found.push(rows);
      return primaries.map((node) => ({ partition, node, rows }));
    });
    this.#forEach(reads, ({ partition, node, rows }, _, done) => {
      this.#cluster.peer(this.#cluster.indexOf(node)).request({ type: 'partition', partition }, (reply) => {
        const digest = reply?.type === 'partition' ? hex(fromByteString(reply.root)) : 'no answer';
        rows.push({ op: 'root', key: String(partition), node, digest, phase: 'final' });
        done();
      });
    });
    return found;
  }

  /** Begins `atOnce` of them, the next one whenever one is done, and runs the world until all are. */
  #forEach<T>(items: readonly T[], begin: (item: T, index: number, done: () => void) => void): void {
    let next = 0;
    let open = 0;
    const { world } = this.#cluster;
    const more = (): void => {
      while (open < atOnce && next < items.length) {
        const index = next++;
        open++;
        begin(items[index] as T, index, () => void open--);
      }
    };
    const finished = (): boolean => {
      more();
      return open === 0 && next >= items.length;
    };
    if (!world.runUntil(finished, 60_000 + items.length * 100)) this.#late('the final reads do not end');
  }
}
