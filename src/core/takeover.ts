/**
 * Taking over: before a peer owns a partition it copies the records of those that own it, and compares until nothing is missing (TR1).
 *
 * What a peer gains because members join or leave it copies in advance, while the others still own it. What falls to it at once, for an owner was removed or
 * its own store forgot, it owns, but refuses strict reads of until it has compared with all others that do: their copies still make the quorums that they made
 * before. A joining peer that has copied all owns it, and counts once those that it copied from know, so that no two quorums of different rings miss each other.
 *
 * Copying is anti-entropy, partition by partition: a run that breaks off goes on where the trees still differ, and nothing of it needs to be stored (TR2).
 */

import type { AntiEntropy } from './anti-entropy.ts';
import type { Disk, StorageChange } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addCounts, type ExchangeCounts } from './exchange.ts';
import type { Instant, PeerId } from './ids.ts';
import { metaKey } from './layout.ts';
import type { Membership } from './membership.ts';
import { stateOf } from './member-table.ts';
import { decodeOwners, encodeOwners } from './member-codec.ts';
import type { TakeoverProgress } from './messages.ts';
import { type Placement, placeKey } from './placement.ts';
import { secondsLeft, type TransferProgress } from './transfer.ts';

const retryMs = 300;
const confirmMs = 50;
const callTimeoutMs = 2000;
const progressMs = 500;
/** A run that breaks off begins anew, and its places count once it has ended. */
const placesAtOnce = 256;

interface Place {
  readonly partition: number;
  readonly n: number;
  /** Owners that it has been compared with. */
  readonly compared: Set<PeerId>;
}

export class Takeover {
  readonly #env: Environment;
  readonly #members: Membership;
  readonly #disk: Disk;
  readonly #antiEntropy: AntiEntropy;
  /** What this peer gains or owns and has not compared with everyone yet. */
  readonly #open = new Map<number, Place>();
  /** What it gains and has copied. */
  readonly #copied = new Set<number>();
  /** The placement by which it owns all but the open places; undefined: it owns nothing. */
  #base: Placement | undefined;
  /** Nothing was known here of what it owns: it may lack records of any n. */
  #isBlank = true;
  #seen = '';
  /** The n in use as the member table and the own store had them at the last look; each is another array once it changes. */
  #seenCounts: readonly (readonly number[])[] = [];
  #counts: readonly number[] = [];
  /** The n that those whom it copied from have told. */
  #othersCounts: readonly number[] = [];
  #announced: readonly number[] = [];
  #incarnation = 0;
  #storedFor = '';
  #running = false;
  #started = false;
  /** It owns its places, but those that it copied from need not know yet. */
  #unconfirmed: Set<PeerId> | undefined;
  /** All that it copied from since it began to join. */
  readonly #sources = new Set<PeerId>();
  #total = 0;
  #moved: ExchangeCounts = { different: 0, received: 0, sent: 0, bytes: 0 };
  #underWay: ExchangeCounts = this.#moved;
  #waitsFor = '';
  #beganAt = 0;
  #secondsLeft: number | undefined;
  #toldAt = -Infinity;

  constructor(env: Environment, members: Membership, disk: Disk, antiEntropy: AntiEntropy) {
    this.#env = env;
    this.#members = members;
    this.#disk = disk;
    this.#antiEntropy = antiEntropy;
  }

  /** Reads what an earlier run owned. */
  start(done: (now: Instant, error: MeshError | undefined) => void): void {
    this.#disk.read([metaKey('owned')], (now, rows) => {
      if (rows instanceof MeshError) return done(now, rows);
      const owners = rows[0] === undefined ? undefined : decodeOwners(rows[0]);
      this.#isBlank = owners === undefined;
      if (owners !== undefined) this.#base = this.#members.placement.of(owners);
      this.#started = true;
      done(now, undefined);
    });
  }

  /** This peer owns its places by the ring that there is now, and need not compare them. */
  settle(): void {
    const { placement } = this.#members;
    this.#base = placement;
    this.#isBlank = false;
    this.#open.clear();
    this.#copied.clear();
    this.#seen = placement.digest;
    this.#store(placement);
  }

  /**
   * A damaged record is replaced by that of another owner, which may lack what this one and a third have acknowledged: the place counts again once it was
   * compared with all. What goes to the disk with the record makes the next start compare everything, should this run end before.
   */
  doubt(now: Instant, partition: number, n: number): readonly StorageChange[] {
    if (!this.#members.placement.primaries(partition, n).includes(this.#members.self)) return [];
    const wasIdle = this.#open.size === 0;
    this.#storedFor = '';
    this.#open.set(placeKey(partition, n), { partition, n, compared: new Set() });
    this.#begun(now, wasIdle);
    this.#env.timers.soon((then) => this.#next(then));
    return [{ key: metaKey('owned'), value: undefined }];
  }

  /** The store may lack anything. */
  forgot(): void {
    this.#base = undefined;
    this.#isBlank = true;
    this.#storedFor = '';
    this.#copied.clear();
    this.#seen = '';
  }

  /** Whether this peer's copy of a place counts in strict requests. `n` 0: of all n. */
  owns(partition: number, n: number): boolean {
    if (this.#unconfirmed !== undefined) return false;
    return !this.#open.has(placeKey(partition, n));
  }

  get isUnconfirmed(): boolean {
    return this.#unconfirmed !== undefined;
  }

  get #progress(): TransferProgress {
    const { received, bytes } = addCounts(this.#moved, this.#underWay);
    const partitionsDone = this.#total - this.#open.size;
    return { partitions: this.#total, partitionsDone, keys: received, bytes, waitsFor: this.#waitsFor };
  }

  /** Undefined when there is nothing to copy. */
  get transfer(): (TransferProgress & { readonly secondsLeft: number | undefined }) | undefined {
    return this.#open.size === 0 ? undefined : { ...this.#progress, secondsLeft: this.#secondsLeft };
  }

  progress(placement: string): TakeoverProgress {
    const agrees = this.#members.placement.digest === placement;
    return { agrees, ready: agrees && this.#seen === placement && this.#open.size === 0, ...this.#progress };
  }

  /** Called after every turn: looks whether there is more to own than before. */
  look(now: Instant): void {
    const { placement, record, table } = this.#members;
    if (!this.#started) return;
    const { replicaCounts } = this.#env.replica.records.trees;
    if (replicaCounts !== this.#announced) {
      this.#announced = replicaCounts;
      this.#members.announceCounts(now, replicaCounts);
    }
    if (record.incarnation !== this.#incarnation) this.#begunAnew(record.incarnation);
    const [ofTable, ofOthers, own] = this.#seenCounts;
    const isSame = ofTable === table.counts && ofOthers === this.#othersCounts && own === replicaCounts;
    if (isSame && placement.digest === this.#seen) return;
    this.#seenCounts = [table.counts, this.#othersCounts, replicaCounts];
    this.#evaluate(now, placement);
  }

  /** A joining member that was thought dead may have missed writes: it compares everything again. */
  #begunAnew(incarnation: number): void {
    this.#incarnation = incarnation;
    if (this.#members.record.status !== 'joining' && this.#unconfirmed === undefined) return;
    this.#copied.clear();
    this.#open.clear();
    this.#seen = '';
    if (this.#unconfirmed !== undefined) this.#base = undefined;
  }

  #evaluate(now: Instant, placement: Placement): void {
    const { self } = this.#members;
    const counts = [...new Set(this.#seenCounts.flat())];
    const fresh = counts.filter((n) => !this.#counts.includes(n));
    this.#counts = counts;
    this.#seen = placement.digest;
    const wasIdle = this.#open.size === 0;
    for (const n of counts) {
      // Of an n that nobody used until now there is nothing that this peer could lack.
      const base = fresh.includes(n) ? (this.#isBlank ? undefined : placement) : this.#base;
      for (let partition = 0; partition < placement.ring.partitions; partition++) {
        const key = placeKey(partition, n);
        const owned = placement.primaries(partition, n).includes(self);
        const gained = !owned && placement.gaining(partition, n).includes(self);
        if (!owned && !gained) {
          this.#open.delete(key);
          this.#copied.delete(key);
          continue;
        }
        if (this.#copied.has(key) || this.#open.has(key)) continue;
        const isOld = owned && (base?.primaries(partition, n).includes(self) ?? false);
        if (!isOld) this.#open.set(key, { partition, n, compared: new Set() });
      }
    }
    this.#base = placement;
    this.#begun(now, wasIdle);
    this.#next(now);
  }

  /** There are more places to copy than before; `wasIdle`: there were none. */
  #begun(now: Instant, wasIdle: boolean): void {
    if (!wasIdle) {
      this.#total = Math.max(this.#total, this.#open.size);
      return;
    }
    this.#total = this.#open.size;
    this.#moved = { different: 0, received: 0, sent: 0, bytes: 0 };
    this.#beganAt = now.mono;
  }

  /** The owners that a place must be compared with before it counts. */
  #required({ partition, n, compared }: Place): { missing: PeerId[]; blocked: PeerId | undefined } {
    const { placement, self } = this.#members;
    const primaries = placement.primaries(partition, n);
    const missing = primaries.filter((peer) => peer !== self && !compared.has(peer));
    if (primaries.includes(self)) return { missing, blocked: missing.find((peer) => !this.#reachable(peer)) };
    const losing = missing.length === 0 ? [] : placement.losing(partition, n, self);
    // A tab that was closed without a word must not hold up whoever comes: what it has acknowledged together with others these have too.
    const needed = missing.filter((peer) => this.#reachable(peer) || (losing.includes(peer) && placement.member(peer)?.class === 'server'));
    return { missing: needed, blocked: needed.find((peer) => !this.#reachable(peer)) };
  }

  #reachable(peer: PeerId): boolean {
    const member = this.#members.table.get(peer);
    return member !== undefined && (stateOf(member) === 'alive' || stateOf(member) === 'suspect');
  }

  /** Compares with the owner with whom there is most to compare. */
  #next(now: Instant): void {
    if (this.#running) return;
    const work = new Map<PeerId, Map<number, Place[]>>();
    this.#waitsFor = '';
    for (const [key, place] of this.#open) {
      const { missing, blocked } = this.#required(place);
      if (missing.length === 0) {
        this.#open.delete(key);
        this.#copied.add(key);
        continue;
      }
      this.#waitsFor ||= blocked ?? '';
      for (const peer of missing) {
        if (!this.#env.calls.linked(peer) || !this.#members.believedAlive(peer)) continue;
        let byCount = work.get(peer);
        if (byCount === undefined) work.set(peer, (byCount = new Map<number, Place[]>()));
        const places = byCount.get(place.n);
        if (places === undefined) byCount.set(place.n, [place]);
        else places.push(place);
      }
    }
    this.#secondsLeft = secondsLeft(this.#progress, now.mono - this.#beganAt);
    this.#tell(now);
    if (this.#open.size === 0) return this.#allOwned(now);
    const best = [...work].flatMap(([peer, byCount]) => [...byCount].map(([n, places]) => ({ peer, n, places })));
    const first = best.sort((a, b) => b.places.length - a.places.length)[0];
    this.#running = true;
    if (first === undefined) {
      this.#env.timers.at(now.mono + retryMs, (then) => this.#again(then));
      return;
    }
    this.#compare(now, first.peer, first.n, first.places.slice(0, placesAtOnce));
  }

  #again(now: Instant): void {
    this.#running = false;
    this.#next(now);
  }

  /** From when on an owner agrees that this peer gains what it owns, it takes no strict write that does not come here as well: only then it can be compared. */
  #compare(now: Instant, peer: PeerId, n: number, places: readonly Place[]): void {
    const { calls, timers } = this.#env;
    const { digest } = this.#members.placement;
    const incarnation = this.#incarnation;
    calls.ask(now, peer, { type: 'takeover', placement: digest }, { timeoutMs: callTimeoutMs, ring: digest }, (then, answer) => {
      const agrees = typeof answer === 'object' && answer.type === 'takenOver' && answer.progress.agrees;
      if (!agrees || incarnation !== this.#incarnation) {
        this.#members.compareWith(then, peer);
        return timers.at(then.mono + confirmMs, (later) => this.#again(later));
      }
      const fresh = answer.counts.filter((count) => !this.#othersCounts.includes(count));
      if (fresh.length > 0) this.#othersCounts = [...this.#othersCounts, ...fresh];
      this.#exchange(then, peer, n, places);
    });
  }

  #exchange(now: Instant, peer: PeerId, n: number, places: readonly Place[]): void {
    const incarnation = this.#incarnation;
    this.#sources.add(peer);
    this.#antiEntropy.exchange(now, {
      peer,
      counts: [n],
      partitions: places.map(({ partition }) => partition),
      progress: (then, counts) => {
        this.#underWay = counts;
        this.#tell(then);
      },
      done: (then, result) => {
        this.#moved = addCounts(this.#moved, result);
        this.#underWay = { different: 0, received: 0, sent: 0, bytes: 0 };
        const whole = result.failure === undefined && result.skipped === 0;
        if (whole && incarnation === this.#incarnation) for (const place of places) place.compared.add(peer);
        if (whole) return this.#again(then);
        this.#env.timers.at(then.mono + retryMs, (later) => this.#again(later));
      },
    });
  }

  #tell(now: Instant): void {
    if (this.#total === 0 || (now.mono - this.#toldAt < progressMs && this.#open.size > 0)) return;
    this.#toldAt = now.mono;
    this.#env.emit({ type: 'transfer', ...this.#progress, secondsLeft: this.#secondsLeft });
    if (this.#open.size === 0) this.#total = 0;
  }

  #allOwned(now: Instant): void {
    const { record, placement } = this.#members;
    if (this.#seen !== placement.digest) return;
    const joins = placement.movers.joining.some(({ peer }) => peer === record.peer) || record.weight === 0;
    const hasOwners = placement.ring.members.length > 0;
    if (record.status === 'joining' && joins && hasOwners) {
      this.#unconfirmed = new Set(this.#sources);
      this.#members.become(now, 'up');
      return this.#confirm(now);
    }
    if (record.status === 'joining' || this.#unconfirmed !== undefined) return;
    this.#isBlank = false;
    this.#store(placement);
  }

  /** Waits until those that it copied from know that it owns its places now: from then on its word counts. */
  #confirm(now: Instant): void {
    const waiting = this.#unconfirmed;
    if (waiting === undefined) return;
    const { record } = this.#members;
    if (record.status !== 'up') {
      this.#unconfirmed = undefined;
      return;
    }
    for (const peer of waiting) if (!this.#reachable(peer)) waiting.delete(peer);
    if (waiting.size === 0) {
      this.#unconfirmed = undefined;
      this.#sources.clear();
      this.#copied.clear();
      this.#env.emit({ type: 'joined', peer: record.peer });
      return this.#next(now);
    }
    for (const peer of waiting) {
      this.#members.confirm(now, peer, callTimeoutMs, () => void waiting.delete(peer));
    }
    this.#env.timers.at(now.mono + confirmMs, (then) => this.#confirm(then));
  }

  /** What it owns need not be compared again at its next start. */
  #store(placement: Placement): void {
    if (this.#storedFor === placement.ring.digest) return;
    this.#storedFor = placement.ring.digest;
    this.#disk.write([{ key: metaKey('owned'), value: encodeOwners(placement.ring.members) }], (_, error) => {
      if (error instanceof MeshError) this.#storedFor = '';
    });
  }
}
