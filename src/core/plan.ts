/**
 * What would move if members came or went, without moving it: the same placement that would hold then, beside that of now. How much it is, is estimated from a sample
 * of this peer's own partitions.
 */

import type { PeerId } from './ids.ts';
import type { Placement } from './placement.ts';

export interface Moves {
  /** Partitions that the peer would have to copy. */
  readonly gains: number;
  /** Partitions that it would own no more. */
  readonly loses: number;
}

/** By peer; those for whom nothing changes are left out. `n`: copies of each key. */
export function movesBetween(before: Placement, after: Placement, n: number): Map<PeerId, Moves> {
  const moves = new Map<PeerId, { gains: number; loses: number }>();
  const of = (peer: PeerId): { gains: number; loses: number } => {
    let found = moves.get(peer);
    if (found === undefined) moves.set(peer, (found = { gains: 0, loses: 0 }));
    return found;
  };
  for (let partition = 0; partition < before.ring.partitions; partition++) {
    const [old, next] = [before.primaries(partition, n), after.primaries(partition, n)];
    for (const peer of next) if (!old.includes(peer)) of(peer).gains++;
    for (const peer of old) if (!next.includes(peer)) of(peer).loses++;
  }
  return moves;
}
