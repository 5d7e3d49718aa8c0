/**
 * What the libp2p adapter tells about itself, for the log and the metrics. Nothing depends on these events; no failure of the network is an
 * exception.
 */

import type { PeerId } from '../core/ids.ts';

export type NetworkEvent =
  /** No link could be opened to a peer or an address; it is tried again while it is wanted. */
  | { readonly type: 'dial-failed'; readonly peer?: PeerId; readonly address?: string; readonly error: string }
  /** A peer broke a bound or the framing; its connection was closed. */
  | { readonly type: 'hostile'; readonly peer: PeerId; readonly error: string }
  /** A relay gave no reservation; it is asked again. */
  | { readonly type: 'reservation-failed'; readonly peer: PeerId; readonly error: string }
  /** The search in the DHT failed; it is repeated. */
  | { readonly type: 'discovery-failed'; readonly error: string }
  /** Something was not sent to all members. */
  | { readonly type: 'publish-failed'; readonly error: string }
  | { readonly type: 'address-ignored'; readonly address: string; readonly error: string };

export type Report = (event: NetworkEvent) => void;

const backoffMinMs = 100;
const backoffMaxMs = 5000;

/** Doubles with each failure, between half and the whole of the step so that peers do not dial in step. */
export function backoffMs(failures: number, maxMs = backoffMaxMs): number {
  const step = Math.min(maxMs, backoffMinMs * 2 ** Math.min(failures, 16));
  return step * (0.5 + Math.random() / 2);
}

/** One line for a person. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorText(error.errors[0]);
  // Cluster and settings are part of the protocol's name.
  if (error instanceof Error && error.name === 'UnsupportedProtocolError')
    return 'no peer of this cluster: its cluster, partitions or durableMin differ';
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
