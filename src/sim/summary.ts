/** What happened in a run, in numbers: operations, messages, and how often each fault really bit. */

import type { Cluster } from './cluster.ts';
import type { Quorum } from './client.ts';
import type { FaultName } from './faults.ts';
import type { Operation } from './history.ts';
import type { NetworkCounters } from './links.ts';

export interface Summary {
  readonly seed: number;
  readonly peers: number;
  readonly codec: boolean;
  readonly quorum: Quorum;
  readonly faults: readonly FaultName[];
  /** Virtual time, from the first start to the last read. */
  readonly virtualMs: number;
  readonly events: number;
  /** By operation and status: `put ok`. */
  readonly operations: Readonly<Record<string, number>>;
  readonly messages: number;
  readonly messageBytes: number;
  /** Gossiped messages, counted once for each receiver. */
  readonly gossip: number;
  readonly messagesByName: Readonly<Record<string, number>>;
  /** How often each fault that was on had an effect. */
  readonly bites: Readonly<Record<string, number>>;
  /** Events of the peers: `readRepair`, `hint stored`, `hint delivered`, `member dead`. */
  readonly peerEvents: Readonly<Record<string, number>>;
}

interface Source {
  readonly seed: number;
  readonly cluster: Cluster;
  readonly faultNames: readonly FaultName[];
  readonly quorum: Quorum;
  readonly history: readonly Operation[];
  readonly strikes: ReadonlyMap<FaultName, number>;
  readonly peerEvents: ReadonlyMap<string, number>;
}

const sortedRecord = (counts: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));

export function summarize({ seed, cluster, faultNames, quorum, history, strikes, peerEvents }: Source): Summary {
  const operations = new Map<string, number>();
  for (const { op, status } of history) operations.set(`${op} ${status}`, (operations.get(`${op} ${status}`) ?? 0) + 1);
  const { counters } = cluster.network;
  return {
    seed,
    peers: cluster.peers.length,
    codec: cluster.network.codec,
    quorum,
    faults: faultNames,
    virtualMs: cluster.world.nowMs,
    events: cluster.world.events,
    operations: sortedRecord(operations),
    messages: counters.sent,
    messageBytes: counters.sentBytes,
    gossip: counters.gossipSent,
    messagesByName: sortedRecord(counters.byName),
    bites: Object.fromEntries(faultNames.map((name) => [name, strikes.get(name) ?? 0])),
    peerEvents: sortedRecord(peerEvents),
  };
}

/** Strikes of faults that happen now and then, frames hit by those that lie in wait for frames. */
export function bites(strikes: ReadonlyMap<FaultName, number>, counters: NetworkCounters): Map<FaultName, number> {
  const { lost, delayed, duplicated, reordered, replayed, gossipLost, gossipDuplicated } = counters;
  return new Map<FaultName, number>([
    ...strikes,
    ['loss', lost],
    ['delay', delayed],
    ['duplicate', duplicated],
    ['reorder', reordered],
    ['replay', replayed],
    ['gossip', gossipLost + gossipDuplicated],
  ]);
}
