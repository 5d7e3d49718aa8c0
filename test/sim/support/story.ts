/** Clusters for scenarios, and puts and gets that read like the story they belong to. Keys and values are texts. */

import { bytesToText, textToBytes, toByteString } from '../../../src/core/bytes.ts';
import type { Reply, Request } from '../../../src/core/coordinator.ts';
import { addressOf } from '../../../src/core/hash.ts';
import type { PutOutcome, WriteMode } from '../../../src/core/messages.ts';
import type { VersionVector } from '../../../src/core/versions.ts';
import { liveSiblings, type RecordSet } from '../../../src/core/record.ts';
import { Cluster, type ClusterOptions } from '../../../src/sim/cluster.ts';
import { World } from '../../../src/sim/world.ts';

interface QuorumOptions {
  readonly n?: number;
  readonly r?: number;
  readonly w?: number;
  readonly mode?: WriteMode;
  readonly budgetMs?: number;
}

export interface PutStory extends QuorumOptions {
  readonly context?: VersionVector;
}

/** A mesh that has come together. */
export function mesh(options: Partial<ClusterOptions> & { seed?: number } = {}): Cluster {
  const cluster = newCluster(options);
  cluster.startAll();
  if (!cluster.world.runUntil(() => cluster.whole, 10_000)) throw new Error('the mesh did not come together');
  cluster.world.runFor(4000);
  return cluster;
}

/** One whose peers are still down. */
export function newCluster({ seed = 1, peers = 5, ...options }: Partial<ClusterOptions> & { seed?: number } = {}): Cluster {
  return new Cluster(new World(seed), { peers, ...options });
}

const fresh = (text: string): Uint8Array => Uint8Array.from(textToBytes(text), (letter) => letter.charCodeAt(0));

const valuesOf = (record: RecordSet): string[] =>
  liveSiblings(record, 0)
    .map((version) => bytesToText(toByteString(version.value.bytes)) ?? '')
    .sort();

/** Failures are errors of the test. */
export function put(cluster: Cluster, peer: number, key: string, value: string, options: PutStory = {}): PutOutcome {
  const reply = tryPut(cluster, peer, key, value, options);
  if (reply?.type !== 'put') throw new Error(`put ${key} at ${peer}: ${reply?.type === 'failed' ? reply.error.message : 'no answer'}`);
  return reply.outcome;
}

export function remove(cluster: Cluster, peer: number, key: string, context: VersionVector): PutOutcome {
  const { type, command } = putRequest(key, '', { context });
  const reply = cluster.ask(peer, { type, command: { ...command, tombstone: true } });
  if (reply?.type !== 'put') throw new Error(`delete ${key} at ${peer}: ${reply?.type === 'failed' ? reply.error.message : 'no answer'}`);
  return reply.outcome;
}

export function tryPut(cluster: Cluster, peer: number, key: string, value: string, options: PutStory = {}): Reply | undefined {
  return cluster.ask(peer, putRequest(key, value, options));
}

export function putRequest(key: string, value: string, options: PutStory = {}): Extract<Request, { type: 'put' }> {
  const { n = 3, w = 2, mode = 'strict', budgetMs = 3000, context = [] } = options;
  const stored = { tombstone: false, bytes: fresh(value), contentType: undefined, priority: 0 };
  return {
    type: 'put',
    command: { bucket: 'default', key: textToBytes(key), context, ...stored, n, w, mode, resolver: 'siblings', budgetMs },
  };
}

export function get(
  cluster: Cluster,
  peer: number,
  key: string,
  options: QuorumOptions = {},
): { values: string[]; context: VersionVector; sloppy: boolean } {
  const { n = 3, r = 2, mode = 'strict', budgetMs = 3000 } = options;
  const reply = cluster.ask(peer, {
    type: 'get',
    command: { bucket: 'default', key: textToBytes(key), n, r, mode, resolver: 'siblings', budgetMs },
  });
  if (reply?.type !== 'get') throw new Error(`get ${key} at ${peer}: ${reply?.type === 'failed' ? reply.error.message : 'no answer'}`);
  const { record, sloppy } = reply.outcome;
  return { values: valuesOf(record), context: record.context, sloppy };
}

/** What this peer itself holds. */
export function held(cluster: Cluster, peer: number, key: string): string[] {
  const reply = cluster.ask(peer, { type: 'local', bucket: 'default', key: textToBytes(key) });
  if (reply?.type !== 'local') throw new Error(`peer ${peer} does not say what it holds of ${key}`);
  return valuesOf(reply.copy.record);
}

/** The primaries of a key and then the others, in the order of its walk, by index. */
export function placesOf(cluster: Cluster, key: string, n = 3): { primaries: number[]; fallbacks: number[] } {
  const placement = cluster.peers.find((peer) => peer.serving)?.core?.membership.placement;
  if (placement === undefined) throw new Error('nobody serves');
  const partition = placement.partition(addressOf('default', textToBytes(key)).position);
  return {
    primaries: placement.primaries(partition, n).map((peer) => cluster.indexOf(peer)),
    fallbacks: [...placement.fallbacks(partition, n)].map((peer) => cluster.indexOf(peer)),
  };
}

export const hintsLeft = (cluster: Cluster): number => cluster.peers.reduce((sum, peer) => sum + (peer.core?.hints.held ?? 0), 0);
