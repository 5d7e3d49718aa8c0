/**
 * Membership: who is in the mesh and how this peer learns and tells it.
 *
 * News go out at once as gossip; whoever missed them learns them by push-pull, a periodic comparison of tables over direct streams, so that losing all
 * gossip only delays (MB4; Demers et al., "Epidemic Algorithms", 1987). Requests carry the ring's digest, and a difference brings a comparison at once (MB5).
 */

import { fromByteString, toByteString } from './bytes.ts';
import type { CallFailure, Calls } from './calls.ts';
import type { Disk } from './disk.ts';
import { MeshError } from './errors.ts';
import type { CoreEvent } from './events.ts';
import type { ByteString, DurabilityClass, Instant, PeerId } from './ids.ts';
import { LateRemovals, type RemoveAfter } from './late-removals.ts';
import { memberKey, peerOfRemovalKey, prefixRange, removalKey } from './layout.ts';
import { limits } from './limits.ts';
import { encodeSigned, readSigned } from './member-codec.ts';
import { isGone, type Member, MemberTable, stateOf, type TableOptions } from './member-table.ts';
import type { Answer, MemberRecord, MemberStatus, MemberSummary, Notice, Removal, Rumors, SignedMember, Suspicion } from './messages.ts';
import type { Placement } from './placement.ts';
import { Prober, type ProbeTimes } from './prober.ts';
import type { Random } from './random.ts';
import { Renewal } from './renewal.ts';
import type { Standing } from './replica.ts';
import type { MembersView } from './targets.ts';
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

export interface MembershipOptions extends TableOptions {
  readonly self: SelfDescription;
  /** For how long a member of a class may be dead before it is removed. Absent: for ever. */
  readonly removeAfterMs?: RemoveAfter | undefined;
  /** There is nobody to join: the first member of a cluster. */
  readonly founder: boolean;
  /** An incarnation at which the last run of this very store was seen. A store that remembers it needs no others to recognise it. */
  readonly witnessed?: number;
  /** The dead member whose place this peer is to take. */
  readonly replaces?: PeerId | undefined;
  readonly times: ProbeTimes;
  /** What has come of the question what others remember of this peer. Called once. */
  readonly recognised: (standing: Standing) => void;
  /** Others remember this peer as an owner, and its store does not: it has to copy what it owns. */
  readonly forgot: () => void;
  /** This peer has been removed from the cluster: what it stores is not to be trusted any more. */
  readonly evicted: () => void;
  readonly calls: Calls;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  readonly emit: (event: CoreEvent) => void;
  readonly gossip: (rumors: Rumors) => void;
  readonly notify: (to: PeerId, notice: Notice) => void;
  readonly connect: (peer: PeerId, addresses: readonly string[]) => void;
}

const syncIntervalMs = 1500;
const gossipDelayMs = 20;
/** How long after its start a peer waits for others that remember it. */
const aloneMs = 2000;
/** How long members that know of no owner wait for one to appear, before the first of them begins a cluster; alone it waits longer. */
const foundMs = 700;
const foundAloneMs = 5000;
/** How often a peer looks whether the member is known to be dead whose place it is to take. */
const replaceLookMs = 200;
/** A peer whose ring differs is not asked again and again while the answer is on its way. */
const compareEveryMs = 50;

export class Membership implements MembersView {
  readonly self: PeerId;
  readonly table: MemberTable;
  readonly #options: MembershipOptions;
  readonly #prober: Prober;
  readonly #news = new Set<PeerId>();
  readonly #comparedAt = new Map<PeerId, number>();
  readonly #late: LateRemovals;
  #record: MemberRecord;
  /** Its own record as its store has it from the run before. */
  #remembered: MemberRecord | undefined;
  #hasAppeared = false;
  /** Members that the store remembers, and those that have said what they remember of it. */
  #others = 0;
  readonly #recognisedBy = new Set<PeerId>();
  readonly renewal: Renewal;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.self = options.identity.peerId;
    this.table = new MemberTable(options);
    this.#late = new LateRemovals(this.self, this.table, options.removeAfterMs);
    const { calls, timers, random, times } = options;
    const accuse = (now: Instant, suspicion: Suspicion): void => this.#hearSuspicion(now, suspicion);
    this.#prober = new Prober({ self: this.self, table: this.table, calls, timers, random, times, accuse });
    this.renewal = new Renewal(timers, () => this.#renew());
    this.#record = {
      ...options.self,
      peer: this.self,
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

  get placement(): Placement {
    return this.table.placement;
  }

  get record(): MemberRecord {
    return this.#record;
  }

  /** All members that have not left, this peer among them; undefined when one of them cannot be asked now. */
  everyone(): readonly PeerId[] | undefined {
    const peers: PeerId[] = [];
    for (const member of this.table.all()) {
      const { peer } = member.signed.record;
      const state = stateOf(member);
      if (isGone(member)) continue;
      if (peer !== this.self && (state !== 'alive' || !this.#options.calls.linked(peer))) return undefined;
      peers.push(peer);
    }
    return peers.sort();
  }

  believedAlive(peer: PeerId): boolean {
    const member = this.table.get(peer);
    return member !== undefined && stateOf(member) === 'alive';
  }

  /** Reads the members that an earlier run knew, so that the ring is the one it left (MB2), and begins a new incarnation. */
  start(addresses: readonly string[], done: (now: Instant, error: MeshError | undefined) => void): void {
    this.#options.disk.range(prefixRange('mremoved/', limits.membersMax), (now, entries) => {
      if (entries instanceof MeshError) return done(now, entries);
      for (const [key, value] of entries) this.table.remove({ peer: peerOfRemovalKey(key), joined: Number(toByteString(value)) });
      this.#startTable(addresses, done);
    });
  }

  #startTable(addresses: readonly string[], done: (now: Instant, error: MeshError | undefined) => void): void {
    this.#options.disk.range(prefixRange('mmember/', limits.membersMax), (now, entries) => {
      if (entries instanceof MeshError) return done(now, entries);
      for (const [, bytes] of entries) {
        const signed = readSigned(bytes);
        // The others will tell of a member whose row is damaged.
        if (signed === undefined) continue;
        if (!this.table.accept(signed)) continue;
        if (signed.record.peer === this.self) this.#remembered = signed.record;
        else {
          if (signed.record.status !== 'left' && this.table.get(signed.record.peer)?.removed !== true) this.#others++;
          this.#options.connect(signed.record.peer, signed.record.addresses);
        }
      }
      if (this.#remembered !== undefined) this.#goOn(this.#remembered);
      this.#record = { ...this.#record, addresses };
      const { witnessed = Infinity } = this.#options;
      const isUnknown = this.#others > 0 && (this.#remembered?.incarnation ?? -1) < witnessed;
      const late = (then: Instant): void => this.#appear(then, this.#recognisedBy.size > 0 ? 'known' : 'unknown');
      if (isUnknown) this.#options.timers.at(now.mono + aloneMs, late);
      else this.#appear(now, 'known');
      this.#prober.start(now);
      this.#scheduleSync(now);
      this.#scheduleFounding(now, now.mono);
      done(now, undefined);
      // Links that came up while the storage was read.
      for (const peer of this.#options.calls.links()) this.compareWith(now, peer);
    });
  }

  /** Takes up the part that it had in an earlier run. Who left or was removed joins anew: its store was emptied. */
  #goOn(known: Pick<MemberRecord, 'incarnation' | 'status' | 'joined'> & Partial<MemberRecord>): void {
    const { incarnation, status, joined, counts = [], seat, replaces, weight } = known;
    const next = incarnation + 1;
    if (status === 'left' || joined <= (this.table.removal(this.self)?.joined ?? -1)) {
      this.#record = { ...this.#record, incarnation: next, joined: next };
    } else this.#record = { ...this.#record, incarnation: next, status, joined, counts, seat, replaces };
    // Who replaced somebody has as many tokens as that one.
    if (seat !== undefined && weight !== undefined) this.#record = { ...this.#record, weight };
  }

  /** A cluster needs a first owner: of members that know of none, the one whose id comes first (all of them know that after a few exchanges of tables). */
  #scheduleFounding(now: Instant, since: number): void {
    if (this.#record.status !== 'joining') return;
    this.#options.timers.at(now.mono + foundMs / 4, (then) => {
      const joining = [...this.table.all()].filter((member) => member.signed.record.status === 'joining' && stateOf(member) === 'alive');
      const owners = [...this.table.all()].some((member) => !isGone(member) && member.signed.record.status !== 'joining');
      const isFirst = joining.every(({ signed }) => signed.record.peer >= this.self || signed.record.weight === 0);
      const waitedMs = joining.length > 1 ? foundMs : foundAloneMs;
      if (!owners && isFirst && this.#hasAppeared && then.mono - since > waitedMs) this.become(then, 'up');
      this.#scheduleFounding(then, owners ? then.mono : since);
    });
  }

  /** The next step of this peer's own way. */
  become(now: Instant, status: MemberStatus): void {
    if (this.#record.status !== status) this.#announce(now, { status });
    this.#noticeReplaced(now, this.#record);
  }

  /** Whoever is replaced has no place any more from the moment at which the other one is an owner. */
  #noticeReplaced(now: Instant, { status, replaces }: MemberRecord): void {
    if (status !== 'joining' && replaces !== undefined) this.#hearRemoval(now, replaces);
  }

  /** Joins in the place of a dead member, once it knows of that one. False while it does not. */
  #takesPlace(): boolean {
    const { replaces } = this.#options;
    if (replaces === undefined || this.#record.status !== 'joining' || this.#record.replaces !== undefined) return true;
    const member = this.table.get(replaces);
    if (member === undefined || isGone(member) || stateOf(member) !== 'dead') return false;
    const { joined, weight, seat, peer } = member.signed.record;
    this.#record = { ...this.#record, weight, seat: seat ?? peer, replaces: { peer, joined } };
    return true;
  }

  /** The n of the buckets that this peer has records of: told to all, so that whoever joins knows what to copy. */
  announceCounts(now: Instant, counts: readonly number[]): void {
    if (this.#hasAppeared && counts.some((n) => !this.#record.counts.includes(n))) this.#announce(now, { counts });
  }

  /** Takes a member's place away from it: it is dead and will not come back. Undefined when there is no such member. */
  remove(now: Instant, peer: PeerId): Removal | undefined {
    const member = this.table.get(peer);
    if (member === undefined || isGone(member)) return undefined;
    const removal = { peer, joined: member.signed.record.joined };
    this.#hearRemoval(now, removal);
    return removal;
  }

  #hearRemoval(now: Instant, removal: Removal): void {
    if (removal.peer === this.self) {
      if (removal.joined >= this.#record.joined) this.#options.evicted();
      return;
    }
    this.#accept(now, removal.peer, () => {
      if (!this.table.remove(removal)) return false;
      this.#options.disk.write(
        [{ key: removalKey(removal.peer), value: fromByteString(`${removal.joined}` as ByteString) }],
        (_, error) => {
          if (error instanceof MeshError) this.#options.emit({ type: 'storageError', code: error.code, message: error.message });
        },
      );
      return true;
    });
  }

  /** Takes its place in the mesh, once. What the others say from then on may be what this run has told them. */
  #appear(now: Instant, standing: Standing): void {
    if (this.#hasAppeared) return;
    if (!this.#takesPlace()) {
      this.#options.timers.at(now.mono + replaceLookMs, (then) => this.#appear(then, standing));
      return;
    }
    this.#hasAppeared = true;
    this.#options.recognised(standing);
    this.#announce(now, {});
  }

  /**
   * Another member's first word of this peer, before it hears the new record: when it remembers a later incarnation than the peer's own store, that was set back,
   * or is a copy (VR3). Some may not have heard of the last one, so most are asked. A later sequence is no sign: the last word of a tab that closes is told and often
   * not stored any more.
   */
  #recognise(now: Instant, by: PeerId, summary: readonly MemberSummary[] | undefined): void {
    if (this.#hasAppeared) return;
    const known = summary?.find(({ peer }) => peer === this.self);
    if (known?.removed === true && known.joined >= this.#record.joined && this.#remembered !== undefined) return this.#options.evicted();
    if (known !== undefined && known.incarnation > (this.#remembered?.incarnation ?? -1)) {
      this.#takeBack({ ...known, incarnation: Math.max(this.#record.incarnation - 1, known.incarnation) });
      return this.#appear(now, 'setBack');
    }
    this.#recognisedBy.add(by);
    if (this.#recognisedBy.size * 2 > this.#others) this.#appear(now, 'known');
  }

  /** Stores the new incarnation first: one that only others knew would make the next start take the store for one that was set back. */
  #renew(): void {
    const { incarnation, sequence } = this.#record;
    const next = this.table.sign({ ...this.#record, incarnation: incarnation + 1, sequence: sequence + 1 });
    this.#options.disk.write([{ key: memberKey(this.self), value: encodeSigned(next) }], (then, written) => {
      const isNewest = this.#record.incarnation === incarnation && this.#record.sequence === sequence;
      if (!(written instanceof MeshError) && isNewest) this.#announce(then, { incarnation: incarnation + 1 });
    });
  }

  /** Others remember more of this peer than its store does: it is what they say, without the records that go with it. */
  #takeBack(known: Pick<MemberRecord, 'incarnation' | 'status' | 'joined'> & Partial<MemberRecord>): void {
    this.#goOn({ ...this.#remembered, ...known });
    this.#options.forgot();
  }

  /** Changes this peer's own record and tells the others. */
  #announce(now: Instant, change: Partial<MemberRecord>): void {
    this.#record = { ...this.#record, ...change, sequence: this.#record.sequence + 1 };
    this.#accept(now, this.#record.peer, () => this.table.accept(this.table.sign(this.#record)));
  }

  announceAddresses(now: Instant, addresses: readonly string[]): void {
    if (addresses.join() === this.#record.addresses.join()) return;
    if (this.#hasAppeared) this.#announce(now, { addresses });
    else this.#record = { ...this.#record, addresses };
  }

  /** This peer stops for now: the others need not find out by waiting (MB3). Told directly, for gossip may be too slow. */
  announcePause(now: Instant): void {
    if (!this.#hasAppeared) return;
    this.#announce(now, { paused: true });
    for (const peer of this.#options.calls.links()) this.#tell(peer, [this.self]);
  }

  /** This peer goes on after a pause. A higher incarnation takes back what was said of it meanwhile. */
  announceReturn(now: Instant): void {
    if (!this.#record.paused) return;
    this.#announce(now, { paused: false, incarnation: this.#record.incarnation + 1 });
    for (const peer of this.#options.calls.links()) this.#tell(peer, [this.self]);
  }

  /** Runs a change of the table and does what it asks for: persist, connect, spread, report. */
  #accept(now: Instant, peer: PeerId, change: () => boolean): boolean {
    const before = this.table.get(peer);
    const ringBefore = this.placement.digest;
    if (!change()) return false;
    const member = this.table.get(peer);
    if (member === undefined) return false;
    this.#spread(now, peer);
    if (before?.signed !== member.signed) this.#learned(member);
    const state = stateOf(member);
    if (before === undefined || stateOf(before) !== state) {
      this.#options.emit({ type: 'member', peer, state, incarnation: member.signed.record.incarnation });
    }
    const { ring } = this.placement;
    if (this.placement.digest !== ringBefore) this.#options.emit({ type: 'ring', digest: ring.digest, members: ring.members.length });
    return true;
  }

  #learned({ signed, removed }: Member): void {
    const { disk, emit, connect } = this.#options;
    disk.write([{ key: memberKey(signed.record.peer), value: encodeSigned(signed) }], (_, error) => {
      if (error instanceof MeshError) emit({ type: 'storageError', code: error.code, message: error.message });
    });
    if (signed.record.peer !== this.self && signed.record.status !== 'left' && !removed)
      connect(signed.record.peer, signed.record.addresses);
  }

  hear(now: Instant, rumors: Rumors): void {
    for (const removal of rumors.removals) this.#hearRemoval(now, removal);
    for (const signed of rumors.members) {
      if (signed.record.peer === this.self) this.#hearOfSelf(now, signed);
      else if (this.#accept(now, signed.record.peer, () => this.table.accept(signed))) this.#noticeReplaced(now, signed.record);
    }
    for (const suspicion of rumors.suspicions) this.#hearSuspicion(now, suspicion);
  }

  #hearSuspicion(now: Instant, suspicion: Suspicion): void {
    if (suspicion.peer === this.self) {
      this.#refute(now, suspicion.incarnation);
      return;
    }
    if (!this.#accept(now, suspicion.peer, () => this.table.suspect(suspicion))) return;
    if (!suspicion.dead) this.#prober.countDown(now, suspicion);
    // The accused hears it at first hand, to refute it soon.
    this.#tell(suspicion.peer, [suspicion.peer]);
  }

  /** Others know a newer record of this peer than it does itself: of an earlier run, or of another process with its key. */
  #hearOfSelf(now: Instant, { record, bytes, signature }: SignedMember): void {
    const own = this.#record;
    const isNewer = record.incarnation > own.incarnation || (record.incarnation === own.incarnation && record.sequence > own.sequence);
    if (!isNewer || !this.#options.identity.verify(this.self, bytes, signature)) return;
    // A store that was wiped began as a stranger.
    if (this.#remembered !== undefined) return this.#refute(now, record.incarnation);
    this.#remembered = record;
    this.#takeBack(record);
    if (this.#hasAppeared) this.#announce(now, {});
  }

  /** Speaks up with a higher incarnation than the one that is talked about. */
  #refute(now: Instant, incarnation: number): void {
    if (incarnation < this.#record.incarnation || incarnation >= limits.incarnationMax) return;
    if (!this.#hasAppeared) {
      this.#record = { ...this.#record, incarnation: incarnation + 1 };
      return;
    }
    this.#announce(now, { incarnation: incarnation + 1 });
  }

  #spread(now: Instant, peer: PeerId): void {
    if (this.#news.size === 0) {
      this.#options.timers.at(now.mono + gossipDelayMs, () => {
        const rumors = this.#rumorsOf([...this.#news]);
        this.#news.clear();
        this.#options.gossip(rumors);
      });
    }
    this.#news.add(peer);
  }

  #rumorsOf(peers: readonly PeerId[]): Rumors {
    const known = peers.map((peer) => this.table.get(peer)).filter((member) => member !== undefined);
    const suspicions = known
      .filter((member) => member.health !== 'alive')
      .map(({ signed, health }) => ({ peer: signed.record.peer, incarnation: signed.record.incarnation, dead: health === 'dead' }));
    const removals = peers.map((peer) => this.table.removal(peer)).filter((removal) => removal !== undefined);
    return { members: known.map((member) => member.signed), suspicions, removals };
  }

  #tell(to: PeerId, about: readonly PeerId[], wanted: readonly PeerId[] = []): void {
    if (this.#options.calls.linked(to) && to !== this.self)
      this.#options.notify(to, { type: 'rumors', rumors: this.#rumorsOf(about), wanted });
  }

  #scheduleSync(now: Instant): void {
    const { timers, random, calls } = this.#options;
    timers.at(now.mono + syncIntervalMs / 2 + random.below(syncIntervalMs), (then) => {
      const links = [...calls.links()];
      const peer = links[random.below(Math.max(1, links.length))];
      if (peer !== undefined) this.compareWith(then, peer);
      for (const gone of this.#late.due(then)) this.remove(then, gone);
      this.#scheduleSync(then);
    });
  }

  compareWith(now: Instant, peer: PeerId): void {
    if (now.mono - (this.#comparedAt.get(peer) ?? -Infinity) < compareEveryMs) return;
    this.#comparedAt.set(peer, now.mono);
    const { calls } = this.#options;
    calls.ask(now, peer, { type: 'sync', view: this.table.view }, { timeoutMs: 2000, ring: '' }, (then, result) =>
      this.#compared(then, peer, result),
    );
  }

  /** Whether another member knows this peer's newest record, and believes it; tells it when it does not. */
  confirm(now: Instant, peer: PeerId, timeoutMs: number, done: (now: Instant, knows: boolean) => void): void {
    const { calls } = this.#options;
    calls.ask(now, peer, { type: 'sync', view: this.table.view }, { timeoutMs, ring: '' }, (then, result) => {
      if (typeof result === 'string' || result.type !== 'synced') return done(then, false);
      const known = result.summary?.find((entry) => entry.peer === this.self);
      const { incarnation, sequence } = this.#record;
      const isNew = known?.incarnation === incarnation && known.sequence === sequence && known.health !== 'dead' && !known.removed;
      if (result.summary === undefined || isNew) return done(then, true);
      this.#compared(then, peer, result);
      done(then, false);
    });
  }

  #compared(now: Instant, peer: PeerId, result: Answer | CallFailure): void {
    if (typeof result === 'string' || result.type !== 'synced') return;
    this.#recognise(now, peer, result.summary);
    if (result.summary === undefined) return;
    const { ours, theirs } = this.table.difference(result.summary);
    if (ours.length > 0 || theirs.length > 0) this.#tell(peer, ours, theirs);
  }

  /** Answers a push-pull: nothing when both know the same, else what is known here. */
  compared(view: string): Answer {
    return { type: 'synced', summary: view === this.table.view ? undefined : this.table.summary() };
  }

  noticed(now: Instant, from: PeerId, notice: Notice): void {
    this.hear(now, notice.rumors);
    if (notice.wanted.length > 0) this.#tell(from, notice.wanted);
  }

  linkUp(now: Instant, peer: PeerId): void {
    this.#comparedAt.delete(peer);
    this.compareWith(now, peer);
  }

  /** A broken link is reason enough to look at once. */
  linkDown(now: Instant, peer: PeerId): void {
    if (this.believedAlive(peer)) this.#prober.probe(now, peer);
  }

  /** Serves another peer's indirect probe. */
  probeFor(now: Instant, target: PeerId, done: (now: Instant, alive: boolean) => void): void {
    const { calls, times } = this.#options;
    calls.ask(now, target, { type: 'probe' }, { timeoutMs: times.probeTimeoutMs, ring: '' }, (then, result) =>
      done(then, typeof result === 'object'),
    );
  }
}
