/**
 * Placement by the ring that this peer knows now: who holds a partition and who stands in, with the answers kept until the ring changes.
 */

import type { PeerId } from './ids.ts';
import { partitionOf, place, type Placed, type Ring, type RingMember, walk } from './ring.ts';

export class Placement {
  readonly ring: Ring;
  readonly #durableMin: number;
  readonly #members: ReadonlyMap<PeerId, RingMember>;
  readonly #placed = new Map<number, Placed>();
  readonly #names = new Map<string, number>();

  constructor(ring: Ring, durableMin: number) {
    this.ring = ring;
    this.#durableMin = durableMin;
    this.#members = new Map(ring.members.map((member) => [member.peer, member]));
  }

  member(peer: PeerId): RingMember | undefined {
    return this.#members.get(peer);
  }

  partition(position: number): number {
    return partitionOf(this.ring, position);
  }

  placed(partition: number, n: number): Placed {
    const cacheKey = partition * 64 + n;
    let placed = this.#placed.get(cacheKey);
    if (placed === undefined) this.#placed.set(cacheKey, (placed = place(this.ring, partition, n, this.#durableMin)));
    return placed;
  }

  primaries(partition: number, n: number): readonly PeerId[] {
    return this.placed(partition, n).primaries;
  }

  /** 32 bits that name the primaries of a partition: who counts quorums among the same ones has the same (FNV-1a). */
  nameOf(partition: number, n: number): number {
    const peers = this.primaries(partition, n).join(' ');
    let name = this.#names.get(peers);
    if (name === undefined) {
      name = 0x811c9dc5;
      for (let i = 0; i < peers.length; i++) name = Math.imul(name ^ peers.charCodeAt(i), 0x01000193);
      name >>>= 0;
      this.#names.set(peers, name);
    }
    return name;
  }

  /** Who stands in for a primary, in the walk's order: everyone else. */
  *fallbacks(partition: number, n: number): Generator<PeerId> {
    const primaries = this.primaries(partition, n);
    for (const member of walk(this.ring, partition)) if (!primaries.includes(member.peer)) yield member.peer;
  }
}
