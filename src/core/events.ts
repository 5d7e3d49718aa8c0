/**
 * The one stream of what happens in a peer: log, metrics, traces and the demo page all read it. Events are plain data; `at` is added by the runtime.
 */

import type { ErrorCode } from './errors.ts';
import type { TransferProgress } from './transfer.ts';

export type MeshEvent = CoreEvent & { readonly at: number };

export type CoreEvent =
  /** A client's request ended at the peer that took it. `quorumMs` is the time to the deciding answer. */
  | {
      readonly type: 'request';
      readonly op: 'get' | 'put' | 'delete' | 'keys';
      readonly bucket: string;
      readonly outcome: 'ok' | 'absent' | 'partial' | 'unknown' | 'failed' | 'aborted';
      readonly code: ErrorCode | undefined;
      readonly ms: number;
      readonly siblings: number;
      readonly forwarded: boolean;
    }
  /** A message took part in a request: what the demo draws as a travelling dot. `run` tells the gets and puts of this peer apart. */
  | {
      readonly type: 'hop';
      readonly run: number;
      readonly kind: 'put' | 'store' | 'fetch';
      readonly to: string;
      readonly position: number;
      readonly role: 'primary' | 'fallback' | 'gaining';
    }
  /**
   * What came of a `hop` of the same run, `ms` after the run began. `made`: with this answer the quorum was there; `late`: the client had its answer already.
   */
  | {
      readonly type: 'answer';
      readonly run: number;
      readonly peer: string;
      readonly role: 'primary' | 'fallback' | 'gaining';
      readonly state: 'stored' | 'answered' | 'refused' | 'unreachable' | 'timeout';
      readonly ms: number;
      readonly made: boolean;
      readonly late: boolean;
    }
  | {
      readonly type: 'member';
      readonly peer: string;
      readonly state: 'alive' | 'suspect' | 'dead' | 'left' | 'removed';
      readonly incarnation: number;
    }
  | { readonly type: 'link'; readonly peer: string; readonly up: boolean }
  /** No other peer is reached, and the try to reach this one, or whoever has this address, failed. It is repeated. */
  | { readonly type: 'alone'; readonly where: string; readonly reason: string }
  | { readonly type: 'ring'; readonly digest: string; readonly members: number }
  | { readonly type: 'readRepair'; readonly peer: string; readonly bucket: string }
  /**
   * What a peer keeps for a primary that cannot be reached. `refused`: there was no room; `expired`: too old, other primaries get it now; `rerouted`: the owner left
   * the ring, and the primaries of now get it. `held`: how many hints there are.
   */
  | {
      readonly type: 'hint';
      readonly action: 'stored' | 'delivered' | 'refused' | 'expired' | 'rerouted';
      readonly owner: string;
      readonly held: number;
    }
  /** Records of nothing but tombstones were removed everywhere (TS1). */
  | { readonly type: 'reaped'; readonly keys: number }
  /**
   * One step of an exchange: these nodes of the two Merkle trees were compared, and these differ. At the level `leaf` the keys below them were; `different` then
   * counts keys. At most 64 nodes of each kind are named.
   */
  | {
      readonly type: 'compare';
      readonly peer: string;
      readonly level: 'all' | 'group' | 'partition' | 'inner' | 'leaf';
      readonly compared: number;
      readonly different: number;
      readonly nodes: readonly number[];
    }
  /** A run of anti-entropy found and repaired differences. */
  | { readonly type: 'exchange'; readonly peer: string; readonly different: number; readonly received: number; readonly sent: number }
  /** How far a repair that was asked for has come; `peer` is who is compared with now, empty at the end. */
  | {
      readonly type: 'repair';
      readonly peer: string;
      readonly peersDone: number;
      readonly peersTotal: number;
      readonly compared: number;
      readonly different: number;
      readonly received: number;
      readonly sent: number;
    }
  /** How far a scrub has come: partitions that were read, and what was found in them. */
  | {
      readonly type: 'scrub';
      readonly partitionsDone: number;
      readonly partitionsTotal: number;
      readonly records: number;
      readonly damaged: number;
      readonly leaves: number;
    }
  /** How far this peer has come with copying what it will own. */
  | ({ readonly type: 'transfer'; readonly secondsLeft: number | undefined } & TransferProgress)
  /** How far the others have come with copying what this peer leaves to them; `hints`: what it keeps for others still. */
  | ({ readonly type: 'leaving'; readonly hints: number; readonly secondsLeft: number | undefined } & TransferProgress)
  /** Records that others own were removed here, or all of a store whose peer had left. */
  | { readonly type: 'cleared'; readonly keys: number }
  /** This peer cannot take the place that it is to take, for that member is not dead: what it is instead. */
  | { readonly type: 'replacing'; readonly peer: string; readonly state: string }
  /** This peer owns its places now. */
  | { readonly type: 'joined'; readonly peer: string }
  /** The store had forgotten what others remember; it counts under a new epoch from now on (VR3). */
  | { readonly type: 'amnesia'; readonly actor: string; readonly reason: string }
  | { readonly type: 'storageError'; readonly code: ErrorCode; readonly message: string }
  /** A peer sent something that is not a valid message. */
  | { readonly type: 'badFrame'; readonly peer: string; readonly reason: string };
