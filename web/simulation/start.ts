/** Starts simulated meshes: one to play with, that is whole from the beginning, or the exact run of a seed as `ringmesh sim` makes it. */

import { Cluster, knownFaultNames, Simulation, type SimulationOptions, World } from 'ringmesh/sim';
import type { ReplaySettings, RunState, SimulationSettings } from './words.ts';

/** A world that can go on. */
export interface Started {
  readonly cluster: Cluster;
  /** Lets so many virtual milliseconds pass. */
  readonly advance: (ms: number) => void;
  /** Undefined where no seed is judged. */
  readonly run: () => RunState | undefined;
}

/** Peers that can be added later. */
const spares = 8;
/** Tokens in all: more peers have fewer each, so that a large ring stays cheap. */
const tokensMax = 9000;

export function startSimulation({ seed, peers }: SimulationSettings): Started {
  const names = Array.from({ length: peers + spares }, (_, index) => `peer-${index + 1}`);
  const world = new World(seed);
  const cluster = new Cluster(world, {
    peers: names.length,
    names,
    partitions: 1024,
    weight: Math.max(6, Math.min(64, Math.floor(tokensMax / peers))),
    bootstrap: 0,
    founders: peers,
    network: { codec: false, latencyMs: [1, 40] },
    storage: { copies: false },
  });
  cluster.startFormed(peers);
  return { cluster, advance: (ms) => world.runFor(ms), run: () => undefined };
}

export function startReplay({ codec, ...settings }: ReplaySettings): Started {
  const chosen = { ...settings, faults: faultsOf(settings.faults) };
  const simulation = new Simulation(codec === undefined ? chosen : { ...chosen, codec });
  let result: RunState['result'];
  const advance = (ms: number): void => {
    if (result !== undefined) return;
    if (simulation.phase !== 'healing') return simulation.advance(ms);
    const { violations, eventHash, command } = simulation.finish();
    result = { violations, eventHash, command };
  };
  const run = (): RunState => ({
    phase: result === undefined ? simulation.phase : 'judged',
    operations: simulation.operations,
    faults: simulation.faultNames,
    result,
  });
  return { cluster: simulation.cluster, advance, run };
}

function faultsOf(text: string): NonNullable<SimulationOptions['faults']> {
  if (text === 'none' || text === 'default' || text === 'all') return text;
  // In the order of the link: it decides about the run.
  return text.split(',').flatMap((word) => knownFaultNames.filter((name) => name === word));
}
