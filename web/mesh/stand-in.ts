/** Who takes the place of an owner that is away. */

import type { MemberView, Placement } from 'ringmesh';

/** The first fallback that is there itself. Undefined while all owners are alive. */
export function standInOf(placement: Placement, members: readonly MemberView[]): string | undefined {
  const isAway = (peer: string): boolean => members.some((member) => member.peer === peer && member.state !== 'alive');
  return placement.primaries.some(isAway) ? placement.fallbacks.find((peer) => !isAway(peer)) : undefined;
}
