/**
 * A put at the peer that the client talks to: hand it to a replica that mints its dot (VR2), this peer itself when it is one.
 *
 * Another replica is tried only while the put surely left no trace. Once it may have been taken and no answer came, the outcome is `unknown`:
 * a second replica would mint a second dot, and the put would become a sibling of itself (VR5).
 */

import type { CallFailure } from './calls.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import type { Address, Instant, PeerId } from './ids.ts';
import type { Answer, PutCommand, PutOutcome } from './messages.ts';
import { PutRun } from './put-run.ts';
import { Supply } from './targets.ts';

/** No error yet: nearly all of them only make this peer ask the next replica. */
type Refusal = Pick<MeshError, 'code' | 'message'>;
type Reply = (now: Instant, result: PutOutcome | MeshError, forwarded: boolean) => void;

/** How long to wait for some replica to become reachable, and how often to look. */
const patienceMs = 1000;
const noReplica = { code: 'UNREACHABLE', message: 'no replica of the key can be reached: nothing was written' } as const;
const lookAgainMs = 50;
/** The replica answers within the budget; this much later it is no longer waited for. */
const graceMs = 250;

export class PutForward {
  readonly #env: Environment;
  readonly #command: PutCommand;
  readonly #address: Address;
  readonly #reply: Reply;
  readonly #deadline: number;
  readonly #patientUntil: number;
  readonly #run: number;
  #tried = new Set<PeerId>();
  #refusal: Refusal | undefined;

  constructor(env: Environment, now: Instant, command: PutCommand, reply: Reply) {
    this.#env = env;
    this.#command = command;
    this.#address = addressOf(command.bucket, command.key);
    this.#reply = reply;
    this.#run = env.nextRun();
    this.#deadline = now.mono + command.budgetMs;
    // A peer that takes anything takes it itself as soon as it may mint.
    this.#patientUntil = now.mono + (command.mode === 'any' ? command.budgetMs : Math.min(command.budgetMs, patienceMs));
  }

  start(now: Instant): void {
    const supply = new Supply(this.#address, this.#command.n, this.#env.members, this.#env.calls);
    const replica = this.#choose(now, supply);
    if (replica === undefined) return this.#waitForOne(now);
    this.#tried.add(replica);
    if (replica === this.#env.members.self) {
      const run = new PutRun(this.#env, this.#command, (then, result) => {
        if (result instanceof MeshError) this.#refused(then, result, false);
        else this.#reply(then, result, false);
      });
      return run.start(now);
    }
    const budgetMs = Math.max(1, Math.floor(this.#deadline - now.mono));
    const { calls, members, emit } = this.#env;
    emit({
      type: 'hop',
      run: this.#run,
      kind: 'put',
      to: replica,
      position: this.#address.position,
      role: supply.primaries.includes(replica) ? 'primary' : 'fallback',
    });
    const options = { timeoutMs: budgetMs + graceMs, ring: members.placement.digest };
    calls.ask(now, replica, { type: 'put', command: { ...this.#command, budgetMs } }, options, (then, result) => {
      this.#answered(then, supply, replica, result);
    });
  }

  /** This peer if it is a primary, else the first healthy primary, else, unless strict, the first healthy fallback. */
  #choose(now: Instant, supply: Supply): PeerId | undefined {
    const { self } = this.#env.members;
    const free = (peer: PeerId): boolean => !this.#tried.has(peer) && supply.healthy(now, peer);
    if (supply.primaries.includes(self) && free(self)) return self;
    const primary = supply.primaries.find(free);
    if (primary !== undefined) return primary;
    // Better a primary that looks unwell than to refuse, once waiting has not helped.
    const linked = (peer: PeerId): boolean => !this.#tried.has(peer) && this.#env.calls.linked(peer);
    const lastResort = now.mono >= this.#patientUntil ? supply.primaries.find(linked) : undefined;
    if (this.#command.mode === 'strict') return lastResort;
    for (let peer = supply.nextFallback(now); peer !== undefined; peer = supply.nextFallback(now)) if (free(peer)) return peer;
    // A peer without a place on the ring takes it only when its caller is content with any copy (QR8).
    return this.#command.mode === 'any' && free(self) ? self : lastResort;
  }

  #waitForOne(now: Instant): void {
    if (now.mono >= this.#patientUntil) {
      const { code, message } = this.#refusal ?? noReplica;
      const error = new MeshError(code, message);
      return this.#reply(now, error, false);
    }
    this.#tried = new Set();
    this.#env.timers.at(now.mono + lookAgainMs, (then) => this.start(then));
  }

  /** A replica that knows itself to be the wrong one, whose record is damaged, or that has no room for a hint, has changed nothing. */
  #refused(now: Instant, refusal: Refusal, forwarded: boolean): void {
    const { code, message } = refusal;
    if (!['NOT_OWNER', 'RECORD_CORRUPT', 'HINTS_FULL'].includes(code)) return this.#reply(now, new MeshError(code, message), forwarded);
    if (code !== 'NOT_OWNER') this.#refusal = refusal;
    this.start(now);
  }

  #answered(now: Instant, supply: Supply, replica: PeerId, result: Answer | CallFailure): void {
    if (result === 'unsent') return this.start(now);
    if (typeof result === 'object' && result.type === 'putDone') return this.#reply(now, result.result, true);
    if (typeof result === 'object' && result.type === 'refused') return this.#refused(now, result, true);
    const state = result === 'timeout' ? 'timeout' : 'unreachable';
    const role = supply.primaries.includes(replica) ? 'primary' : 'fallback';
    const receipts = [supply.receipt({ peer: replica, role }, state, false)];
    this.#reply(now, { outcome: 'unknown', context: this.#command.context, dot: undefined, receipts, sloppy: false }, true);
  }
}
