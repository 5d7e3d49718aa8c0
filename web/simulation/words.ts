/** What the page and the worker that runs a simulated mesh say to each other. */

import type { ConnectionView, MemberView, RingView } from 'ringmesh';
import type { Simulation, SimulationResult } from 'ringmesh/sim';
import type { Breaking, Door, Life, Mesh, Told } from '../mesh/types.ts';

/** A mesh to play with, whole from the beginning. */
export interface SimulationSettings {
  readonly seed: number;
  readonly peers: number;
}

/** The exact run of a seed, as `ringmesh sim` makes it. */
export interface ReplaySettings extends SimulationSettings {
  readonly ops: number;
  readonly clients: number;
  readonly watchers: number;
  /** `none`, `default`, `all`, or names with commas. */
  readonly faults: string;
  readonly modes: 'strict' | 'mixed';
  /** Undefined where the seed decides. */
  readonly codec: boolean | undefined;
}

export interface Pace {
  /** Virtual milliseconds for each real one. */
  readonly speed: number;
  readonly running: boolean;
}

/** Clients and faults by chance. */
export interface Chances {
  /** Broken links, in 10,000 messages. */
  readonly loss: number;
  /** Late messages, in 100. */
  readonly delay: number;
  /** A minute. */
  readonly kills: number;
  /** Requests a second. */
  readonly clients: number;
}

export type BreakingMethod = Exclude<keyof Breaking, 'lives' | 'sides'>;

export type Call =
  | { readonly to: 'door'; readonly peer: string | undefined; readonly method: keyof Door; readonly given: readonly unknown[] }
  | { readonly to: 'breaking'; readonly method: BreakingMethod; readonly given: readonly unknown[] }
  | { readonly to: 'trial'; readonly given: Parameters<Mesh['trial']> }
  | { readonly to: 'step' };

export type ToWorker =
  | { readonly type: 'simulate'; readonly settings: SimulationSettings }
  | { readonly type: 'replay'; readonly settings: ReplaySettings }
  | { readonly type: 'pace'; readonly pace: Pace }
  | { readonly type: 'chances'; readonly chances: Chances }
  | { readonly type: 'call'; readonly id: number; readonly call: Call };

/** The mesh with the eyes of one of its peers. */
interface Seen {
  readonly self: string;
  readonly members: readonly MemberView[];
  readonly connections: readonly ConnectionView[];
  /** Undefined when it is still the same. */
  readonly ring: RingView | undefined;
}

export interface Look {
  /** Undefined while no peer is up. */
  readonly seen: Seen | undefined;
  readonly lives: ReadonlyMap<string, Life>;
  readonly sides: readonly (readonly string[])[] | undefined;
}

/** How far the run of a seed has come, and what was found at its end. */
export interface RunState {
  readonly phase: Simulation['phase'] | 'judged';
  readonly operations: number;
  readonly faults: readonly string[];
  readonly result: Pick<SimulationResult, 'violations' | 'eventHash' | 'command'> | undefined;
}

export type FromWorker =
  | { readonly type: 'look'; readonly look: Look }
  /** `clock`: virtual milliseconds. `reached`: how fast time really goes. */
  | { readonly type: 'time'; readonly clock: number; readonly reached: number; readonly run: RunState | undefined }
  | { readonly type: 'told'; readonly told: readonly Told[] }
  | { readonly type: 'done'; readonly id: number; readonly value: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly code: string; readonly message: string };
