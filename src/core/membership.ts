/**
 * Membership: who is in the mesh and how this peer learns and tells it.
 *
 * News go out at once as gossip; whoever missed them learns them by push-pull, a periodic comparison of tables over direct streams, so that losing all
 * gossip only delays (MB4; Demers et al., "Epidemic Algorithms", 1987). Requests carry the ring's digest, and a difference brings a comparison at once (MB5).
 */

import { fromByteString, toByteString } from './bytes.ts';
import type { Calls } from './calls.ts';
import { MeshError } from './errors.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import { LateRemovals, type RemoveAfter } from './late-removals.ts';
import { memberKey, peerOfRemovalKey, prefixRange, removalKey } from './layout.ts';
import { limits } from './limits.ts';
import { encodeSigned, readSigned } from './member-codec.ts';
import { isGone, type Member, MemberTable, stateOf, summaryOf, type TableOptions } from './member-table.ts';
import type { Answer, MemberRecord, MemberStatus, Notice, Removal, Rumors, SignedMember, Suspicion, Synced } from './messages.ts';
import { OwnRecord, type OwnRecordOptions } from './own-record.ts';
import type { Placement } from './placement.ts';
import { Prober, type ProbeTimes } from './prober.ts';
import type { Renewal } from './renewal.ts';
import { Storm } from './storm.ts';
import type { MembersView } from './targets.ts';

export interface MembershipOptions extends TableOptions, OwnRecordOptions {
  /** For how long a member of a class may be dead before it is removed. Absent: for ever. */
  readonly removeAfterMs?: RemoveAfter | undefined;
  readonly times: ProbeTimes;
  readonly calls: Calls;
  readonly gossip: (rumors: Rumors) => void;
  readonly notify: (to: PeerId, notice: Notice) => void;
  readonly connect: (peer: PeerId, addresses: readonly string[]) => void;
}

const syncIntervalMs = 1500;
const gossipDelayMs = 20;
/** What others may be about to gossip, too, waits for up to so much longer: mostly one of them is enough. The more these are, the sooner one of them begins. */
const hesitationMs = 200;
const hesitationMaxMs = 2000;
/** How many of those that hear a suspicion as gossip tell the accused. */
const tellers = 3;
/** More news than this from one peer are not gossiped again: comparisons bring them to whoever lacks them. */
const gossipedAtOnceMax = 16;
/** A peer whose ring differs is not asked again and again while the answer is on its way. */
const compareEveryMs = 50;
const comparesAtOnce = 8;
const syncTimeoutMs = 2000;
/** Of a table that is not larger all is told at once. */
const tellsAllMax = 64;

/** Where news is known besides: nowhere yet, at some other peers, at most of them, for they notice it at the same moment, or everywhere, for it came as gossip. */
type Reach = 'here' | 'elsewhere' | 'around' | 'everywhere';

export class Membership implements MembersView {
  readonly self: PeerId;
  readonly table: MemberTable;
  readonly #options: MembershipOptions;
  readonly #prober: Prober;
  /** Of whom there is something to gossip, and when. */
  readonly #news = new Set<PeerId>();
  #gossipAt = Infinity;
  readonly #comparedAt = new Map<PeerId, number>();
  /** Links to these came up, and the tables were not compared since. */
  readonly #met = new Set<PeerId>();
  #comparing = 0;
  readonly #storm: Storm;
  readonly #late: LateRemovals;
  readonly #own: OwnRecord;
  /** Of the placement that was told last. */
  #toldDigest = '';

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.self = options.identity.peerId;
    this.table = new MemberTable(options);
    this.#late = new LateRemovals(this.self, this.table, options.removeAfterMs);
    const { calls, timers, random, times } = options;
    this.#storm = new Storm({ timers, random, compare: (now) => this.#compareWithAny(now) });
    const accuse = (now: Instant, suspicion: Suspicion, byMany: boolean): void =>
      this.#hearSuspicion(now, suspicion, byMany ? 'around' : 'here');
    this.#prober = new Prober({ self: this.self, table: this.table, calls, timers, random, times, accuse });
    this.#own = new OwnRecord(
      options,
      this.table,
      (now, signed) => void this.#accept(now, this.self, 'here', () => this.table.accept(signed)),
    );
  }

  get placement(): Placement {
    return this.table.placement;
  }

  get record(): MemberRecord {
    return this.#own.now;
  }

  get renewal(): Renewal {
    return this.#own.renewal;
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
      let remembered: MemberRecord | undefined;
      let others = 0;
      for (const [, bytes] of entries) {
        const signed = readSigned(bytes);
        // The others will tell of a member whose row is damaged.
        if (signed === undefined) continue;
        if (!this.table.accept(signed)) continue;
        if (signed.record.peer === this.self) remembered = signed.record;
        else {
          if (signed.record.status !== 'left' && this.table.get(signed.record.peer)?.removed !== true) others++;
          this.#options.connect(signed.record.peer, signed.record.addresses);
        }
      }
      this.#toldDigest = this.placement.digest;
      this.#own.start(now, remembered, others, addresses);
      this.#prober.start(now);
      this.#scheduleSync(now);
      done(now, undefined);
      // Links that came up while the storage was read.
      for (const peer of this.#options.calls.links()) this.#met.add(peer);
      this.#compareMet(now);
    });
  }

  /** The next step of this peer's own way. */
  become(now: Instant, status: MemberStatus): void {
    this.#own.become(now, status);
    this.#noticeReplaced(now, this.record);
  }

  /** Whoever is replaced has no place any more from the moment at which the other one is an owner. */
  #noticeReplaced(now: Instant, { status, replaces }: MemberRecord): void {
    if (status !== 'joining' && replaces !== undefined) this.#hearRemoval(now, replaces, 'elsewhere');
  }

  /** The n of the buckets that this peer has records of: told to all, so that whoever joins knows what to copy. */
  announceCounts(now: Instant, counts: readonly number[]): void {
    this.#own.announceCounts(now, counts);
  }

  /** Takes a member's place away from it: it is dead and will not come back. Answers why not, when it may not be done. */
  remove(now: Instant, peer: PeerId): MeshError | undefined {
    const member = this.table.get(peer);
    if (member === undefined || isGone(member)) return new MeshError('OPTION_INVALID', `there is no member ${peer} that could be removed`);
    const state = stateOf(member);
    if (state !== 'dead') {
      return new MeshError('OPTION_INVALID', `${peer} is ${state}: let it leave, or stop it, and remove it when it is seen dead`);
    }
    this.#hearRemoval(now, { peer, joined: member.signed.record.joined }, 'here');
    return undefined;
  }

  #hearRemoval(now: Instant, removal: Removal, reach: Reach): void {
    if (removal.peer === this.self) {
      if (removal.joined >= this.record.joined) this.#options.evicted(removal.joined);
      return;
    }
    this.#accept(now, removal.peer, reach, () => {
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

  announceAddresses(now: Instant, addresses: readonly string[]): void {
    this.#own.announceAddresses(now, addresses);
  }

  /** This peer stops for now: the others need not find out by waiting (MB3). Told directly, for gossip may be too slow. */
  announcePause(now: Instant): void {
    if (!this.#own.hasAppeared) return;
    this.#own.announce(now, { paused: true });
    for (const peer of this.#options.calls.links()) this.#tell(peer, [this.self]);
  }

  /** This peer goes on after a pause. A higher incarnation takes back what was said of it meanwhile. */
  announceReturn(now: Instant): void {
    if (!this.record.paused) return;
    this.#own.announce(now, { paused: false, incarnation: this.record.incarnation + 1 });
    for (const peer of this.#options.calls.links()) this.#tell(peer, [this.self]);
  }

  /** Runs a change of the table and does what it asks for: persist, connect, spread, report. */
  #accept(now: Instant, peer: PeerId, reach: Reach, change: () => boolean): boolean {
    const before = this.table.get(peer);
    if (!change()) return false;
    const member = this.table.get(peer);
    if (member === undefined) return false;
    this.#storm.changed(now, this.table.size);
    if (reach !== 'everywhere') this.#spread(now, peer, this.#hesitationMs(reach));
    if (before?.signed !== member.signed) this.#learned(member);
    const state = stateOf(member);
    if (before === undefined || stateOf(before) !== state) {
      this.#options.emit({ type: 'member', peer, state, incarnation: member.signed.record.incarnation });
    }
    return true;
  }

  /** Looks once a turn, however many records came: a ring takes long to make. */
  ringMayHaveChanged(): void {
    const { ring, digest } = this.placement;
    if (digest === this.#toldDigest) return;
    this.#toldDigest = digest;
    this.#options.emit({ type: 'ring', digest: ring.digest, members: ring.members.length });
  }

  #learned({ signed, removed }: Member): void {
    const { disk, emit, connect } = this.#options;
    disk.write([{ key: memberKey(signed.record.peer), value: encodeSigned(signed) }], (_, error) => {
      if (error instanceof MeshError) emit({ type: 'storageError', code: error.code, message: error.message });
    });
    if (signed.record.peer !== this.self && signed.record.status !== 'left' && !removed)
      connect(signed.record.peer, signed.record.addresses);
  }

  /** What comes as gossip all others hear, too: it is told to nobody any more. */
  gossiped(now: Instant, rumors: Rumors): void {
    this.#hear(now, rumors, 'everywhere');
    for (const signed of rumors.members) if (this.#saysAll(rumors, signed)) this.#news.delete(signed.record.peer);
  }

  #saysAll({ suspicions, removals }: Rumors, { record: { peer, incarnation, sequence } }: SignedMember): boolean {
    const known = this.table.get(peer);
    if (known === undefined) return false;
    const { signed, health, removed } = known;
    const isNewest = signed.record.incarnation === incarnation && signed.record.sequence === sequence;
    const isSuspected = suspicions.some((suspicion) => suspicion.peer === peer && suspicion.dead === (health === 'dead'));
    return isNewest && (health === 'alive' || isSuspected) && (!removed || removals.some((removal) => removal.peer === peer));
  }

  #hear(now: Instant, rumors: Rumors, reach: Reach): void {
    for (const removal of rumors.removals) this.#hearRemoval(now, removal, reach);
    for (const signed of rumors.members) {
      if (signed.record.peer === this.self) this.#own.hear(now, signed);
      else if (this.#accept(now, signed.record.peer, reach, () => this.table.accept(signed))) this.#noticeReplaced(now, signed.record);
    }
    for (const suspicion of rumors.suspicions) this.#hearSuspicion(now, suspicion, reach);
  }

  #hearSuspicion(now: Instant, suspicion: Suspicion, reach: Reach): void {
    if (suspicion.peer === this.self) {
      this.#own.refute(now, suspicion.incarnation);
      return;
    }
    if (!this.#accept(now, suspicion.peer, reach, () => this.table.suspect(suspicion))) return;
    if (!suspicion.dead) this.#prober.countDown(now, suspicion);
    // The accused hears it at first hand, to refute it soon.
    if (reach !== 'everywhere' || this.#options.random.below(this.table.size) < tellers) this.#tell(suspicion.peer, [suspicion.peer]);
  }

  #hesitationMs(reach: Reach): number {
    if (reach === 'here') return 0;
    const most = reach === 'around' ? hesitationMs * Math.max(1, this.table.size / tellsAllMax) : hesitationMs;
    return this.#options.random.below(Math.min(hesitationMaxMs, Math.floor(most)));
  }

  #spread(now: Instant, peer: PeerId, hesitateMs: number): void {
    this.#news.add(peer);
    const at = now.mono + gossipDelayMs + hesitateMs;
    if (this.#gossipAt <= at) return;
    this.#gossipAt = at;
    this.#options.timers.at(at, (then) => {
      if (this.#gossipAt !== at) return;
      this.#gossipAt = Infinity;
      if (this.#news.size === 0) return;
      const rumors = this.#rumorsOf([...this.#news]);
      this.#news.clear();
      if (!this.#storm.lastsAt(then)) this.#options.gossip(rumors);
    });
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
    const { timers, random } = this.#options;
    timers.at(now.mono + syncIntervalMs / 2 + random.below(syncIntervalMs), (then) => {
      this.#compareWithAny(then);
      for (const gone of this.#late.due(then)) this.remove(then, gone);
      this.#scheduleSync(then);
    });
  }

  #compareWithAny(now: Instant): void {
    const { random, calls } = this.#options;
    const links = [...calls.links()];
    const peer = links[random.below(Math.max(1, links.length))];
    if (peer !== undefined) this.compareWith(now, peer);
  }

  compareWith(now: Instant, peer: PeerId): void {
    if (now.mono - (this.#comparedAt.get(peer) ?? -Infinity) < compareEveryMs) return;
    this.#comparedAt.set(peer, now.mono);
    this.#sync(now, peer, [], syncTimeoutMs, (then, answer) => this.#compared(then, peer, answer));
  }

  /** Compares with those to whom a link came up, a few at a time: what one of them tells the others need not. */
  #compareMet(now: Instant): void {
    const { calls, timers } = this.#options;
    // Only a peer that has just started must ask most of them, namely what they remember of it.
    if (this.#own.hasAppeared && this.#storm.lastsAt(now)) this.#met.clear();
    for (const peer of this.#met) {
      if (this.#comparing >= comparesAtOnce) return;
      this.#met.delete(peer);
      if (!calls.linked(peer)) continue;
      this.#comparing++;
      this.#comparedAt.set(peer, now.mono);
      const next = (then: Instant): void => {
        this.#comparing--;
        this.#compareMet(then);
      };
      this.#sync(now, peer, [], syncTimeoutMs, (then, answer) => {
        this.#compared(then, peer, answer);
        if (answer?.summary === undefined) next(then);
        else timers.at(then.mono + compareEveryMs, next);
      });
    }
  }

  /** No answer where none came in time. */
  #sync(
    now: Instant,
    peer: PeerId,
    parts: readonly number[],
    timeoutMs: number,
    done: (now: Instant, answer: Synced | undefined) => void,
  ): void {
    this.#options.calls.ask(now, peer, { type: 'sync', view: this.table.view, parts }, { timeoutMs, ring: '' }, (then, result) => {
      done(then, typeof result === 'object' && result.type === 'synced' ? result : undefined);
    });
  }

  /** Whether another member knows this peer's newest record, and believes it; tells it when it does not. */
  confirm(now: Instant, peer: PeerId, timeoutMs: number, confirmed: () => void): void {
    this.#sync(now, peer, [], timeoutMs, (then, answer) => {
      if (answer === undefined) return;
      const known = answer.summary?.find((entry) => entry.peer === this.self);
      const { incarnation, sequence } = this.record;
      const isNew = known?.incarnation === incarnation && known.sequence === sequence && known.health !== 'dead' && !known.removed;
      if (answer.summary === undefined || isNew) confirmed();
      else this.#compared(then, peer, answer);
    });
  }

  /** `parts`: the answer tells of these only. */
  #compared(now: Instant, peer: PeerId, answer: Synced | undefined, parts?: readonly number[]): void {
    if (answer === undefined) return;
    const { summary, parts: digests } = answer;
    if (parts === undefined) this.#own.recognise(now, peer, summary);
    if (summary === undefined) return;
    if (digests.length > 0) {
      const differing = this.table.differingParts(digests);
      if (differing.length === 0) return;
      this.#sync(now, peer, differing, syncTimeoutMs, (then, told) => this.#compared(then, peer, told, differing));
      return;
    }
    const { ours, theirs } = this.table.difference(summary, parts);
    if (ours.length > 0 || theirs.length > 0) this.#tell(peer, ours, theirs);
  }

  /** Answers a push-pull: nothing when both know the same; of a large table where it differs may be asked then, and what it has of the one that asks is told at once. */
  compared(from: PeerId, view: string, parts: readonly number[]): Answer {
    const { table } = this;
    if (view === table.view) return { type: 'synced', summary: undefined, parts: [] };
    if (parts.length > 0) return { type: 'synced', summary: table.summary(parts), parts: [] };
    if (table.size <= tellsAllMax) return { type: 'synced', summary: table.summary(), parts: [] };
    const own = table.get(from);
    return { type: 'synced', summary: own === undefined ? [] : [summaryOf(own)], parts: table.parts };
  }

  noticed(now: Instant, from: PeerId, notice: Notice): void {
    // Whoever hears of so many at once comes late to a mesh that knows them.
    this.#hear(now, notice.rumors, notice.rumors.members.length > gossipedAtOnceMax ? 'everywhere' : 'elsewhere');
    if (notice.wanted.length > 0) this.#tell(from, notice.wanted);
  }

  linkUp(now: Instant, peer: PeerId): void {
    this.#met.add(peer);
    this.#compareMet(now);
  }

  linkDown(now: Instant, peer: PeerId): void {
    this.#prober.lost(now, peer);
  }

  /** Serves another peer's indirect probe. */
  probeFor(now: Instant, target: PeerId, done: (now: Instant, alive: boolean) => void): void {
    const { calls, times } = this.#options;
    calls.ask(now, target, { type: 'probe' }, { timeoutMs: times.probeTimeoutMs, ring: '' }, (then, result) =>
      done(then, typeof result === 'object'),
    );
  }
}
