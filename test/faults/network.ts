/**
 * The network between the peers of a run, which can be cut between any two of them, in one direction or both. A cut is silent: nothing is refused and no
 * connection is closed, it only stops to carry, as when a cable is pulled; what was on its way arrives after the healing, unless someone has given up.
 */

export interface Place {
  /** Runs a command there, as a prefix to it. */
  readonly prefix: readonly string[];
  readonly gateway: { readonly host: string; readonly port: number };
  readonly listen: string;
  /** What others dial. */
  readonly announce: string;
}

/** From one peer to another, by index. */
export type Cut = readonly [from: number, to: number];

export interface MeshNetwork {
  readonly places: readonly Place[];
  /** These cuts and no others from now on. */
  cut(cuts: readonly Cut[]): Promise<void>;
  close(): void;
}
