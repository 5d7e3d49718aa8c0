/**
 * Placement by what this peer knows of the members now: who owns a partition, who stands in, and who is about to own it.
 *
 * Members that join copy what they will own before they own it, and members that leave own what they have until others have copied it (TR1). So there are
 * two rings: reads and quorums go by the ring of the owners; writes go to the gaining peers as well, and a strict put waits for these. A peer gains a partition
 * when it is a primary of it by the ring that is left when all leaving members have gone, with it among the rest. As more members on a walk only push others
 * back, this covers whatever comes of several changes at once, in any order.
 */

import type { PeerId } from './ids.ts';
import { buildRing, partitionOf, place, type Placed, type Ring, ringDigest, type RingMember, walk } from './ring.ts';

export interface PlacementOptions {
  readonly cluster: string;
  readonly partitions: number;
  readonly durableMin: number;
  readonly tokensOf: (member: RingMember) => Uint32Array;
  /** Where equal placements are kept, if anywhere. */
  readonly placements?: Placements | undefined;
}

/** One that joins; in the place of somebody, perhaps, who is dead. */
export interface Joiner extends RingMember {
  readonly replaces?: PeerId | undefined;
}

/** Who moves. The leaving ones are owners still. */
export interface Movers {
  readonly joining: readonly Joiner[];
  readonly leaving: ReadonlySet<PeerId>;
}

const nobody: readonly PeerId[] = [];
/** One number for a partition and an n. */
export const placeKey = (partition: number, n: number): number => partition * 64 + n;

export class Placement {
  readonly ring: Ring;
  readonly movers: Movers;
  /** Equal for peers that agree about owners and movers. */
  readonly digest: string;
  readonly #options: PlacementOptions;
  readonly #members: ReadonlyMap<PeerId, RingMember>;
  readonly #placed = new Map<number, Placed>();
  readonly #names = new Map<string, number>();
  readonly #shared = new Map<string, readonly number[]>();
  readonly #gaining = new Map<number, readonly PeerId[]>();
  /** The ring without those that leave; then with one of the joining ones each. */
  readonly #futures = new Map<PeerId | '', Ring>();

  constructor(options: PlacementOptions, owners: readonly RingMember[], movers: Movers) {
    const { cluster, partitions, tokensOf } = options;
    this.#options = options;
    this.movers = movers;
    this.ring = buildRing(cluster, owners, partitions, tokensOf);
    this.#members = new Map([...movers.joining, ...this.ring.members].map((member) => [member.peer, member]));
    this.digest = this.isSettled ? this.ring.digest : this.#movingDigest();
  }

  #movingDigest(): string {
    const { joining, leaving } = this.movers;
    const stays = this.ring.members.filter(({ peer }) => !leaving.has(peer));
    return ringDigest(this.ring.digest, [...joining, ...stays], this.ring.partitions);
  }

  /** Nobody joins or leaves. */
  get isSettled(): boolean {
    return this.movers.joining.length === 0 && this.movers.leaving.size === 0;
  }

  /** An owner, or one that joins. */
  member(peer: PeerId): RingMember | undefined {
    return this.#members.get(peer);
  }

  partition(position: number): number {
    return partitionOf(this.ring, position);
  }

  placed(partition: number, n: number): Placed {
    const cacheKey = placeKey(partition, n);
    let placed = this.#placed.get(cacheKey);
    if (placed === undefined) this.#placed.set(cacheKey, (placed = place(this.ring, partition, n, this.#options.durableMin)));
    return placed;
  }

  primaries(partition: number, n: number): readonly PeerId[] {
    return this.placed(partition, n).primaries;
  }

  /** The partitions of which both are primaries; the same list for the same two. */
  shared(pair: readonly [PeerId, PeerId], n: number): readonly number[] {
    const name = `${n} ${pair.join(' ')}`;
    let shared = this.#shared.get(name);
    if (shared === undefined) {
      const found: number[] = [];
      for (let partition = 0; partition < this.ring.partitions; partition++) {
        const primaries = this.primaries(partition, n);
        if (primaries.includes(pair[0]) && primaries.includes(pair[1])) found.push(partition);
      }
      this.#shared.set(name, (shared = found));
    }
    return shared;
  }

  /** 32 bits that name the owners of a partition and those that gain it: who counts quorums among the same ones has the same (FNV-1a). */
  nameOf(partition: number, n: number): number {
    const peers = `${this.primaries(partition, n).join(' ')}|${this.gaining(partition, n).join(' ')}`;
    let name = this.#names.get(peers);
    if (name === undefined) {
      name = 0x811c9dc5;
      for (let i = 0; i < peers.length; i++) name = Math.imul(name ^ peers.charCodeAt(i), 0x01000193);
      name >>>= 0;
      this.#names.set(peers, name);
    }
    return name;
  }

  /** Those that are no primaries yet, and copy the partition now. */
  gaining(partition: number, n: number): readonly PeerId[] {
    if (this.isSettled) return nobody;
    const cacheKey = placeKey(partition, n);
    let gaining = this.#gaining.get(cacheKey);
    if (gaining === undefined) this.#gaining.set(cacheKey, (gaining = this.#gainers(partition, n)));
    return gaining;
  }

  #gainers(partition: number, n: number): readonly PeerId[] {
    const { joining, leaving } = this.movers;
    const primaries = this.primaries(partition, n);
    const gainers = leaving.size === 0 ? [] : this.#future(partition, n, undefined).filter((peer) => !primaries.includes(peer));
    for (const member of joining) if (this.#future(partition, n, member).includes(member.peer)) gainers.push(member.peer);
    return gainers;
  }

  /** The primaries once the leaving ones are gone, and this one has joined. */
  #future(partition: number, n: number, joiner: Joiner | undefined): PeerId[] {
    const { cluster, partitions, tokensOf, durableMin } = this.#options;
    const name = joiner?.peer ?? '';
    let ring = this.#futures.get(name);
    if (ring === undefined) {
      const stays = this.ring.members.filter(({ peer }) => !this.movers.leaving.has(peer) && peer !== joiner?.replaces);
      ring = buildRing(cluster, joiner === undefined ? stays : [...stays, joiner], partitions, tokensOf);
      this.#futures.set(name, ring);
    }
    return [...place(ring, partition, n, durableMin).primaries];
  }

  /** The primaries that are none any more once this peer has joined, or left; but not the one that it replaces. */
  losing(partition: number, n: number, mover: PeerId): readonly PeerId[] {
    const joiner = this.movers.joining.find(({ peer }) => peer === mover);
    const future = this.#future(partition, n, joiner);
    return this.primaries(partition, n).filter((peer) => !future.includes(peer) && peer !== joiner?.replaces);
  }

  /** Where all would lie if these were the owners. */
  of(owners: readonly RingMember[]): Placement {
    return placementOf(this.#options, owners, { joining: [], leaving: new Set() });
  }

  /** Who stands in for a primary, in the walk's order: everyone else. */
  *fallbacks(partition: number, n: number): Generator<PeerId> {
    const primaries = this.primaries(partition, n);
    for (const member of walk(this.ring, partition)) if (!primaries.includes(member.peer)) yield member.peer;
  }
}

const placementsMax = 64;

/** A new one, or the one that there is already. */
export function placementOf(options: PlacementOptions, owners: readonly RingMember[], movers: Movers): Placement {
  return options.placements?.of(options, owners, movers) ?? new Placement(options, owners, movers);
}

/** The latest placements of one cluster, for many peers in one process: what one of them has worked out, those that agree with it need not. */
export class Placements {
  readonly #latest = new Map<string, Placement>();

  of(options: PlacementOptions, owners: readonly RingMember[], movers: Movers): Placement {
    const name = JSON.stringify([owners, movers.joining, [...movers.leaving]]);
    let placement = this.#latest.get(name);
    if (placement === undefined) {
      const [oldest] = this.#latest.keys();
      if (oldest !== undefined && this.#latest.size >= placementsMax) this.#latest.delete(oldest);
      this.#latest.set(name, (placement = new Placement(options, owners, movers)));
    }
    return placement;
  }
}
