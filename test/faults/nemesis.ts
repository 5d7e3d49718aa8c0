/** One fault after another until the time is over, in an order that the seed decides, and what each kind of them did. */

import { between, shuffled } from '../../src/sim/chance.ts';
import { faults, type Stage } from './faults.ts';
import type { Recorder } from './history-client.ts';
import type { FaultName } from './options.ts';
import { sleep } from './waiting.ts';

export interface Bite {
  times: number;
  /** Operations that began or ended while it lasted and did not end well. */
  hindered: number;
  /** How often a peer was suspected or taken for dead. */
  doubts: number;
  /** Records that were taken from a peer. */
  records: number;
}

const calmMs = [500, 2500] as const;
/** The consequences of a fault are seen for a moment longer than it lasts. */
const echoMs = 500;

/** Fills in `bites` as it goes, so that they are known also when it throws. */
export async function runNemesis(stage: Stage, kinds: readonly FaultName[], bites: Map<FaultName, Bite>, untilMs: number): Promise<void> {
  const { recorder } = stage;
  let deck: FaultName[] = [];
  while (recorder.nowMs < untilMs) {
    await sleep(between(stage.random, ...calmMs));
    if (deck.length === 0) deck = shuffled(stage.random, kinds);
    const kind = deck.pop();
    if (kind === undefined) continue;
    const bite = bites.get(kind) ?? { times: 0, hindered: 0, doubts: 0, records: 0 };
    bites.set(kind, bite);
    const beganMs = recorder.nowMs;
    const doubtsBefore = stage.scene.doubts();
    bite.records += await faults[kind](stage);
    await sleep(echoMs);
    bite.times++;
    bite.doubts += stage.scene.doubts() - doubtsBefore;
    bite.hindered += hinderedSince(recorder, beganMs);
  }
}

function hinderedSince({ rows }: Recorder, beganMs: number): number {
  let hindered = 0;
  for (const row of rows) {
    if (row.op === 'root' || row.status === 'ok') continue;
    if (row.invoke >= beganMs || (row.complete ?? 0) >= beganMs) hindered++;
  }
  return hindered;
}
