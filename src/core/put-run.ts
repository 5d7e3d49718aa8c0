/**
 * One put at the replica that mints its dot: write here, then send the new record to the other replicas, and answer when W hold it (Dynamo, section 4.5).
 *
 * Peers that gain the partition get the record, too; a strict put waits for them, and for primaries that agree with this peer about the ring. When it turns out that
 * the ring is another one by now, it is sent to the primaries of that, for a quorum must be one of a single ring (MB5, TR1).
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
import { asked, failed, openTally, type Role, succeeded, type Tally, type Verdict, verdict } from './quorum.ts';
import type { Minted } from './replica.ts';
import { Supply } from './targets.ts';
import { joinVectors, onlyDot } from './versions.ts';

type Reply = (now: Instant, result: PutOutcome | MeshError) => void;

/** How long a primary may stay silent before a fallback is asked as well. */
const standInAfterMs = 500;
/** How soon a replica that has another view of the ring, or was out of reach, is asked again. */
const askAgainMs = 50;
/** How long a replica may take that the answer no longer waits for. */
const backgroundMs = 10_000;

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
  #supply: Supply;
  #writings: Writing[] = [];
  readonly #run: number;
  #startedAt = 0;
  readonly #reply: Reply;
  #minted: Minted | undefined;
  #tally: Tally;
  #sentOut = false;
  /** Gaining peers that do not have the record yet. */
  readonly #gaining = new Set<PeerId>();
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
    this.#tally = this.#openTally();
  }

  get #isStrict(): boolean {
    return this.#command.mode === 'strict';
  }

  #openTally(): Tally {
    return openTally(this.#command.mode === 'any' ? 1 : this.#command.w, this.#isStrict);
  }

  start(now: Instant): void {
    const { self } = this.#env.members;
    const { primaries } = this.#supply;
    const isPrimary = primaries.includes(self);
    if (this.#isStrict && !(isPrimary && this.#env.confirmed())) {
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
    // While the own copy was written.
    if (this.#hasMoved()) return this.#replicateAnew(now);
    for (const peer of this.#supply.gaining) {
      if (peer === this.#env.members.self) continue;
      const writing: Writing = { peer, role: 'gaining', owner: undefined, state: 'pending', durable: false, standInAsked: true };
      this.#writings.push(writing);
      this.#gaining.add(peer);
      this.#write(now, writing);
    }
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

  /** The ring has changed: what counts now are its primaries, and those that gain by it. This peer's own copy stays. */
  #replicateAnew(now: Instant): void {
    const { members, calls } = this.#env;
    const own = this.#writings[0];
    this.#supply = new Supply(this.#address, this.#command.n, members, calls);
    this.#tally = this.#openTally();
    this.#gaining.clear();
    this.#cancelStandIns();
    this.#sentOut = false;
    this.#writings = [];
    if (own !== undefined) {
      const role = this.#supply.primaries.includes(members.self) && this.#env.confirmed() ? 'primary' : 'fallback';
      this.#writings.push({ ...own, role });
      this.#tally = succeeded(asked(this.#tally), role);
    }
    this.#replicate(now, []);
  }

  #hasMoved(): boolean {
    return this.#isStrict && !this.#supply.isCurrent;
  }

  #askAgain(now: Instant, writing: Writing): void {
    this.#env.timers.at(now.mono + askAgainMs, (then) => {
      if (this.#replied || !this.#writings.includes(writing)) return;
      if (this.#hasMoved()) this.#replicateAnew(then);
      else this.#send(then, writing);
    });
  }

  #write(now: Instant, writing: Writing): void {
    if (this.#minted === undefined) return;
    if (writing.role !== 'gaining') this.#tally = asked(this.#tally);
    this.#send(now, writing);
  }

  #send(now: Instant, writing: Writing): void {
    const { calls, members } = this.#env;
    const { bucket, key, n, resolver, budgetMs } = this.#command;
    const record = this.#minted?.record;
    if (record === undefined) return;
    this.#tellHop(writing);
    const among = this.#isStrict && writing.role !== 'fallback' ? this.#supply.among : undefined;
    const call = { type: 'store', bucket, key, n, record, owner: writing.owner, ordered: resolver !== 'siblings', among } as const;
    const options = { timeoutMs: Math.max(budgetMs, backgroundMs), ring: members.placement.digest };
    calls.ask(now, writing.peer, call, options, (then, result) => this.#answered(then, writing, result));
  }

  #answered(now: Instant, writing: Writing, result: Answer | CallFailure): void {
    if (!this.#writings.includes(writing)) return;
    if (typeof result === 'object' && result.type === 'stored') {
      writing.durable = result.durable;
      if (this.#isStrict && !result.agrees && !this.#replied) return this.#askAgain(now, writing);
      return this.#settle(now, writing, true);
    }
    // Without it the peer would not have all that it is to own.
    if (writing.role === 'gaining' && this.#isStrict && !this.#replied) return this.#askAgain(now, writing);
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
    if (this.#env.watched())
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
    const before = this.#verdict;
    if (writing.role === 'gaining') {
      if (stored) this.#gaining.delete(writing.peer);
    } else this.#tally = stored ? succeeded(this.#tally, writing.role) : failed(this.#tally);
    this.#tellAnswer(now, writing, before !== 'won' && this.#verdict === 'won');
    if (this.#tally.outstanding === 0) this.#cancelStandIns();
    this.#decide(now);
  }

  get #verdict(): Verdict {
    const decided = verdict(this.#tally);
    return decided === 'won' && this.#isStrict && this.#gaining.size > 0 ? 'pending' : decided;
  }

  #decide(now: Instant): void {
    const decided = this.#verdict;
    // Before the record is sent out nothing but the own write is under way: too early to call the quorum lost.
    if (decided === 'won' || (decided === 'lost' && this.#sentOut)) this.#answer(now);
  }

  #answer(now: Instant): void {
    if (this.#replied) return;
    this.#replied = true;
    this.#cancelDeadline();
    const receipts = this.#writings.map((writing) => this.#supply.receipt(writing, writing.state, writing.durable));
    const won = this.#verdict === 'won';
    const outcome = won ? 'ok' : this.#minted === undefined ? 'unknown' : 'partial';
    const sloppy = won && this.#tally.primaries < this.#tally.need;
    const dot = this.#minted?.dot;
    // What the client knows now: what it had seen, and its own version. Not the siblings that it did not see.
    const context = dot === undefined ? this.#command.context : joinVectors(this.#command.context, onlyDot(dot));
    this.#reply(now, { outcome, context, dot, receipts, sloppy });
  }
}
