/**
 * What is done to a running mesh. Each fault lasts for a while and then takes itself back; what it has broken beyond that is for the mesh to repair.
 *
 * Data is taken from one peer at a time, and only when all replicas were seen equal while no client wrote: every acknowledged value is then still on two
 * of its three replicas, so that whatever goes missing afterwards was lost by the mesh.
 */

import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalRecord, PeerStatus } from 'ringmesh';
import type { SeededRandom } from '../../src/core/random.ts';
import { between, happens, pick, shuffled } from '../../src/sim/chance.ts';
import { awaitEqual, awaitWhole } from './convergence.ts';
import { ask, askJson } from './gateway.ts';
import { HistoryClient, type KeyName, nothingSeen, pathOf, type Recorder } from './history-client.ts';
import type { FaultName } from './options.ts';
import type { PeerProcess } from './peer-process.ts';
import type { Scene } from './scene.ts';
import { drawSplit } from './splits.ts';
import { awaitNothing, sleep } from './waiting.ts';
import type { Workload } from './workload.ts';

export interface Stage {
  readonly recorder: Recorder;
  readonly scene: Scene;
  readonly workload: Workload;
  readonly random: SeededRandom;
  readonly convergeWithinMs: number;
  /** Tells what is being done. */
  readonly say: (text: string) => void;
  /** A convergence took so long, from the moment at which no client wrote any more. */
  readonly converged: (ms: number) => void;
}

const startWithinMs = 60_000;
const moveWithinMs = 180_000;

/** Answers how many records it took from a peer. */
type Fault = (stage: Stage) => Promise<number>;

export const faults: Readonly<Record<FaultName, Fault>> = {
  async kill({ scene, random, say }) {
    const victims = drawPeers(scene, random);
    const ms = between(random, 1000, 6000);
    say(`kills ${names(victims)} for ${seconds(ms)}`);
    await Promise.all(victims.map((peer) => peer.kill()));
    await sleep(ms);
    await Promise.all(victims.map((peer) => peer.start()));
    return 0;
  },

  async stop({ scene, random, say }) {
    const [victim] = drawPeers(scene, random) as [PeerProcess];
    const ms = between(random, 500, 4000);
    say(`stops ${victim.name} in order for ${seconds(ms)}`);
    await victim.stop();
    await sleep(ms);
    await victim.start();
    return 0;
  },

  async pause({ scene, random, say }) {
    const victims = drawPeers(scene, random);
    const ms = between(random, 1500, 8000);
    say(`pauses ${names(victims)} for ${seconds(ms)}`);
    for (const peer of victims) peer.pause();
    await sleep(ms);
    for (const peer of victims) peer.resume();
    return 0;
  },

  async killAll({ scene, random, say }) {
    const ms = between(random, 0, 2000);
    say(`kills all for ${seconds(ms)}`);
    await Promise.all(scene.peers.map((peer) => peer.kill()));
    await sleep(ms);
    await Promise.all(scene.peers.map((peer) => peer.start()));
    return 0;
  },

  async split({ scene, random, say }) {
    const { text, cuts } = drawSplit(random, scene.peers.length);
    const ms = between(random, 2000, 10_000);
    say(`splits the network for ${seconds(ms)}, ${text}`);
    await scene.network.cut(cuts);
    await sleep(ms);
    await scene.network.cut([]);
    return 0;
  },

  /** Peers fail while the network is split, and come back within the split or after it. */
  async together(stage) {
    const second = happens(stage.random, 0.5) ? faults.kill : faults.pause;
    await Promise.all([faults.split(stage), second(stage)]);
    return 0;
  },

  async wipe(stage) {
    const { scene, random, say, workload } = stage;
    const victim = pick(random, scene.peers);
    await equalAtRest(stage);
    const held = (await contents(victim, workload)).size;
    await victim.kill();
    for (const file of await readdir(victim.data)) if (file !== 'peer.key') await rm(join(victim.data, file), { recursive: true });
    const ms = between(random, 0, 3000);
    say(`wipes ${victim.name} (${held} records), back after ${seconds(ms)}`);
    workload.goOn();
    await sleep(ms);
    await victim.start();
    return held;
  },

  async rollback(stage) {
    const { scene, random, say, workload } = stage;
    const victim = pick(random, scene.peers);
    const before = await contents(victim, workload);
    await (happens(random, 0.5) ? victim.kill() : victim.stop());
    const copy = `${victim.data}.copy`;
    await cp(victim.data, copy, { recursive: true });
    await victim.start();
    const ms = between(random, 2000, 6000);
    await sleep(ms);
    await equalAtRest(stage);
    const after = await contents(victim, workload);
    await victim.kill();
    await rm(victim.data, { recursive: true });
    await cp(copy, victim.data, { recursive: true });
    await rm(copy, { recursive: true });
    const changed = workload.keys.filter((key) => after.get(pathOf(key)) !== before.get(pathOf(key)));
    say(`rolls ${victim.name} back to ${seconds(ms)} before (${changed.length} records)`);
    workload.goOn();
    await victim.start();
    await writeAtOnce(stage, victim, changed);
    return changed.length;
  },

  /** Gives up its place, and comes back as a new member with an empty store; in half of the cases while others fail. */
  async leave(stage) {
    const { scene, random, say, workload } = stage;
    const victim = pick(random, scene.peers);
    const others = { ...stage, scene: { ...scene, peers: scene.peers.filter((peer) => peer !== victim) } };
    const held = (await contents(victim, workload)).size;
    say(`${victim.name} leaves (${held} records)`);
    const began = performance.now();
    // The request ends with the leaving, which goes on without it.
    ask(victim.url, { method: 'POST', path: '/v1/leave', withinMs: moveWithinMs }).catch(() => {});
    if (happens(random, 0.5)) await pick(random, [() => faults.kill(others), () => faults.pause(others), () => faults.split(stage)])();
    await awaitStatus(victim, 'left');
    const left = performance.now();
    await victim.stop();
    await sleep(between(random, 0, 2000));
    await victim.start();
    await awaitStatus(victim, 'up');
    say(
      `${victim.name} had left after ${seconds(left - began)}, and owns its places again after ${seconds(performance.now() - left)} more`,
    );
    return held;
  },
};

const awaitStatus = (peer: PeerProcess, wanted: PeerStatus['status']): Promise<void> =>
  awaitNothing(`${peer.name} is '${wanted}'`, moveWithinMs, async () => {
    const { status } = await askJson<PeerStatus>(peer.url, '/v1/status');
    return status === wanted ? undefined : `it is '${status}'`;
  });

const names = (peers: readonly PeerProcess[]): string => peers.map((peer) => peer.name).join(' and ');
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** One or two of them. */
const drawPeers = ({ peers }: Scene, random: SeededRandom): PeerProcess[] => shuffled(random, peers).slice(0, 1 + random.below(2));

/** Stops the clients and waits until all replicas are equal. */
async function equalAtRest({ scene, workload, say, convergeWithinMs, converged }: Stage): Promise<void> {
  await workload.rest();
  const began = performance.now();
  await awaitWhole(scene.peers);
  await awaitEqual(scene.peers, workload.keys, convergeWithinMs);
  const ms = performance.now() - began;
  converged(ms);
  say(`at rest, all replicas are equal after ${seconds(ms)}`);
}

/** Writes what the peer has forgotten, through that peer and as soon as it takes writes: it must not give the same dots again (VR3). */
async function writeAtOnce({ recorder }: Stage, peer: PeerProcess, keys: readonly KeyName[]): Promise<void> {
  const client = new HistoryClient(`hurried-${recorder.rows.length}`, recorder);
  await awaitNothing(`${peer.name} takes writes`, startWithinMs, async () => {
    const { status, text } = await ask(peer.url, { method: 'GET', path: '/readyz' });
    return status === 200 ? undefined : text;
  });
  for (const key of keys) await client.write(peer.url, key, nothingSeen, 10);
}

/** A peer that answers late, on a busy machine, has not failed. */
const lookWithinMs = 30_000;

/** What a peer holds itself: by key the dots of its record. */
async function contents(peer: PeerProcess, { keys }: Workload): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of keys) {
    const { siblings, tombstones } = await askJson<LocalRecord>(peer.url, pathOf(name, '/v1/local'), lookWithinMs);
    const dots = [...siblings.map(({ dot }) => dot), ...tombstones];
    if (dots.length > 0) found.set(pathOf(name), dots.toSorted().join());
  }
  return found;
}
