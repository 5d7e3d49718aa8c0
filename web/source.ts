/**
 * Which mesh is shown, by the address: the live one, a simulated one to play with, or the replay of a seed. The part of the address after `#` says which, so that a
 * simulated mesh can be sent as a link.
 */

import { signal } from '@preact/signals';
import { LiveMesh } from './mesh/live.ts';
import { SimulatedMesh } from './mesh/simulated.ts';
import type { ReplaySettings, SimulationSettings } from './simulation/words.ts';
import { mesh, show } from './state.ts';

export type Source = 'live' | 'simulation' | 'replay';

export const source = signal<Source>('live');
/** The simulated mesh that is shown, and what it was started with. */
export const simulated = signal<SimulatedMesh | undefined>(undefined);
export const settings = signal<SimulationSettings>({ seed: 1, peers: 12 });
/** The seed whose run is shown. */
export const replay = signal<ReplaySettings | undefined>(undefined);

const peersMax = 1000;

export function followAddress(): void {
  addEventListener('hashchange', open);
  open();
}

export const go = (address: string): void => void (location.hash = address);

export const simulationAddress = ({ seed, peers }: SimulationSettings): string => `#sim?seed=${seed}&peers=${peers}`;

function open(): void {
  const [kind, query = ''] = location.hash.slice(1).split('?');
  const values = new URLSearchParams(query);
  if (kind === 'sim' || kind === 'replay') return showSimulation(kind, values);
  // Other marks in the address are places within the page.
  if (source.value === 'live' && mesh.value !== undefined) return;
  source.value = 'live';
  simulated.value = undefined;
  replay.value = undefined;
  show(new LiveMesh());
}

function showSimulation(kind: 'sim' | 'replay', values: URLSearchParams): void {
  const number = (name: string, least: number, most: number, otherwise: number): number => {
    const value = Number(values.get(name) ?? Number.NaN);
    return Number.isInteger(value) ? Math.min(most, Math.max(least, value)) : otherwise;
  };
  const seed = number('seed', 0, 2 ** 31, 1);
  if (kind === 'sim') {
    settings.value = { seed, peers: number('peers', 1, peersMax, 12) };
    source.value = 'simulation';
    replay.value = undefined;
    simulated.value = new SimulatedMesh({ type: 'simulate', settings: settings.value });
  } else {
    const codec = values.get('codec');
    source.value = 'replay';
    replay.value = {
      seed,
      peers: number('peers', 1, peersMax, 5),
      ops: number('ops', 1, 100_000, 1000),
      clients: number('clients', 1, 1000, 10),
      watchers: number('watchers', 0, 100, 0),
      faults: values.get('faults') ?? 'default',
      modes: values.get('modes') === 'mixed' ? 'mixed' : 'strict',
      codec: codec === null ? undefined : codec === 'true',
    };
    simulated.value = new SimulatedMesh({ type: 'replay', settings: replay.value });
  }
  show(simulated.value);
}
