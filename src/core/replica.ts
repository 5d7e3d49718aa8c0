/**
 * The replica: what a peer does with records that others entrust to it.
 *
 * `mint` turns a put into a version: it reads its own record, gives the next dot of its own actor, and is durable before anyone hears of the dot (VR2), so that
 * a crash cannot make it give the same dot twice. `store` merges what another replica minted. When an incoming clock shows more of this store's own
 * counter than it holds, the store has forgotten something, and counts under a new epoch from then on (VR3; riak_kv issues 679 and 1643).
 */

import { HybridClock } from './clock.ts';
import type { Disk, StorageChange } from './disk.ts';
import { MeshError } from './errors.ts';
import type { CoreEvent } from './events.ts';
import { addressOf } from './hash.ts';
import { actorOf, type Actor, type Address, type ByteString, type Dot, type Instant, type PeerId } from './ids.ts';
import { defaultHintLimits, type Hint, HintIndex, type HintLimits, hintRow } from './hint-index.ts';
import { hintKey, keyOfIndex, keysRange, metaKey } from './layout.ts';
import { limits } from './limits.ts';
import { recordDigest } from './merkle.ts';
import type { Call, Listed, PutCommand } from './messages.ts';
import type { Random } from './random.ts';
import { Records } from './records.ts';
import {
  buryExpired,
  deletedAt,
  emptyRecord,
  encoded,
  encodeRecord,
  recordSize,
  resolve,
  type RecordSet,
  type Stored,
  withoutValues,
} from './record.ts';
import { textToBytes, fromByteString } from './bytes.ts';
import { compareSets, counterOf, has, merge, update, type VersionVector } from './versions.ts';

/** What other members remember of this store: no more than itself, or more, or they could not be asked. */
export type Standing = 'known' | 'setBack' | 'unknown';

export interface Minted {
  readonly record: RecordSet;
  readonly dot: Dot;
}

export interface ReplicaOptions {
  readonly disk: Disk;
  readonly durable: boolean;
  readonly partitions: number;
  readonly random: Random;
  readonly emit: (event: CoreEvent) => void;
  readonly hints?: HintLimits | undefined;
  /** Called when a dot has been given and is durable. */
  readonly minted?: (now: Instant) => void;
  /** Called when a damaged record is about to be replaced by what another replica has, which may be less. Answers what is to be committed with it. */
  readonly doubted?: (now: Instant, address: Address, n: number) => readonly StorageChange[];
}

type Done<T> = (now: Instant, result: T | MeshError) => void;

const epochStep = 2 ** 30;
const recordMaxBytes = limits.frameMaxBytes / 2;
const notRecognised = new MeshError('NOT_OWNER', 'this peer has just started and waits for what the others remember of it');

export class Replica {
  readonly records: Records;
  /** What it keeps for primaries that cannot be reached. */
  readonly hints: HintIndex;
  /** Whether its storage survives a crash, as the storage says of itself. */
  readonly durable: boolean;
  readonly #disk: Disk;
  readonly #clock = new HybridClock();
  readonly #emit: (event: CoreEvent) => void;
  readonly #random: Random;
  readonly #minted: (now: Instant) => void;
  readonly #doubted: (now: Instant, address: Address, n: number) => readonly StorageChange[];
  #storeId = '';
  #epoch = 0;
  #actor = actorOf('', 0);
  #epochIsStored = true;
  /** The highest counter of the actor among records that were reaped: their dots must not be given again. */
  #floor = 0;
  #standing: Standing | 'awaited' = 'known';
  #isRetired = false;

  constructor(options: ReplicaOptions) {
    this.#disk = options.disk;
    this.hints = new HintIndex(options.hints ?? defaultHintLimits);
    this.durable = options.durable;
    this.records = new Records(options.disk, options.partitions);
    this.#emit = options.emit;
    this.#random = options.random;
    this.#minted = options.minted ?? (() => {});
    this.#doubted = options.doubted ?? (() => []);
  }

  /** Who mints at this store now. */
  get actor(): Actor {
    return this.#actor;
  }

  /** `storeId`, `epoch` and `floor` as they lie in storage. A store that may have forgotten begins a new epoch, which the caller stores with `storeChange`. */
  start(storeId: string, epoch: number, mayHaveForgotten: boolean, floor = ''): void {
    this.#storeId = storeId;
    this.#epoch = epoch;
    this.#actor = actorOf(storeId, epoch);
    if (floor.startsWith(`${this.#actor}:`)) this.#floor = Number(floor.slice(this.#actor.length + 1));
    if (mayHaveForgotten) this.#nextEpoch('the storage was damaged and may have lost acknowledged writes');
  }

  /**
   * Begins an epoch after `last`. It goes to the disk with the next commit, hence before any dot of it is told. How far after is drawn, so that a store that is
   * set back to one snapshot twice does not begin the same epoch twice.
   */
  #nextEpoch(reason: string, last = this.#epoch): void {
    this.#epoch = last + 1 + this.#random.below(epochStep);
    this.#actor = actorOf(this.#storeId, this.#epoch);
    this.#floor = 0;
    this.#epochIsStored = false;
    this.#emit({ type: 'amnesia', actor: this.actor, reason });
  }

  /** Commits a record; with it the epoch, if no commit has taken that to the disk yet. */
  #save(address: Address, record: RecordSet, hints: readonly Hint[], done: Done<undefined>, extra: readonly StorageChange[] = []): void {
    const epoch = this.#epoch;
    const changes = [...hints.map(hintRow), ...extra];
    if (!this.#epochIsStored) changes.push(this.storeChange());
    for (const hint of hints) this.hints.keep(hint);
    this.records.save(address, record, changes, (now, result) => {
      if (!(result instanceof MeshError)) {
        if (epoch === this.#epoch) this.#epochIsStored = true;
        for (const { owner } of hints) this.#tellOfHint('stored', owner);
      }
      done(now, result);
    });
  }

  #tellOfHint(action: 'stored' | 'refused', owner: PeerId): void {
    this.#emit({ type: 'hint', action, owner, held: this.hints.held });
  }

  /** What is kept of a record for these owners, or `HINTS_FULL`, and then nothing may change (HH3). */
  #hintsFor(now: Instant, owners: readonly PeerId[], address: Address, n: number, record: RecordSet): readonly Hint[] | MeshError {
    if (owners.length === 0) return [];
    const bytes = encodeRecord(record, n).length;
    const hints = owners.map((owner): Hint => ({ owner, address, n, bytes, keptAt: Math.floor(now.wall) }));
    if (this.hints.hasRoom(hints)) return hints;
    for (const owner of owners) this.#tellOfHint('refused', owner);
    return new MeshError('HINTS_FULL', 'this peer keeps as much as it may for peers that cannot be reached');
  }

  /** The row that keeps who mints at this store. */
  storeChange(): StorageChange {
    return { key: metaKey('store'), value: fromByteString(textToBytes(`${this.#storeId}.${this.#epoch}`)) };
  }

  /**
   * `owners`: the primaries in whose place this fallback takes the put; it keeps a hint for each of them. With `RECORD_CORRUPT` and `HINTS_FULL` nothing was
   * changed.
   */
  mint(now: Instant, command: PutCommand, owners: readonly PeerId[], done: Done<Minted>): void {
    if (this.#isRetired) return done(now, new MeshError('NOT_OWNER', 'this peer leaves, and takes nothing new'));
    if (this.#standing === 'awaited') {
      return done(now, notRecognised);
    }
    if (this.#standing === 'unknown') {
      this.#standing = 'known';
      this.#nextEpoch('nobody could be asked whether the store was set back');
    }
    const address = addressOf(command.bucket, command.key);
    this.records.open(now, address, command.n, (then, local) => {
      if (local instanceof MeshError) return done(then, local);
      const repeated = local.siblings.find((version) => version.value.operation === command.operation);
      if (repeated !== undefined) {
        const minted: Minted = { record: local, dot: repeated.dot };
        return this.records.confirm(then, address, (later, error) => done(later, error ?? minted));
      }
      this.#observeTimes(then, local);
      this.#noticeAmnesia(local.context, command.context, 'a client had seen a later version of this store', this.#floor);
      const { set, dot } = update(local, command.context, this.#actor, this.#value(then, command), this.#floor);
      const resolved = resolve(set, command.resolver);
      const refusal = refuse(resolved, dot);
      if (refusal !== undefined) return done(then, refusal);
      const record = encoded(resolved, command.n);
      const hints = this.#hintsFor(then, owners, address, command.n, record);
      if (hints instanceof MeshError) return done(then, hints);
      this.#save(address, record, hints, (later, error) => {
        if (error === undefined) this.#minted(later);
        done(later, error === undefined ? { record, dot } : uncertain(error));
      });
    });
  }

  /**
   * A store that was set back does not know it, and would give dots again. So after a start it mints nothing until another member has said what it remembers, or
   * there was nobody to ask.
   */
  awaitRecognition(): void {
    this.#standing = 'awaited';
  }

  /** This store mints no more. */
  retire(): void {
    this.#isRetired = true;
  }

  recognised(standing: Standing): void {
    this.#standing = standing;
    if (standing === 'setBack') this.#nextEpoch('other members remember a later run of this store');
  }

  #value(now: Instant, command: PutCommand): Stored {
    const { tombstone, bytes, contentType, operation, priority, expires } = command;
    const value = { tombstone, bytes, contentType, operation, priority, time: this.#clock.next(now) };
    return expires === undefined ? value : { ...value, expires };
  }

  /** Takes in what another replica sent. Done when it is durable here, or was already. */
  store(now: Instant, call: Extract<Call, { type: 'store' }>, done: Done<undefined>): void {
    const address = addressOf(call.bucket, call.key);
    const drift = this.#observeTimes(now, call.record);
    if (call.ordered && drift) {
      return done(now, new MeshError('CLOCK_DRIFT', "a version's time is too far ahead of this peer's clock: set the clocks of the peers"));
    }
    this.records.open(now, address, call.n, (then, held) => {
      const isDamaged = held instanceof MeshError && held.code === 'RECORD_CORRUPT';
      if (held instanceof MeshError && !isDamaged) return done(then, held);
      // What the damaged record held is lost here. It may have had a dot of this store that nobody else has seen.
      if (isDamaged) this.#nextEpoch('a damaged record was replaced by that of another replica');
      const local = held instanceof MeshError ? emptyRecord : held;
      const owners = call.owner === undefined ? [] : [call.owner];
      const ordering = compareSets(call.record, local);
      const known = ordering === 'equal' || ordering === 'before';
      if (known && owners.length === 0) {
        return this.records.confirm(then, address, done);
      }
      // Of a record that was reaped here others may still tell, but less than all the dots that it had: no floor keeps these from being given again.
      this.#noticeAmnesia(local.context, call.record.context, 'another replica holds later versions of this store', 0);
      // What is newer as a whole keeps its bytes: it is stored as it came.
      const next = ordering === 'after' ? call.record : known ? local : merge(local, call.record);
      const hints = this.#hintsFor(then, owners, address, call.n, next);
      if (hints instanceof MeshError) return done(then, hints);
      this.#save(address, next, hints, done, isDamaged ? this.#doubted(then, address, call.n) : []);
    });
  }

  /** Follows the newest time in the record; true when one is too far ahead to be followed. */
  #observeTimes(now: Instant, record: RecordSet): boolean {
    let isAhead = false;
    for (const { value } of record.siblings) if (!this.#clock.observe(now, value.time)) isAhead = true;
    return isAhead;
  }

  /** Someone has seen versions of this store that it does not hold: of this epoch, or of one that it does not remember to have begun. */
  #noticeAmnesia(local: VersionVector, incoming: VersionVector, reason: string, floor: number): void {
    const held = Math.max(counterOf(local, this.#actor), floor);
    let last = counterOf(incoming, this.#actor) > held ? this.#epoch : -1;
    for (const { actor } of incoming) {
      if (!this.#isOwn(actor)) continue;
      const text = actor.slice(this.#storeId.length + 1);
      if (/^\d{1,14}$/.test(text)) last = Math.max(last, Number(text) > this.#epoch ? Number(text) : -1);
    }
    if (last >= 0) this.#nextEpoch(reason, last);
  }

  #isOwn(actor: Actor): boolean {
    return actor.startsWith(this.#storeId) && actor[this.#storeId.length] === '.';
  }

  fetch(call: Extract<Call, { type: 'fetch' }>, done: Done<RecordSet>): void {
    this.records.read(addressOf(call.bucket, call.key), done);
  }

  /** One page of this replica's own keys in bytewise order, values left out. */
  list(call: Extract<Call, { type: 'list' }>, done: Done<{ entries: Listed[]; more: boolean }>): void {
    const limit = Math.min(call.limit, limits.listMax);
    this.#disk.range(keysRange(call.bucket, call.prefix, call.after, limit + 1), (now, found) => {
      if (found instanceof MeshError) return done(now, found);
      const keys = found.slice(0, limit).map(([key]) => keyOfIndex(call.bucket, key));
      const addresses = keys.map((key) => addressOf(call.bucket, key));
      this.records.readMany(addresses, (later, records) => {
        if (records instanceof MeshError) return done(later, records);
        const entries: Listed[] = [];
        for (const [index, record] of records.entries()) {
          if (record instanceof MeshError) return done(later, record);
          entries.push({ key: keys[index] as ByteString, record: withoutValues(record) });
        }
        done(later, { entries, more: found.length > limit });
      });
    });
  }

  /** Buries what has expired in a record (TS3). A row that names no record, or not this time of it, is removed. */
  bury(now: Instant, row: ByteString, address: Address | undefined, done: (now: Instant) => void): void {
    if (address === undefined) return this.dropDue(row, done);
    this.records.readHeld(address, (read, held) => {
      if (held instanceof MeshError) return done(read);
      if (held.n === 0) return this.dropDue(row, done);
      this.records.open(read, address, held.n, (then, local) => {
        if (local instanceof MeshError) return done(then);
        const next = buryExpired(local, now.wall);
        if (next === local) return this.dropDue(row, done);
        this.records.save(address, next, [], done);
      });
    });
  }

  /** Removes a row that tells of something that is not so any more. */
  dropDue(row: ByteString, done: (now: Instant) => void): void {
    this.#disk.write([{ key: row, value: undefined }], (now) => done(now));
  }

  /** Removes a record that all members agree to remove, if it still has this digest. `done` says whether it is gone. */
  reap(now: Instant, address: Address, digest: ByteString, done: (now: Instant, gone: boolean) => void): void {
    this.records.readHeld(address, (read, held) => {
      if (held instanceof MeshError) return done(read, false);
      if (held.n === 0) return done(read, !this.records.isWriting(address));
      this.records.open(now, address, held.n, (then, local) => {
        if (local instanceof MeshError || recordDigest(address, local) !== digest || deletedAt(local) === undefined)
          return done(then, false);
        this.records.save(address, emptyRecord, this.#raiseFloor(local), (later, error) => done(later, error === undefined));
      });
    });
  }

  /** Removes a record that others own, if it still has this digest. `done` says whether it is gone. */
  discard(now: Instant, address: Address, digest: ByteString, done: (now: Instant, gone: boolean) => void): void {
    this.records.readHeld(address, (read, held) => {
      if (held instanceof MeshError) return done(read, false);
      if (held.n === 0) return done(read, true);
      this.records.open(now, address, held.n, (then, local) => {
        if (local instanceof MeshError || recordDigest(address, local) !== digest || this.hints.keeps(address)) return done(then, false);
        // An older copy of it may come back from elsewhere, with fewer dots of this store than it has given: they must not be given again (VR3).
        if (counterOf(local.context, this.#actor) > 0)
          this.#nextEpoch('records with versions of this store were handed to those who own them');
        this.#save(address, emptyRecord, [], (later, error) => done(later, error === undefined));
      });
    });
  }

  /**
   * A hint has been delivered: its owner holds `delivered`. Removes the hint unless the record changed since; with the last hint the copy too, where this peer is
   * no primary and has given none of its versions: what it forgets of its own costs an epoch, and is left to the next clearing. `done` says whether the hint is gone.
   */
  settleHint(now: Instant, hint: Hint, delivered: RecordSet, isPrimary: boolean, done: Done<boolean>): void {
    const { owner, address, n } = hint;
    this.records.open(now, address, n, (then, local) => {
      if (local instanceof MeshError) return done(then, local);
      if (compareSets(local, delivered) !== 'equal') return done(then, false);
      const isMinted = counterOf(local.context, this.#actor) > 0;
      const keepCopy = isPrimary || isMinted || this.hints.isKeptForAnother(hint);
      const changes: StorageChange[] = [{ key: hintKey(owner, address), value: undefined }];
      const dropped = this.hints.drop(hint) ?? hint;
      this.records.save(address, keepCopy ? local : emptyRecord, changes, (later, result) => {
        if (result instanceof MeshError) this.hints.restore(dropped);
        done(later, result instanceof MeshError ? result : true);
      });
    });
  }

  /** A record is about to be removed: its dots of this store must not be given again (VR3). */
  #raiseFloor(record: RecordSet): StorageChange[] {
    const own = counterOf(record.context, this.#actor);
    if (own <= this.#floor) return [];
    this.#floor = own;
    return [{ key: metaKey('floor'), value: fromByteString(`${this.#actor}:${this.#floor}`) }];
  }
}

/** `RECORD_CORRUPT` says that nothing was changed; after a commit nobody knows. */
const uncertain = (error: MeshError): MeshError =>
  error.code === 'RECORD_CORRUPT' ? new MeshError('STORAGE_FAILED', error.message, { cause: error }) : error;

/** Limits are errors, and they come before anything changes (VR6). */
function refuse(record: RecordSet, dot: Dot): MeshError | undefined {
  if (record.siblings.length > limits.siblingsMax || (record.siblings.length > 1 && recordSize(record) > recordMaxBytes)) {
    return new MeshError(
      'TOO_MANY_SIBLINGS',
      'the key has too many conflicting values: get it, and put one value with the context of that get',
    );
  }
  if (record.context.length > limits.contextMaxEntries) {
    return new MeshError('CONTEXT_TOO_LARGE', `the key's context would have more than ${limits.contextMaxEntries} entries`);
  }
  if (dot.counter > limits.counterMax) return new MeshError('COUNTER_EXHAUSTED', "the key's counter has reached its limit");
  return has(record, dot) || record.siblings.length === 1 ? undefined : new MeshError('INTERNAL', 'bug: a put lost its own version');
}
