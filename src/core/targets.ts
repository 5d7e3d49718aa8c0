/**
 * Whom a request may use: the primaries in the order in which they are best asked, then the fallbacks that stand in. A fallback takes the place of one
 * primary that cannot be reached and keeps that primary's name, for the hint (Dynamo, section 4.6).
 */

import type { Calls } from './calls.ts';
import type { Address, Instant, PeerId } from './ids.ts';
import type { Receipt } from './messages.ts';
import type { Placement } from './placement.ts';
import type { Role } from './quorum.ts';

/** What requests need to know of the members. */
export interface MembersView {
  readonly self: PeerId;
  readonly placement: Placement;
  /** Not suspected, and not known to have stopped. */
  believedAlive(peer: PeerId): boolean;
  /** Asks a peer whose ring differs for its member table. */
  compareWith(now: Instant, peer: PeerId): void;
}

export interface Target {
  readonly peer: PeerId;
  readonly role: Role;
}

/** Can be asked now, with a good chance of an answer. */
export function healthy(now: Instant, peer: PeerId, members: MembersView, calls: Calls): boolean {
  if (peer === members.self) return true;
  return calls.linked(peer) && members.believedAlive(peer) && !calls.slow(now, peer);
}

/** The primaries of an address, the healthy ones first, and the healthy fallbacks behind them, as a supply to draw from. */
export class Supply {
  readonly primaries: readonly PeerId[];
  /** Those that will be primaries. */
  readonly gaining: readonly PeerId[];
  readonly #members: MembersView;
  readonly #calls: Calls;
  readonly #placement: Placement;
  readonly #partition: number;
  readonly #n: number;
  #fallbacks: Generator<PeerId> | undefined;

  constructor(address: Address, n: number, members: MembersView, calls: Calls) {
    const { placement } = members;
    this.#members = members;
    this.#calls = calls;
    this.#placement = placement;
    this.#partition = placement.partition(address.position);
    this.#n = n;
    this.primaries = placement.primaries(this.#partition, n);
    this.gaining = placement.gaining(this.#partition, n);
  }

  healthy(now: Instant, peer: PeerId): boolean {
    return healthy(now, peer, this.#members, this.#calls);
  }

  /** The primaries: this peer, whose own copy costs no round trip, then those that look well, then the others. */
  bestFirst(now: Instant): PeerId[] {
    const { self } = this.#members;
    const best: PeerId[] = this.primaries.includes(self) ? [self] : [];
    const unwell: PeerId[] = [];
    for (const peer of this.primaries) if (peer !== self) (this.healthy(now, peer) ? best : unwell).push(peer);
    best.push(...unwell);
    return best;
  }

  /** The next healthy peer that is no primary, each once. */
  nextFallback(now: Instant): PeerId | undefined {
    this.#fallbacks ??= this.#members.placement.fallbacks(this.#partition, this.#n);
    for (;;) {
      const next = this.#fallbacks.next();
      if (next.done === true) return undefined;
      if (this.healthy(now, next.value)) return next.value;
    }
  }

  /** The owners that this is a supply of have this name: of a strict quorum all must agree on it. */
  get among(): number {
    return this.#placement.nameOf(this.#partition, this.#n);
  }

  /** Whether they are the owners by the ring of now, too. */
  get isCurrent(): boolean {
    const { placement } = this.#members;
    return placement === this.#placement || placement.nameOf(this.#partition, this.#n) === this.among;
  }

  receipt(target: Target, state: Receipt['state'], durable: boolean): Receipt {
    const { peer, role } = target;
    const member = this.#members.placement.member(peer);
    return { peer, role, host: member?.host ?? '', class: member?.class ?? 'ephemeral', state, durable };
  }
}
