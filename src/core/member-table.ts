/**
 * What this peer knows of the members: for each the newest record that its subject signed, and whether it is believed to be alive.
 *
 * Everything merges in any order with any repetition (MB1): a record wins by (incarnation, sequence); a suspicion counts against the incarnation that it
 * names and everything below, and only a higher incarnation of the subject takes it back (SWIM, section 4.2). Only `left` moves a place on the ring (MB2).
 */

import { hex, Writer } from './bytes.ts';
import { encodeMember, memberCluster } from './member-codec.ts';
import { sha256 } from './hash.ts';
import type { Identity } from './identity.ts';
import type { PeerId } from './ids.ts';
import type { MemberRecord, MemberSummary, SignedMember, Suspicion } from './messages.ts';
import { Placement } from './placement.ts';
import { buildRing, peerTokens, type RingMember } from './ring.ts';

export type Health = MemberSummary['health'];

export interface Member {
  readonly signed: SignedMember;
  readonly health: Health;
}

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

export interface TableOptions {
  readonly cluster: string;
  readonly partitions: number;
  readonly durableMin: number;
  readonly identity: Identity;
}

const severity = { alive: 0, suspect: 1, dead: 2 } as const;

/** A peer that announced a pause is as good as dead until it says otherwise: it stays on the ring. */
export function stateOf(member: Member): MemberState {
  const { status } = member.signed.record;
  if (status === 'left') return 'left';
  return status === 'paused' ? 'dead' : member.health;
}

export class MemberTable {
  readonly #options: TableOptions;
  /** Records say which cluster, cut into how many partitions, they belong to; others are refused. */
  readonly #clusterName: string;
  readonly #members = new Map<PeerId, Member>();
  readonly #tokens = new Map<PeerId, Uint32Array>();
  /** Undefined after a change, until somebody asks. */
  #placement: Placement | undefined;
  #view: string | undefined;

  constructor(options: TableOptions) {
    this.#options = options;
    this.#clusterName = `${options.cluster}/${options.partitions}`;
  }

  get placement(): Placement {
    this.#placement ??= this.#place();
    return this.#placement;
  }

  get(peer: PeerId): Member | undefined {
    return this.#members.get(peer);
  }

  all(): IterableIterator<Member> {
    return this.#members.values();
  }

  get size(): number {
    return this.#members.size;
  }

  /** Takes over all that another table of the same cluster knows. */
  adopt(other: MemberTable): void {
    for (const [peer, member] of other.#members) this.#members.set(peer, member);
    this.#placement = other.placement;
    this.#view = undefined;
  }

  sign(record: MemberRecord): SignedMember {
    const bytes = encodeMember(this.#clusterName, record);
    return { record, bytes, signature: this.#options.identity.sign(bytes) };
  }

  /** True when it was news and is now known. Checks the signature of news only. */
  accept(signed: SignedMember): boolean {
    const { record } = signed;
    const known = this.#members.get(record.peer);
    if (known !== undefined && !isNewer(record, known.signed.record)) return false;
    if (memberCluster(signed.bytes) !== this.#clusterName) return false;
    if (!this.#options.identity.verify(record.peer, signed.bytes, signed.signature)) return false;
    const refuted = known === undefined || record.incarnation > known.signed.record.incarnation;
    this.#set({ signed, health: refuted ? 'alive' : known.health });
    return true;
  }

  /** True when it made matters worse for its subject. Suspicions of unknown peers and of past incarnations say nothing. */
  suspect(suspicion: Suspicion): boolean {
    const known = this.#members.get(suspicion.peer);
    if (known === undefined || suspicion.incarnation < known.signed.record.incarnation) return false;
    const health = suspicion.dead ? 'dead' : 'suspect';
    if (severity[health] <= severity[known.health]) return false;
    this.#set({ signed: known.signed, health });
    return true;
  }

  #set(member: Member): void {
    const { record } = member.signed;
    const before = this.#members.get(record.peer)?.signed.record;
    this.#members.set(record.peer, member);
    this.#view = undefined;
    if (before === undefined || !samePlace(before, record)) this.#placement = undefined;
  }

  #place(): Placement {
    const { cluster, partitions, durableMin } = this.#options;
    const members: RingMember[] = [];
    for (const { signed } of this.#members.values()) {
      const { peer, host, class: durability, weight, status } = signed.record;
      if (status !== 'left') members.push({ peer, host, class: durability, weight });
    }
    const tokensOf = (member: RingMember): Uint32Array => {
      let tokens = this.#tokens.get(member.peer);
      if (tokens?.length !== member.weight) this.#tokens.set(member.peer, (tokens = peerTokens(cluster, member.peer, member.weight)));
      return tokens;
    };
    return new Placement(buildRing(cluster, members, partitions, tokensOf), durableMin);
  }

  /** Equal for tables that know the same, hexadecimal. */
  get view(): string {
    if (this.#view === undefined) {
      const writer = new Writer(this.#members.size * 64);
      for (const { peer, incarnation, sequence, health } of this.summary()) writer.text(peer).uint(incarnation).uint(sequence).text(health);
      this.#view = hex(sha256(writer.finish()).subarray(0, 8));
    }
    return this.#view;
  }

  /** Sorted by peer id. */
  summary(): MemberSummary[] {
    return [...this.#members.values()]
      .map(({ signed: { record }, health }) => ({ peer: record.peer, incarnation: record.incarnation, sequence: record.sequence, health }))
      .sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  /** What each side of a comparison knows better than the other: ours to send, theirs to ask for. */
  difference(theirs: readonly MemberSummary[]): { ours: PeerId[]; theirs: PeerId[] } {
    const ours = new Set(this.#members.keys());
    const wanted: PeerId[] = [];
    for (const entry of theirs) {
      const known = this.#members.get(entry.peer);
      const order = known === undefined ? -1 : compareKnowledge(known, entry);
      if (order <= 0) ours.delete(entry.peer);
      if (order < 0) wanted.push(entry.peer);
    }
    return { ours: [...ours], theirs: wanted };
  }
}

const isNewer = (a: MemberRecord, b: MemberRecord): boolean =>
  a.incarnation > b.incarnation || (a.incarnation === b.incarnation && a.sequence > b.sequence);

function compareKnowledge({ signed: { record }, health }: Member, theirs: MemberSummary): number {
  return record.incarnation - theirs.incarnation || record.sequence - theirs.sequence || severity[health] - severity[theirs.health];
}

function samePlace(a: MemberRecord, b: MemberRecord): boolean {
  return a.host === b.host && a.class === b.class && a.weight === b.weight && (a.status === 'left') === (b.status === 'left');
}
