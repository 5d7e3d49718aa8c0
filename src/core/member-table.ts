/**
 * What this peer knows of the members: for each the newest record that its subject signed, and whether it is believed to be alive.
 *
 * Everything merges in any order with any repetition (MB1): a record wins by (incarnation, sequence); a suspicion counts against the incarnation that it
 * names and everything below, and only a higher incarnation of the subject takes it back (SWIM, section 4.2). A removal counts for good against whoever began to
 * join in the incarnation that it names or before; only joining anew takes it back. Only who leaves or is removed loses its place on the ring (MB2).
 */

import { Writer } from './bytes.ts';
import { encodeMember, memberCluster } from './member-codec.ts';
import { leadingU32, sha256 } from './hash.ts';
import type { Identity } from './identity.ts';
import type { PeerId } from './ids.ts';
import { limits } from './limits.ts';
import type { MemberRecord, MemberSummary, Removal, SignedMember, Suspicion } from './messages.ts';
import { type Joiner, type Movers, type Placement, placementOf, type Placements } from './placement.ts';
import { peerTokens, type RingMember, seatOf } from './ring.ts';

export type Health = MemberSummary['health'];

export interface Member {
  readonly signed: SignedMember;
  readonly health: Health;
  readonly removed: boolean;
}

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left' | 'removed';

export interface TableOptions {
  readonly cluster: string;
  readonly partitions: number;
  readonly durableMin: number;
  readonly identity: Identity;
  /** Shared by the peers of one process, if there are several. */
  readonly placements?: Placements | undefined;
}

/** What all members must agree about to place keys alike. */
export function clusterName({ cluster, partitions, durableMin }: Pick<TableOptions, 'cluster' | 'partitions' | 'durableMin'>): string {
  return `${cluster}/${partitions}${durableMin === defaultDurableMin ? '' : `/${durableMin}`}`;
}

const severity = { alive: 0, suspect: 1, dead: 2 } as const;

/** A peer that announced a pause is as good as dead until it says otherwise: it stays on the ring. */
export function stateOf(member: Member): MemberState {
  const { status, paused } = member.signed.record;
  if (member.removed) return 'removed';
  if (status === 'left') return 'left';
  return paused ? 'dead' : member.health;
}

/** It has no place in the mesh any more. */
export const isGone = (member: Member): boolean => member.removed || member.signed.record.status === 'left';

export const defaultDurableMin = 2;
/** How many members join at a time; the others wait for their turn. */
const joinersMax = 16;
const partCount = limits.tablePartsMax;

export class MemberTable {
  readonly #options: TableOptions;
  /** Records say to which cluster they belong; others are refused. */
  readonly #clusterName: string;
  readonly #members = new Map<PeerId, Member>();
  readonly #tokens = new Map<PeerId, Uint32Array>();
  /** Undefined after a change, until somebody asks. */
  #placement: Placement | undefined;
  /** Up to which `joined` a peer has been removed. */
  readonly #removals = new Map<PeerId, number>();
  /** What is known of each member as 64 bits, and the exclusive or of all of them; of each part the one of the lower halves. */
  readonly #digests = new Map<PeerId, readonly [number, number]>();
  #view: readonly [number, number] = [0, 0];
  readonly #parts = new Uint32Array(partCount);
  #counts: readonly number[] = [];
  #countsAreStale = false;

  constructor(options: TableOptions) {
    this.#options = options;
    this.#clusterName = clusterName(options);
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
    for (const [peer, member] of other.#members) {
      this.#members.set(peer, member);
      this.#count(member, other.#digests.get(peer) ?? digestOf(member));
    }
    this.#placement = other.placement;
    this.#countsAreStale = true;
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
    const removed = record.joined <= (this.#removals.get(record.peer) ?? -1);
    this.#set({ signed, health: refuted ? 'alive' : known.health, removed });
    return true;
  }

  /** True when it is news. A peer that is not known yet may still come to be. */
  remove({ peer, joined }: Removal): boolean {
    if (joined <= (this.#removals.get(peer) ?? -1)) return false;
    this.#removals.set(peer, joined);
    const known = this.#members.get(peer);
    if (known !== undefined && known.signed.record.joined <= joined) this.#set({ ...known, removed: true });
    return true;
  }

  removal(peer: PeerId): Removal | undefined {
    const joined = this.#removals.get(peer);
    return joined === undefined ? undefined : { peer, joined };
  }

  /** True when it made matters worse for its subject. Suspicions of unknown peers and of past incarnations say nothing. */
  suspect(suspicion: Suspicion): boolean {
    const known = this.#members.get(suspicion.peer);
    if (known === undefined || suspicion.incarnation < known.signed.record.incarnation) return false;
    const health = suspicion.dead ? 'dead' : 'suspect';
    if (severity[health] <= severity[known.health]) return false;
    this.#set({ ...known, health });
    return true;
  }

  #set(member: Member): void {
    const { record } = member.signed;
    const before = this.#members.get(record.peer);
    this.#members.set(record.peer, member);
    this.#count(member, digestOf(member));
    if (before?.signed.record.counts.join() !== record.counts.join()) this.#countsAreStale = true;
    if (before === undefined || !samePlace(before, member)) this.#placement = undefined;
  }

  #place(): Placement {
    const owners: RingMember[] = [];
    const joining: Joiner[] = [];
    const leaving = new Set<PeerId>();
    for (const member of this.#members.values()) {
      const { peer, host, class: durability, weight, seat, replaces } = member.signed.record;
      const role = roleOf(member);
      const placed: RingMember = { peer, host, class: durability, weight, ...(seat === undefined ? {} : { seat }) };
      if (role === 'leaves') leaving.add(peer);
      if (role === 'joins' && weight > 0) joining.push({ ...placed, replaces: replaces?.peer });
      if (role === 'owns' || role === 'leaves') owners.push(placed);
    }
    owners.sort(byPeer);
    joining.sort(byPeer);
    return this.#placementOf(owners, { joining: joining.slice(0, joinersMax), leaving: new Set([...leaving].sort()) });
  }

  #placementOf(owners: readonly RingMember[], movers: Movers): Placement {
    const { cluster, partitions, durableMin, placements } = this.#options;
    const tokensOf = (member: RingMember): Uint32Array => {
      const seat = seatOf(member);
      let tokens = this.#tokens.get(seat);
      if (tokens?.length !== member.weight) this.#tokens.set(seat, (tokens = peerTokens(cluster, seat, member.weight)));
      return tokens;
    };
    return placementOf({ cluster, partitions, durableMin, tokensOf, placements }, owners, movers);
  }

  /** Where all would lie if these were the owners. */
  placementOf(owners: readonly RingMember[]): Placement {
    return this.#placementOf(owners, { joining: [], leaving: new Set() });
  }

  /** The n of all buckets that any member has seen in use, ascending; another array only when there are others. */
  get counts(): readonly number[] {
    if (this.#countsAreStale) {
      this.#countsAreStale = false;
      const counts = new Set<number>();
      for (const { signed } of this.#members.values()) for (const n of signed.record.counts) counts.add(n);
      const isSame = counts.size === this.#counts.length && this.#counts.every((n) => counts.has(n));
      if (!isSame) this.#counts = [...counts].sort((a, b) => a - b);
    }
    return this.#counts;
  }

  #count({ signed }: Member, digest: readonly [number, number]): void {
    const { peer } = signed.record;
    const [oldHigh, oldLow] = this.#digests.get(peer) ?? [0, 0];
    const [high, low] = digest;
    const part = partOf(peer);
    this.#view = [this.#view[0] ^ oldHigh ^ high, this.#view[1] ^ oldLow ^ low];
    this.#parts[part] = (this.#parts[part] ?? 0) ^ oldLow ^ low;
    this.#digests.set(peer, digest);
  }

  /** Equal for tables that know the same, hexadecimal. */
  get view(): string {
    return this.#view.map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** The digest of each part of the table. */
  get parts(): readonly number[] {
    return [...this.#parts];
  }

  /** The parts that are not the same elsewhere. */
  differingParts(theirs: readonly number[]): number[] {
    return [...this.#parts.keys()].filter((part) => this.#parts[part] !== theirs[part]);
  }

  /** Sorted by peer id. Default: of the whole table. */
  summary(parts?: readonly number[]): MemberSummary[] {
    return this.#within(parts)
      .map(summaryOf)
      .sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  #within(parts: readonly number[] | undefined): Member[] {
    const members = [...this.#members.values()];
    if (parts === undefined) return members;
    const wanted = new Set(parts);
    return members.filter(({ signed }) => wanted.has(partOf(signed.record.peer)));
  }

  /** What each side of a comparison knows better than the other: ours to send, theirs to ask for. `parts`: what was compared, if not all. */
  difference(theirs: readonly MemberSummary[], parts?: readonly number[]): { ours: PeerId[]; theirs: PeerId[] } {
    const ours = new Set(this.#within(parts).map(({ signed }) => signed.record.peer));
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

/** FNV-1a. */
function partOf(peer: PeerId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < peer.length; i++) hash = Math.imul(hash ^ peer.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (partCount - 1);
}

export function summaryOf({ signed: { record }, health, removed }: Member): MemberSummary {
  const { peer, incarnation, sequence, status, joined } = record;
  return { peer, incarnation, sequence, health, status, joined, removed };
}

/** Status and `joined` follow from the numbers of the record. */
function digestOf(member: Member): readonly [number, number] {
  const { peer, incarnation, sequence, health, removed } = summaryOf(member);
  const writer = new Writer(128).text(peer).uint(incarnation).uint(sequence).text(health);
  const digest = sha256(writer.uint(removed ? 1 : 0).finish());
  return [leadingU32(digest), leadingU32(digest.subarray(4))];
}

const byPeer = (a: RingMember, b: RingMember): number => (a.peer < b.peer ? -1 : 1);

/** Of two records of one peer. */
export const isNewer = (a: MemberRecord, b: MemberRecord): boolean =>
  a.incarnation > b.incarnation || (a.incarnation === b.incarnation && a.sequence > b.sequence);

function compareKnowledge({ signed: { record }, health, removed }: Member, theirs: MemberSummary): number {
  return (
    record.joined - theirs.joined ||
    Number(removed) - Number(theirs.removed) ||
    record.incarnation - theirs.incarnation ||
    record.sequence - theirs.sequence ||
    severity[health] - severity[theirs.health]
  );
}

/** A joining member that is dead holds up nobody: it must join anew when it is back. */
function roleOf(member: Member): 'owns' | 'joins' | 'leaves' | 'none' {
  const { status } = member.signed.record;
  if (isGone(member)) return 'none';
  if (status === 'joining') return stateOf(member) === 'dead' ? 'none' : 'joins';
  return status === 'leaving' ? 'leaves' : 'owns';
}

function samePlace(a: Member, b: Member): boolean {
  const [ours, theirs] = [a.signed.record, b.signed.record];
  return (
    ours.host === theirs.host &&
    ours.class === theirs.class &&
    ours.weight === theirs.weight &&
    ours.seat === theirs.seat &&
    roleOf(a) === roleOf(b)
  );
}
