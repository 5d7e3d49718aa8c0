/** Starts simulated meshes: one to play with, that is whole from the beginning, or the exact run of a seed as `ringmesh sim` makes it. */

import { signal, type Signal } from '@preact/signals';
import { Cluster, knownFaultNames, Simulation, type SimulationOptions, type SimulationResult, World } from 'ringmesh/sim';
import { SimulatedMesh } from './simulated.ts';

export interface SimulationSettings {
  readonly seed: number;
  readonly peers: number;
}

export interface ReplaySettings extends SimulationSettings {
  readonly ops: number;
  readonly clients: number;
  /** `none`, `default`, `all`, or names with commas. */
  readonly faults: string;
  readonly modes: 'strict' | 'mixed';
}

/** How far the run of a seed has come, and what was found at its end. */
export interface Replay {
  readonly settings: ReplaySettings;
  readonly phase: Signal<Simulation['phase'] | 'judged'>;
  readonly operations: Signal<number>;
  readonly faults: readonly string[];
  readonly result: Signal<SimulationResult | undefined>;
}

/** Peers that can be added later. */
const spares = 8;
/** Tokens in all: more peers have fewer each, so that a large ring stays cheap. */
const tokensMax = 9000;

export function startSimulation({ seed, peers }: SimulationSettings): SimulatedMesh {
  const names = Array.from({ length: peers + spares }, (_, index) => `peer-${index + 1}`);
  const cluster = new Cluster(new World(seed), {
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
  return new SimulatedMesh(cluster);
}

export function startReplay(settings: ReplaySettings): { mesh: SimulatedMesh; replay: Replay } {
  const simulation = new Simulation({ ...settings, faults: faultsOf(settings.faults) });
  const replay: Replay = {
    settings,
    phase: signal(simulation.phase),
    operations: signal(0),
    faults: simulation.faultNames,
    result: signal(undefined),
  };
  const mesh = new SimulatedMesh(simulation.cluster, (ms) => {
    if (replay.result.peek() !== undefined) return;
    if (simulation.phase === 'healing') replay.result.value = simulation.finish();
    else simulation.advance(ms);
    replay.phase.value = replay.result.peek() === undefined ? simulation.phase : 'judged';
    replay.operations.value = simulation.operations;
  });
  return { mesh, replay };
}

function faultsOf(text: string): NonNullable<SimulationOptions['faults']> {
  if (text === 'none' || text === 'default' || text === 'all') return text;
  // In the order of the link: it decides about the run.
  return text.split(',').flatMap((word) => knownFaultNames.filter((name) => name === word));
}
