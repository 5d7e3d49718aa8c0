/** A run from the first start to the verdict. */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkHistory, historyText } from 'ringmesh/sim';
import { SeededRandom } from '../../src/core/random.ts';
import { Counters } from './counters.ts';
import { converge, heal, readEverywhere, readReplicas, serveAgain } from './finish.ts';
import { Recorder } from './history-client.ts';
import { type Bite, runNemesis } from './nemesis.ts';
import type { DriverOptions, FaultName } from './options.ts';
import { clockText, type Results } from './report.ts';
import { openScene, type Scene } from './scene.ts';
import { keyNames, Workload } from './workload.ts';

export async function runFaults(options: DriverOptions, folder: string, print: (text: string) => void): Promise<Results> {
  const recorder = new Recorder();
  const say = (text: string): void => print(`  ${clockText(recorder.nowMs)}  ${text}`);
  say(`starts ${options.peers} peers, ${placing(options)}`);
  const scene = await openScene(options, folder, recorder, say);
  try {
    return await play(options, scene, recorder, say);
  } finally {
    if (options.history !== undefined) await writeHistory(options.history, recorder);
    await scene.close();
  }
}

const placing = ({ network }: DriverOptions): string =>
  network === 'namespaces' ? 'each in a network namespace of its own' : 'each behind a TCP proxy';

async function play(options: DriverOptions, scene: Scene, recorder: Recorder, say: (text: string) => void): Promise<Results> {
  const random = new SeededRandom(options.seed);
  const counters = new Counters(scene.peers);
  const keys = keyNames(options.keys);
  const urls = scene.peers.map((peer) => peer.url);
  const workload = new Workload({ clients: options.clients, keys, urls, random: random.fork(), recorder });
  const convergences: number[] = [];
  const convergeWithinMs = options.convergeWithin * 1000;
  const stage = { recorder, scene, workload, random, convergeWithinMs, say, converged: (ms: number) => void convergences.push(ms) };
  say(`they are one mesh; ${options.clients} clients begin on ${keys.length} keys`);
  const bites = new Map<FaultName, Bite>();
  try {
    await runNemesis(stage, options.faults, bites, recorder.nowMs + options.minutes * 60_000);
  } catch (error) {
    recorder.report('liveness', '', `the faults end early: ${error instanceof Error ? error.message : String(error)}`);
  }
  await workload.end();
  say('heals; no client writes any more');
  await heal(scene);
  convergences.push(await converge(scene, keys, recorder, convergeWithinMs));
  say(`all replicas are equal after ${((convergences.at(-1) ?? 0) / 1000).toFixed(1)} s; reads everything`);
  await readReplicas(scene, keys, recorder);
  const further = await serveAgain(scene, recorder);
  await readEverywhere(scene, [...keys, ...further], recorder);
  reportToothless(bites, recorder);
  const counted = await counters.end();
  const { rows, reasons, violations } = recorder;
  return { rows, reasons, bites, counters: counted, convergences, violations: [...violations, ...checkHistory(rows)] };
}

/** Faults that do nothing prove nothing. */
function reportToothless(bites: ReadonlyMap<FaultName, Bite>, recorder: Recorder): void {
  for (const [kind, { times, hindered, doubts, records }] of bites) {
    if (times > 0 && hindered + doubts + records === 0)
      recorder.report('liveness', '', `the fault '${kind}' did nothing: no operation was hindered, no peer doubted, no record taken`);
  }
}

async function writeHistory(file: string, { rows }: Recorder): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, historyText(rows));
}
