/** The worker that runs a simulated mesh, so that the page stays smooth whatever happens in it. */

import { MeshProblem } from '../mesh/types.ts';
import { trial } from '../mesh/trial.ts';
import { RunningMesh } from './running.ts';
import { type Started, startReplay, startSimulation } from './start.ts';
import type { Call, FromWorker, ToWorker } from './words.ts';

let mesh: RunningMesh | undefined;

const post = (said: FromWorker): void => self.postMessage(said);
const run = (started: Started): void => void (mesh = new RunningMesh(started, post));

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.type) {
    case 'simulate':
      return run(startSimulation(data.settings));
    case 'replay':
      return run(startReplay(data.settings));
    case 'pace':
      return mesh?.pace(data.pace);
    case 'chances':
      return mesh?.chances(data.chances);
    case 'call':
      return void answer(data.id, data.call);
  }
});

async function answer(id: number, call: Call): Promise<void> {
  try {
    post({ type: 'done', id, value: await perform(call) });
  } catch (error) {
    if (!(error instanceof MeshProblem)) throw error;
    post({ type: 'refused', id, code: error.code, message: error.message });
  }
}

type Method = (...given: readonly unknown[]) => Promise<unknown>;

async function perform(call: Call): Promise<unknown> {
  if (mesh === undefined) throw new MeshProblem('OFFLINE', 'No simulated mesh runs here.');
  switch (call.to) {
    case 'door': {
      const door = mesh.door(call.peer);
      return (door[call.method] as Method).apply(door, [...call.given]);
    }
    case 'breaking':
      return (mesh.breaking[call.method] as Method).apply(mesh.breaking, [...call.given]);
    case 'trial':
      return trial(mesh, ...call.given);
    case 'step':
      return mesh.step();
  }
}
