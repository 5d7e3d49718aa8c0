/** What a run of the driver is told. */

export const faultNames = ['kill', 'stop', 'pause', 'killAll', 'split', 'together', 'wipe', 'rollback', 'leave'] as const;
export type FaultName = (typeof faultNames)[number];

/** What stands between the peers, so that their mesh can be split. */
export type NetworkName = 'namespaces' | 'proxies';

export interface DriverOptions {
  readonly seed: number;
  /** Of load and faults; convergence and the final reads come after it. */
  readonly minutes: number;
  readonly peers: number;
  readonly clients: number;
  readonly keys: number;
  readonly faults: readonly FaultName[];
  readonly network: NetworkName;
  /** From the healing until all replicas are equal, in seconds. */
  readonly convergeWithin: number;
  readonly history?: string;
  readonly keep?: boolean;
}
