/**
 * One put at the replica that mints its dot: write here, then send the new record to the other replicas, and answer when W hold it (Dynamo, section 4.5).
 *
 * What cannot be reached is replaced by the next healthy fallback, which keeps a hint (section 4.6); in strict mode it does so too, but does not count (QR2).
 * The answer is a receipt, and the remaining writes go on after it (QR4). A missed quorum is `partial` and never undone (QR5).
 */

import type { CallFailure } from './calls.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import { nobodyYet } from './hint-index.ts';
import type { Address, Instant, PeerId } from './ids.ts';
import type { Answer, PutCommand, PutOutcome, Receipt } from './messages.ts';
import { asked, failed, openTally, type Role, succeeded, type Tally, verdict } from './quorum.ts';
import type { Minted } from './replica.ts';
import { Supply } from './targets.ts';
import { joinVectors, onlyDot } from './versions.ts';

type Reply = (now: Instant, result: PutOutcome | MeshError) => void;

/** How long a primary may stay silent before a fallback is asked as well. */
const standInAfterMs = 500;
/** How long a replica may take that the answer no longer waits for. */
const backgroundMs = 10_000;
/** When a replica is asked again whose ring is another one. */
const askAgainMs = 50;

interface Writing {
  readonly peer: PeerId;
  readonly role: Role;
  /** The primary in whose place a fallback writes. */
  readonly owner: PeerId | undefined;
  state: Receipt['state'];
  durable: boolean;
  standInAsked: boolean;
}

export class PutRun {
  readonly #env: Environment;
  readonly #address: Address;
  readonly #command: PutCommand;
  readonly #supply: Supply;
  readonly #writings: Writing[] = [];
  readonly #run: number;
  /** The primaries among which a strict quorum counts. */
  readonly #among: number;
  #startedAt = 0;
  readonly #reply: Reply;
  #minted: Minted | undefined;
  #tally: Tally;
  #sentOut = false;
  #replied = false;
  #cancelDeadline: () => void = () => {};
  #cancelStandIns: () => void = () => {};

  constructor(env: Environment, command: PutCommand, reply: Reply) {
    this.#env = env;
    this.#command = command;
    this.#address = addressOf(command.bucket, command.key);
    this.#supply = new Supply(this.#address, command.n, env.members, env.calls);
    this.#reply = reply;
    this.#run = env.nextRun();
    this.#among = command.mode === 'strict' ? this.#supply.among : 0;
    this.#tally = openTally(command.mode === 'any' ? 1 : command.w, command.mode === 'strict');
  }

  start(now: Instant): void {
    const { self } = this.#env.members;
    const { primaries } = this.#supply;
    const isPrimary = primaries.includes(self);
    if (!isPrimary && this.#command.mode === 'strict') {
      return this.#reply(now, new MeshError('NOT_OWNER', 'this peer is not a primary of the key by its own ring'));
    }
    const owners = isPrimary ? this.#ownersToCome() : this.#ownersOfFallback(now);
    const own: Writing = {
      peer: self,
      role: isPrimary ? 'primary' : 'fallback',
      owner: undefined,
      state: 'pending',
      durable: false,
      standInAsked: false,
    };
    this.#writings.push(own);
    this.#startedAt = now.mono;
    this.#tellHop(own);
    this.#tally = asked(this.#tally);
    this.#cancelDeadline = this.#env.timers.at(now.mono + this.#command.budgetMs, (then) => this.#answer(then));
    this.#env.replica.mint(now, this.#command, owners, (then, minted) => {
      if (minted instanceof MeshError) return this.#refuse(then, minted);
      this.#minted = minted;
      this.#settle(then, own, true);
      this.#replicate(then, owners);
    });
  }

  /** For whom a fallback keeps what it mints: one primary, or each of them when it may be the only one to have it (QR8). */
  #ownersOfFallback(now: Instant): PeerId[] {
    const { primaries } = this.#supply;
    if (primaries.length === 0) return [nobodyYet];
    const unwell = primaries.filter((peer) => !this.#supply.healthy(now, peer));
    return unwell.length === primaries.length && this.#command.mode === 'any' ? unwell : [unwell[0] ?? (primaries[0] as PeerId)];
  }

  /** Whoever takes anything while it knows too few members may be no primary any more when the others come (QR8). */
  #ownersToCome(): PeerId[] {
    const { replica } = this.#env;
    if (this.#command.mode !== 'any' || this.#supply.primaries.length >= this.#command.n) return [];
    return replica.hints.isFull ? [] : [nobodyYet];
  }

  #refuse(now: Instant, error: MeshError): void {
    this.#cancelDeadline();
    if (!this.#replied) this.#reply(now, error);
    this.#replied = true;
  }

  #replicate(now: Instant, standingIn: readonly PeerId[]): void {
    for (const peer of this.#supply.primaries) {
      if (peer === this.#env.members.self) continue;
      const writing: Writing = {
        peer,
        role: 'primary',
        owner: undefined,
        state: 'pending',
        durable: false,
        standInAsked: standingIn.includes(peer),
      };
      this.#writings.push(writing);
      this.#write(now, writing);
      if (!this.#supply.healthy(now, peer)) this.#standIn(now, writing);
    }
    this.#sentOut = true;
    this.#decide(now);
    this.#cancelStandIns = this.#env.timers.at(now.mono + standInAfterMs, (then) => {
      for (const writing of [...this.#writings]) if (writing.state === 'pending') this.#standIn(then, writing);
    });
  }

  #write(now: Instant, writing: Writing, isAgain = false): void {
    const { calls, members } = this.#env;
    const { bucket, key, n, resolver, budgetMs } = this.#command;
    const record = this.#minted?.record;
    if (record === undefined) return;
    if (!isAgain) this.#tally = asked(this.#tally);
    if (!isAgain) this.#tellHop(writing);
    const among = this.#command.mode === 'strict' && writing.role === 'primary' ? this.#among : undefined;
    const call = { type: 'store', bucket, key, n, record, owner: writing.owner, ordered: resolver !== 'siblings', among } as const;
    const options = { timeoutMs: Math.max(budgetMs, backgroundMs), ring: members.placement.ring.digest };
    calls.ask(now, writing.peer, call, options, (then, result) => this.#answered(then, writing, result));
  }

  #answered(now: Instant, writing: Writing, result: Answer | CallFailure): void {
    if (typeof result === 'object' && result.type === 'stored') {
      writing.durable = result.durable;
      return this.#settle(now, writing, true);
    }
    // One of the two rings is out of date, and will not be for long (MB5).
    const otherRing = typeof result === 'object' && result.type === 'refused' && result.code === 'NOT_OWNER';
    if (otherRing && !this.#replied && this.#among === this.#supply.among) {
      this.#env.timers.at(now.mono + askAgainMs, (then) => this.#write(then, writing, true));
      return;
    }
    writing.state = typeof result === 'object' ? 'refused' : result === 'timeout' ? 'timeout' : 'unreachable';
    this.#standIn(now, writing);
    this.#settle(now, writing, false);
  }

  /** Asks the next fallback to keep the record for a primary that does not answer. */
  #standIn(now: Instant, writing: Writing): void {
    if (writing.standInAsked) return;
    writing.standInAsked = true;
    let peer = this.#supply.nextFallback(now);
    if (peer === this.#env.members.self) peer = this.#supply.nextFallback(now);
    if (peer === undefined) return;
    const owner = writing.owner ?? writing.peer;
    const standIn: Writing = { peer, role: 'fallback', owner, state: 'pending', durable: false, standInAsked: false };
    this.#writings.push(standIn);
    this.#write(now, standIn);
  }

  #tellHop({ peer, role }: Writing): void {
    this.#env.emit({ type: 'hop', run: this.#run, kind: 'store', to: peer, position: this.#address.position, role });
  }

  #tellAnswer(now: Instant, { peer, role, state }: Writing, made: boolean): void {
    if (state === 'pending' || !this.#env.watched()) return;
    const [run, ms, late] = [this.#run, now.mono - this.#startedAt, this.#replied];
    this.#env.emit({ type: 'answer', run, peer, role, state, ms, made: made && !late, late });
  }

  #settle(now: Instant, writing: Writing, stored: boolean): void {
    if (stored) {
      writing.state = 'stored';
      if (writing.peer === this.#env.members.self) writing.durable = this.#env.replica.durable;
    }
    const before = verdict(this.#tally);
    this.#tally = stored ? succeeded(this.#tally, writing.role) : failed(this.#tally);
    this.#tellAnswer(now, writing, before !== 'won' && verdict(this.#tally) === 'won');
    if (this.#tally.outstanding === 0) this.#cancelStandIns();
    this.#decide(now);
  }

  #decide(now: Instant): void {
    const decided = verdict(this.#tally);
    // Before the record is sent out nothing but the own write is under way: too early to call the quorum lost.
    if (decided === 'won' || (decided === 'lost' && this.#sentOut)) this.#answer(now);
  }

  #answer(now: Instant): void {
    if (this.#replied) return;
    this.#replied = true;
    this.#cancelDeadline();
    const receipts = this.#writings.map((writing) => this.#supply.receipt(writing, writing.state, writing.durable));
    const won = verdict(this.#tally) === 'won';
    const outcome = won ? 'ok' : this.#minted === undefined ? 'unknown' : 'partial';
    const sloppy = won && this.#tally.primaries < this.#tally.need;
    const dot = this.#minted?.dot;
    // What the client knows now: what it had seen, and its own version. Not the siblings that it did not see.
    const context = dot === undefined ? this.#command.context : joinVectors(this.#command.context, onlyDot(dot));
    this.#reply(now, { outcome, context, dot, receipts, sloppy });
  }
}
