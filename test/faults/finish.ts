/**
 * After the faults: everything is healed, the mesh becomes whole, hints are delivered and the replicas equal by themselves, every gateway serves again, and
 * then every replica of every key is read for the history.
 */

import type { Envelope } from '../../node/client/api.ts';
import { type OpenOperation, openOperation } from '../../src/sim/history.ts';
import { awaitEqual, awaitInPlace, awaitWhole, peerOf, placesOf, rootsOf } from './convergence.ts';
import { askJson } from './gateway.ts';
import { fillIn, HistoryClient, type KeyName, keyText, nothingSeen, pathOf, type Recorder } from './history-client.ts';
import type { Scene } from './scene.ts';
import { awaitNothing, Late } from './waiting.ts';

const succeedWithinMs = 10_000;
/** What others own is looked for each minute. */
const clearedWithinMs = 120_000;

export async function heal({ peers, network }: Scene): Promise<void> {
  await network.cut([]);
  for (const peer of peers) {
    if (peer.state === 'paused') peer.resume();
    if (peer.state === 'down') await peer.start();
  }
}

/** Answers how long it took, in milliseconds; what came too late is a violation. */
export async function converge({ peers }: Scene, keys: readonly KeyName[], recorder: Recorder, withinMs: number): Promise<number> {
  const began = performance.now();
  await orLate(recorder, () => awaitWhole(peers));
  await orLate(recorder, () => awaitEqual(peers, keys, withinMs));
  const ms = performance.now() - began;
  await orLate(recorder, () => awaitInPlace(peers, keys, clearedWithinMs));
  return ms;
}

async function orLate(recorder: Recorder, wait: () => Promise<void>): Promise<void> {
  try {
    await wait();
  } catch (error) {
    if (!(error instanceof Late)) throw error;
    recorder.report('liveness', '', error.message);
  }
}

/** A put and a get through each gateway succeed. */
export async function serveAgain({ peers }: Scene, recorder: Recorder): Promise<KeyName[]> {
  const client = new HistoryClient('healer', recorder);
  const keys = peers.map((peer): KeyName => ({ bucket: 'strict', key: `after-${peer.name}` }));
  for (const [index, peer] of peers.entries()) {
    const key = keys[index] as KeyName;
    await orLate(recorder, () =>
      awaitNothing(`${peer.name} serves again`, succeedWithinMs, async () => {
        const seen = await client.get(peer.url, key);
        if (seen === undefined) return 'a get fails';
        await client.write(peer.url, key, seen ?? nothingSeen, 10);
        const last = recorder.rows.at(-1);
        return last?.op === 'put' && last.status === 'ok' ? undefined : 'a put fails';
      }),
    );
  }
  return keys;
}

/** Every key through every gateway, of all its replicas. */
export async function readEverywhere({ peers }: Scene, keys: readonly KeyName[], recorder: Recorder): Promise<void> {
  const readers = peers.map(async (peer, index) => {
    const client = new HistoryClient(`reader-${index + 1}`, recorder);
    for (const key of keys) {
      const seen = await client.get(peer.url, key, { r: 3, mode: 'strict' });
      if (seen === undefined)
        recorder.report('liveness', keyText(key), `a read of all its replicas through ${peer.name} fails after the healing`);
    }
  });
  await Promise.all(readers);
}

/** What each primary of each key holds, and the roots of their partitions. */
export async function readReplicas({ peers }: Scene, keys: readonly KeyName[], recorder: Recorder): Promise<void> {
  const places = await placesOf(peers, keys);
  for (const key of keys) {
    for (const id of places.get(keyText(key))?.primaries ?? []) {
      const peer = peerOf(peers, id);
      const final: OpenOperation = { ...openOperation('get', 'final', keyText(key), recorder.nowMs), node: peer.name, phase: 'final' };
      recorder.rows.push(final);
      const { siblings } = await askJson<Envelope>(peer.url, pathOf(key, '/v1/local'));
      fillIn(final, siblings, recorder);
      final.complete = recorder.nowMs;
    }
  }
  for (const { partition, node, digest } of await rootsOf(peers, places))
    recorder.rows.push({ op: 'root', key: `${partition}`, node, digest, phase: 'final' });
}
