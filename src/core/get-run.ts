/**
 * One get: ask R replicas, merge what they hold, answer, and repair those that were behind (Dynamo, section 4.5).
 *
 * A further replica is asked when one fails, or when the answers take longer than they usually do (QR7). A strict get writes the merged versions back to the
 * replicas of its quorum before it answers, so that a later strict get cannot see less (QR3); otherwise repair follows the answer (AE4).
 * An empty answer of a fallback is no evidence of absence (QR2, QR6).
 *
 * One replica is asked for its record in any case, the others for the clock alone where the values are large (QR7). A clock that the merged versions cover says
 * all that there is to know; for one that they do not cover the values are fetched after all.
 */

import type { CallFailure } from './calls.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import type { Address, ByteString, Instant, PeerId } from './ids.ts';
import type { Answer, Receipt, WriteMode } from './messages.ts';
import { asked, failed, openTally, type Role, succeeded, type Tally, verdict } from './quorum.ts';
import { type Clock, emptyRecord, type RecordSet, type StoredResolver } from './record.ts';
import { Supply } from './targets.ts';
import { compareSets, merge } from './versions.ts';

export interface GetCommand {
  readonly bucket: string;
  readonly key: ByteString;
  readonly n: number;
  readonly r: number;
  readonly mode: WriteMode;
  readonly resolver: StoredResolver;
  readonly budgetMs: number;
}

export interface GetOutcome {
  readonly record: RecordSet;
  readonly receipts: readonly Receipt[];
  readonly sloppy: boolean;
}

type Reply = (now: Instant, result: GetOutcome | MeshError) => void;

interface Reading {
  readonly peer: PeerId;
  readonly role: Role;
  state: Receipt['state'];
  /** Its values were asked for, however large they are. */
  whole: boolean;
  /** The very `#merged` when it is equal to that. */
  record: RecordSet | undefined;
  /** What it holds, as long as that is not covered by the merged versions, nor its values asked for. */
  clock: Clock | undefined;
  /** It has a record that it cannot read. */
  damaged: boolean;
}

const backgroundMs = 10_000;
/** Values up to this size together come with the first answer: a second round trip would cost more. */
const wholeMaxBytes = 2048;
/** When a strict get is begun again that has met another ring. */
const beginAgainMs = 50;
/** What a replica holds whose clock the merged versions cover. */
const covered: RecordSet = { context: [], siblings: [] };

export class GetRun {
  readonly #env: Environment;
  readonly #command: GetCommand;
  readonly #address: Address;
  readonly #supply: Supply;
  readonly #reply: Reply;
  readonly #readings: Reading[] = [];
  readonly #run: number;
  /** The primaries among which a strict quorum counts. */
  readonly #among: number;
  #startedAt = 0;
  #tally: Tally;
  #candidates: PeerId[] = [];
  #merged: RecordSet = emptyRecord;
  #writingBack = false;
  #replied = false;
  #cancelTimers: (() => void)[] = [];
  readonly #isAgain: boolean;
  /** Where rings differed this run has ended, and the next one goes on. */
  #next: GetRun | undefined;

  /** `isAgain`: it goes on where rings differed, and links to replicas that have just become known may not be there yet. */
  constructor(env: Environment, command: GetCommand, reply: Reply, isAgain = false) {
    this.#isAgain = isAgain;
    this.#env = env;
    this.#command = command;
    this.#address = addressOf(command.bucket, command.key);
    this.#supply = new Supply(this.#address, command.n, env.members, env.calls);
    this.#reply = reply;
    this.#run = env.nextRun();
    this.#among = command.mode === 'strict' ? this.#supply.among : 0;
    this.#tally = openTally(command.r, command.mode === 'strict');
  }

  start(now: Instant): void {
    this.#startedAt = now.mono;
    this.#candidates = this.#supply.bestFirst(now);
    this.#cancelTimers.push(this.#env.timers.at(now.mono + this.#command.budgetMs, (then) => this.#giveUp(then)));
    for (let i = 0; i < this.#command.r; i++) this.#askNext(now, i === 0);
    this.#env.hedging.began();
    this.#hedge(now);
    this.#decide(now);
  }

  /** Asks one more replica; false when there is none left. */
  #askNext(now: Instant, whole = !this.#readings.some((reading) => reading.whole && isOpen(reading))): boolean {
    const target = this.#nextTarget(now);
    if (target === undefined) return false;
    const { peer, role } = target;
    const reading: Reading = { peer, role, whole, state: 'pending', record: undefined, clock: undefined, damaged: false };
    this.#readings.push(reading);
    this.#tally = asked(this.#tally);
    if (this.#env.watched())
      this.#env.emit({ type: 'hop', run: this.#run, kind: 'fetch', to: peer, position: this.#address.position, role });
    this.#ask(now, reading);
    return true;
  }

  #ask(now: Instant, reading: Reading): void {
    const { calls, members } = this.#env;
    const { bucket, key, n, mode, budgetMs } = this.#command;
    const among = mode === 'strict' ? this.#among : undefined;
    const whole = { wholeMaxBytes: reading.whole ? undefined : wholeMaxBytes };
    const call = { type: 'fetch', bucket, key, n: reading.role === 'primary' ? n : 0, ...whole, among } as const;
    const options = { timeoutMs: budgetMs, ring: members.placement.digest };
    calls.ask(now, reading.peer, call, options, (then, result) => this.#answered(then, reading, result));
  }

  #nextTarget(now: Instant): { peer: PeerId; role: Role } | undefined {
    const { mode } = this.#command;
    const next = this.#candidates[0];
    if (next !== undefined && (mode === 'strict' || this.#supply.healthy(now, next))) {
      this.#candidates.shift();
      return { peer: next, role: 'primary' };
    }
    const fallback = mode === 'strict' ? undefined : this.#supply.nextFallback(now);
    if (fallback !== undefined) return { peer: fallback, role: 'fallback' };
    const unwell = this.#candidates.shift();
    return unwell === undefined ? undefined : { peer: unwell, role: 'primary' };
  }

  /** Asks one more when the answers are late (QR7). */
  #hedge(now: Instant): void {
    if (this.#candidates.length === 0) return;
    const { hedging, timers } = this.#env;
    const cancel = hedging.whenLate(now, timers, this.#readings, (then) => {
      if (this.#replied || this.#writingBack) return;
      const waiting = this.#readings.find(({ clock }) => clock !== undefined);
      if (waiting !== undefined) this.#askWhole(then, waiting);
      else if (!this.#askNext(then, !this.#readings.some(({ whole, state }) => whole && state === 'answered'))) return;
      this.#hedge(then);
    });
    this.#cancelTimers.push(cancel);
  }

  #askWhole(now: Instant, reading: Reading): void {
    reading.clock = undefined;
    reading.whole = true;
    this.#ask(now, reading);
  }

  #answered(now: Instant, reading: Reading, result: Answer | CallFailure): void {
    if (typeof result === 'object' && result.type === 'clock') {
      reading.clock = result.clock;
      if (!this.#writingBack || this.#replied) this.#weigh(now, reading);
    } else if (typeof result === 'object' && result.type === 'fetched') {
      // What comes while the merged versions are being written back is on no quorum yet: it must not get into this answer (QR3). Repair takes it.
      if (this.#writingBack && !this.#replied) {
        reading.state = 'answered';
        reading.record = result.record;
        return this.#tell(now, reading, reading.state, false);
      }
      this.#count(now, reading, this.#learn(result.record), result.record.context.length > 0);
      this.#weighAll(now);
    } else if (typeof result === 'object' && result.type === 'refused' && result.code === 'RING_DIFFERS') {
      if (!this.#replied) this.#beginAgain(now);
    } else {
      reading.state = typeof result === 'object' ? 'refused' : result === 'timeout' ? 'timeout' : 'unreachable';
      this.#tell(now, reading, reading.state, false);
      reading.damaged = typeof result === 'object' && result.type === 'refused' && result.code === 'RECORD_CORRUPT';
      this.#tally = failed(this.#tally);
      this.#weighAll(now);
      if (!this.#replied) this.#askNext(now);
    }
    this.#decide(now);
  }

  /** Counts what a replica has answered; what comes after the reply is repaired. */
  #count(now: Instant, reading: Reading, record: RecordSet, hasVersions: boolean): void {
    reading.state = 'answered';
    reading.record = record;
    const before = verdict(this.#tally);
    const evidence = reading.role === 'primary' || hasVersions;
    this.#tally = evidence ? succeeded(this.#tally, reading.role) : failed(this.#tally);
    this.#tell(now, reading, reading.state, before !== 'won' && verdict(this.#tally) === 'won');
    if (this.#replied) this.#repairAll(now);
  }

  #weighAll(now: Instant): void {
    for (const reading of this.#readings) if (reading.clock !== undefined) this.#weigh(now, reading);
  }

  /** A clock counts when the merged versions cover it. Else its values may be on their way from another replica, or are asked for. */
  #weigh(now: Instant, reading: Reading): void {
    const { clock } = reading;
    if (clock === undefined) return;
    const order = compareSets<unknown>(clock, this.#merged);
    if (order === 'equal' || order === 'before') {
      reading.clock = undefined;
      return this.#count(now, reading, order === 'equal' ? this.#merged : covered, clock.context.length > 0);
    }
    if (!this.#readings.some(({ whole, state }) => whole && state === 'pending')) this.#askWhole(now, reading);
  }

  /** The rings of the quorum differ, and will not for long: the answers so far may be from no quorum at all (MB5). */
  #beginAgain(now: Instant): void {
    const leftMs = this.#startedAt + this.#command.budgetMs - now.mono - beginAgainMs;
    if (leftMs <= 0) return this.#giveUp(now);
    this.#end();
    this.#next = new GetRun(this.#env, { ...this.#command, budgetMs: leftMs }, this.#reply, true);
    this.#cancelTimers.push(this.#env.timers.at(now.mono + beginAgainMs, (then) => this.#next?.start(then)));
  }

  #tell(now: Instant, { peer, role }: Reading, state: Receipt['state'], made: boolean): void {
    if (state === 'pending' || !this.#env.watched()) return;
    const [run, ms, late] = [this.#run, now.mono - this.#startedAt, this.#replied];
    this.#env.emit({ type: 'answer', run, peer, role, state, ms, made: made && !late, late });
  }

  /** Takes a replica's record into the merged one; returns that when the two are equal now. */
  #learn(record: RecordSet): RecordSet {
    const order = compareSets(record, this.#merged);
    if (order === 'after') this.#merged = record;
    if (order === 'concurrent') this.#merged = merge(this.#merged, record);
    return order === 'equal' ? this.#merged : record;
  }

  #decide(now: Instant): void {
    if (this.#replied || this.#writingBack) return;
    const decided = verdict(this.#tally);
    if (decided === 'won') return this.#won(now);
    if (decided === 'pending' || this.#askNext(now) || this.#tally.outstanding > 0) return;
    // Nobody is left to ask. A value that one replica has is still an answer, where fallbacks may answer at all; absence is not.
    const heard = this.#readings.filter((reading) => reading.state === 'answered').length;
    if (this.#command.mode !== 'strict' && heard >= this.#command.r && this.#merged.context.length > 0) this.#finish(now);
    else if (this.#isAgain) this.#beginAgain(now);
    else this.#giveUp(now);
  }

  #won(now: Instant): void {
    const behind = this.#behind();
    if (this.#command.mode !== 'strict' || behind.length === 0) return this.#finish(now);
    this.#writingBack = true;
    let left = behind.length;
    for (const reading of behind) {
      this.#send(now, reading, { timeoutMs: this.#command.budgetMs, among: this.#among }, (then, stored) => {
        if (this.#replied) return;
        if (!stored) return this.#giveUp(then);
        reading.record = this.#merged;
        if (--left === 0) this.#finish(then);
      });
    }
  }

  /** Primaries that answered with less than all answers together. */
  #behind(): Reading[] {
    return this.#readings.filter(({ role, record }) => role === 'primary' && record !== undefined && record !== this.#merged);
  }

  #finish(now: Instant): void {
    this.#end();
    const receipts = this.#readings.map((reading) => this.#supply.receipt(reading, reading.state, false));
    this.#reply(now, { record: this.#merged, receipts, sloppy: this.#tally.primaries < this.#command.r });
    for (const reading of this.#readings) {
      if (reading.record !== undefined && reading.record !== this.#merged) reading.record = this.#learn(reading.record);
    }
    this.#weighAll(now);
    this.#repairAll(now);
  }

  #repairAll(now: Instant): void {
    const damaged = this.#merged.context.length === 0 ? [] : this.#readings.filter((reading) => reading.damaged);
    for (const reading of [...this.#behind(), ...damaged]) {
      reading.record = this.#merged;
      reading.damaged = false;
      this.#env.emit({ type: 'readRepair', peer: reading.peer, bucket: this.#command.bucket });
      this.#send(now, reading, { timeoutMs: backgroundMs, among: undefined }, () => {});
    }
  }

  #send(
    now: Instant,
    reading: Reading,
    { timeoutMs, among }: { timeoutMs: number; among: number | undefined },
    done: (now: Instant, stored: boolean) => void,
  ): void {
    const { bucket, key, n, resolver } = this.#command;
    const ordered = resolver !== 'siblings';
    const call = { type: 'store', bucket, key, n, record: this.#merged, owner: undefined, ordered, among } as const;
    const options = { timeoutMs, ring: this.#env.members.placement.digest };
    this.#env.calls.ask(now, reading.peer, call, options, (then, result) =>
      done(then, typeof result === 'object' && result.type === 'stored' && result.agrees),
    );
  }

  #giveUp(now: Instant): void {
    if (this.#replied) return;
    this.#end();
    const heard = this.#readings.filter((reading) => reading.state === 'answered').length;
    const needed = `${heard} of the ${this.#command.r} replicas that a read needs have answered`;
    const error =
      heard === 0
        ? new MeshError('UNREACHABLE', `no replica of the key can be reached: ${needed}`)
        : new MeshError('UNKNOWN', `whether the key has a value cannot be known now: ${needed}`);
    this.#reply(now, error);
  }

  /** The caller is gone: whatever comes now changes nothing (QR9). */
  abort(): void {
    this.#end();
    this.#next?.abort();
  }

  #end(): void {
    this.#replied = true;
    for (const cancel of this.#cancelTimers) cancel();
  }
}

/** It has answered, or may yet. */
const isOpen = ({ state }: Reading): boolean => state === 'pending' || state === 'answered';
