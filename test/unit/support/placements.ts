/** Placements for tests that have no member table. */

import { type Movers, Placement } from '../../../src/core/placement.ts';
import { peerTokens, type RingMember, seatOf } from '../../../src/core/ring.ts';

export function placementOf(
  cluster: string,
  owners: readonly RingMember[],
  { partitions, durableMin, movers = {} }: { partitions: number; durableMin: number; movers?: Partial<Movers> },
): Placement {
  const tokensOf = (member: RingMember): Uint32Array => peerTokens(cluster, seatOf(member), member.weight);
  return new Placement({ cluster, partitions, durableMin, tokensOf }, owners, { joining: [], leaving: new Set(), ...movers });
}
