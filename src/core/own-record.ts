/**
 * A peer's own member record, from its first word to its last: what it takes up from an earlier run, when it takes its place in the mesh, and what it says of itself.
 *
 * Nobody else changes it (MB1). A store that was set back, copied or wiped is told by what the others remember of its peer, before the new record has spread (VR3).
 */

import type { Disk } from './disk.ts';
import { MeshError } from './errors.ts';
import type { CoreEvent } from './events.ts';
import type { DurabilityClass, Instant, PeerId } from './ids.ts';
import type { Identity } from './identity.ts';
import { memberKey } from './layout.ts';
import { limits } from './limits.ts';
import { encodeSigned } from './member-codec.ts';
import { isGone, isNewer, type MemberTable, stateOf } from './member-table.ts';
import type { MemberRecord, MemberStatus, MemberSummary, SignedMember } from './messages.ts';
import type { Random } from './random.ts';
import { Renewal } from './renewal.ts';
import type { Standing } from './replica.ts';
import type { Timers } from './timers.ts';
import { protocolVersion } from './wire.ts';

/** What a peer says of itself. */
export interface SelfDescription {
  readonly host: string;
  readonly zone: string;
  readonly class: DurabilityClass;
  readonly weight: number;
  readonly gateway: string;
}

export interface OwnRecordOptions {
  readonly identity: Identity;
  readonly self: SelfDescription;
  /** There is nobody to join: the first member of a cluster. */
  readonly founder: boolean;
  /** An incarnation at which the last run of this very store was seen. A store that remembers it needs no others to recognise it. */
  readonly witnessed?: number;
  /** The dead member whose place this peer is to take: its id, or an end of it that no other member has. */
  readonly replaces?: string | undefined;
  /** What has come of the question what others remember of this peer. Called once. */
  readonly recognised: (standing: Standing) => void;
  /** Others remember this peer as an owner, and its store does not: it has to copy what it owns. */
  readonly forgot: () => void;
  /** This peer has been removed from the cluster, with whoever began to join in this incarnation or before: what it stores is not to be trusted any more. */
  readonly evicted: (joined: number) => void;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  readonly emit: (event: CoreEvent) => void;
}

/** How long after its start a peer waits for others that remember it. */
const aloneMs = 2000;
/** How long members that know of no owner wait for one to appear, before the first of them begins a cluster; alone it waits longer. */
const foundMs = 700;
/** Long: rings that were begun apart cannot promise fresh reads while they merge, and a first link may take its time. */
const foundAloneMs = 30_000;
/** How often a peer looks whether the member is known to be dead whose place it is to take. */
const replaceLookMs = 200;
/** It goes on saying why it waits: nobody may have listened yet when it began. */
const replaceTellMs = 5000;

/** What others tell of this peer. */
type Known = Pick<MemberRecord, 'incarnation' | 'status' | 'joined'> & Partial<MemberRecord>;

export class OwnRecord {
  readonly renewal: Renewal;
  readonly #options: OwnRecordOptions;
  readonly #table: MemberTable;
  /** Tells the others of the record as it is now. */
  readonly #publish: (now: Instant, signed: SignedMember) => void;
  #record: MemberRecord;
  /** As the store has it from the run before. */
  #remembered: MemberRecord | undefined;
  #hasAppeared = false;
  /** How many members the store remembers, and those that have said what they remember of this one. */
  #others = 0;
  readonly #recognisedBy = new Set<PeerId>();
  /** Why it does not take the place that it is to take, as it was told last. */
  #waitsToReplace = '';
  #toldWaitingAt = -Infinity;

  constructor(options: OwnRecordOptions, table: MemberTable, publish: (now: Instant, signed: SignedMember) => void) {
    this.#options = options;
    this.#table = table;
    this.#publish = publish;
    this.renewal = new Renewal(
      options.timers,
      options.random,
      () => table.size,
      () => this.#renew(),
    );
    this.#record = {
      ...options.self,
      peer: options.identity.peerId,
      incarnation: 1,
      sequence: 1,
      status: options.founder ? 'up' : 'joining',
      paused: false,
      joined: 1,
      seat: undefined,
      replaces: undefined,
      counts: [],
      addresses: [],
      version: protocolVersion,
    };
  }

  get now(): MemberRecord {
    return this.#record;
  }

  get hasAppeared(): boolean {
    return this.#hasAppeared;
  }

  get #self(): PeerId {
    return this.#record.peer;
  }

  /** Goes on where the store has it, in a new incarnation; `others`: how many members the store remembers. */
  start(now: Instant, remembered: MemberRecord | undefined, others: number, addresses: readonly string[]): void {
    this.#remembered = remembered;
    this.#others = others;
    if (remembered !== undefined) this.#goOn(remembered);
    this.#record = { ...this.#record, addresses };
    const { witnessed = Infinity, timers } = this.#options;
    const isUnknown = others > 0 && (remembered?.incarnation ?? -1) < witnessed;
    const late = (then: Instant): void => this.#appear(then, this.#recognisedBy.size > 0 ? 'known' : 'unknown');
    if (isUnknown) timers.at(now.mono + aloneMs, late);
    else this.#appear(now, 'known');
    this.#scheduleFounding(now, now.mono);
  }

  /** Takes up the part that it had in an earlier run. Who left or was removed joins anew: its store was emptied. */
  #goOn(known: Known): void {
    const { incarnation, status, joined, counts = [], seat, replaces, weight } = known;
    const removed = this.#table.removal(this.#self)?.joined ?? -1;
    if (status === 'left' || joined <= removed) {
      // A store that was set back may remember less than the removal names.
      const next = Math.max(incarnation, removed) + 1;
      this.#record = { ...this.#record, incarnation: next, joined: next };
    } else this.#record = { ...this.#record, incarnation: incarnation + 1, status, joined, counts, seat, replaces };
    // Who replaced somebody has as many tokens as that one.
    if (seat !== undefined && weight !== undefined) this.#record = { ...this.#record, weight };
  }

  /** A cluster needs a first owner: of members that know of none, the one whose id comes first (all of them know that after a few exchanges of tables). */
  #scheduleFounding(now: Instant, since: number): void {
    if (this.#record.status !== 'joining') return;
    this.#options.timers.at(now.mono + foundMs / 4, (then) => {
      const joining = [...this.#table.all()].filter((member) => member.signed.record.status === 'joining' && stateOf(member) === 'alive');
      const isOwner = ({ status, weight }: MemberRecord): boolean => status !== 'joining' && weight > 0;
      const owners = [...this.#table.all()].some((member) => !isGone(member) && isOwner(member.signed.record));
      const isFirst = joining.every(({ signed }) => signed.record.peer >= this.#self || signed.record.weight === 0);
      const waitedMs = joining.length > 1 ? foundMs : foundAloneMs;
      if (!owners && isFirst && this.#hasAppeared && then.mono - since > waitedMs) this.announce(then, { status: 'up' });
      this.#scheduleFounding(then, owners ? then.mono : since);
    });
  }

  /** Takes its place in the mesh, once. What the others say from then on may be what this run has told them. */
  #appear(now: Instant, standing: Standing): void {
    if (this.#hasAppeared) return;
    if (!this.#takesPlace(now)) {
      this.#options.timers.at(now.mono + replaceLookMs, (then) => this.#appear(then, standing));
      return;
    }
    this.#hasAppeared = true;
    this.#options.recognised(standing);
    this.announce(now, {});
  }

  /** Joins in the place of a dead member. False while that cannot be: it says why, and looks again. */
  #takesPlace(now: Instant): boolean {
    const { replaces, emit } = this.#options;
    if (replaces === undefined || this.#record.status !== 'joining' || this.#record.replaces !== undefined) return true;
    const named = [...this.#table.all()].filter(({ signed }) => signed.record.peer.endsWith(replaces));
    const member = named.length === 1 ? named[0] : undefined;
    if (member !== undefined && stateOf(member) === 'dead') {
      const { joined, weight, seat, peer } = member.signed.record;
      this.#record = { ...this.#record, weight, seat: seat ?? peer, replaces: { peer, joined } };
      return true;
    }
    const state = member === undefined ? 'unknown' : stateOf(member);
    const isDue = state !== this.#waitsToReplace || now.mono - this.#toldWaitingAt >= replaceTellMs;
    if (isDue && (member !== undefined || this.#recognisedBy.size > 0)) {
      this.#waitsToReplace = state;
      this.#toldWaitingAt = now.mono;
      emit({ type: 'replacing', peer: member?.signed.record.peer ?? replaces, state });
    }
    return false;
  }

  /**
   * Another member's first word of this peer, before it hears the new record: when it remembers a later incarnation than the peer's own store, that was set back,
   * or is a copy (VR3). Some may not have heard of the last one, so most are asked. A later sequence is no sign: the last word of a tab that closes is told and often
   * not stored any more.
   */
  recognise(now: Instant, by: PeerId, summary: readonly MemberSummary[] | undefined): void {
    if (this.#hasAppeared) return;
    const known = summary?.find(({ peer }) => peer === this.#self);
    if (known?.removed === true && known.joined >= this.#record.joined && this.#remembered !== undefined)
      return this.#options.evicted(known.joined);
    if (known !== undefined && known.incarnation > (this.#remembered?.incarnation ?? -1)) {
      this.#takeBack({ ...known, incarnation: Math.max(this.#record.incarnation - 1, known.incarnation) });
      return this.#appear(now, 'setBack');
    }
    this.#recognisedBy.add(by);
    if (this.#recognisedBy.size * 2 > this.#others) this.#appear(now, 'known');
  }

  /** Others remember more of this peer than its store does: it is what they say, without the records that go with it. */
  #takeBack(known: Known): void {
    this.#goOn({ ...this.#remembered, ...known });
    this.#options.forgot();
  }

  /** Others know a newer record of this peer than it does itself: of an earlier run, or of another process with its key. */
  hear(now: Instant, { record, bytes, signature }: SignedMember): void {
    if (!isNewer(record, this.#record) || !this.#options.identity.verify(this.#self, bytes, signature)) return;
    // A store that was wiped began as a stranger.
    if (this.#remembered !== undefined) return this.refute(now, record.incarnation);
    this.#remembered = record;
    this.#takeBack(record);
    if (this.#hasAppeared) this.announce(now, {});
  }

  /** Speaks up with a higher incarnation than the one that is talked about. */
  refute(now: Instant, incarnation: number): void {
    if (incarnation < this.#record.incarnation || incarnation >= limits.incarnationMax) return;
    if (this.#hasAppeared) this.announce(now, { incarnation: incarnation + 1 });
    else this.#record = { ...this.#record, incarnation: incarnation + 1 };
  }

  /** Stores the new incarnation first: one that only others knew would make the next start take the store for one that was set back. */
  #renew(): void {
    const { incarnation, sequence } = this.#record;
    const next = this.#table.sign({ ...this.#record, incarnation: incarnation + 1, sequence: sequence + 1 });
    this.#options.disk.write([{ key: memberKey(this.#self), value: encodeSigned(next) }], (then, written) => {
      const isNewest = this.#record.incarnation === incarnation && this.#record.sequence === sequence;
      if (!(written instanceof MeshError) && isNewest) this.announce(then, { incarnation: incarnation + 1 });
    });
  }

  /** Changes the record and tells the others. */
  announce(now: Instant, change: Partial<MemberRecord>): void {
    this.#record = { ...this.#record, ...change, sequence: this.#record.sequence + 1 };
    this.#publish(now, this.#table.sign(this.#record));
  }

  become(now: Instant, status: MemberStatus): void {
    if (this.#record.status !== status) this.announce(now, { status });
  }

  announceAddresses(now: Instant, addresses: readonly string[]): void {
    if (addresses.join() === this.#record.addresses.join()) return;
    if (this.#hasAppeared) this.announce(now, { addresses });
    else this.#record = { ...this.#record, addresses };
  }

  /** The n of the buckets that this peer has records of: told to all, so that whoever joins knows what to copy. */
  announceCounts(now: Instant, counts: readonly number[]): void {
    if (this.#hasAppeared && counts.some((n) => !this.#record.counts.includes(n))) this.announce(now, { counts });
  }
}
