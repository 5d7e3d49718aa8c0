/** The public entry `ringmesh/sim`: whole runs from a seed, clusters for scenarios, and checkers for histories of any origin. */

export { type CheckOptions, checkHistory, strictByName } from './checker/check.ts';
export type { CheckName, Violation } from './checker/violation.ts';
export { Cluster, type ClusterOptions } from './cluster.ts';
export { allFaultNames, type FaultName, knownFaultNames } from './faults.ts';
export { simHandle } from './handle.ts';
export { type HistoryRow, historyText, type Operation, parseHistory, type RootRow } from './history.ts';
export {
  peersOfSeed,
  replayCommand,
  replayLink,
  replaysExactly,
  runSimulation,
  Simulation,
  type SimulationOptions,
  type SimulationResult,
} from './run.ts';
export type { SimPeer } from './sim-peer.ts';
export type { Summary } from './summary.ts';
export { World } from './world.ts';
