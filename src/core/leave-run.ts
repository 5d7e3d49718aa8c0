/**
 * Leaving: this peer says that it leaves, and owns what it has until others have copied it; then it is gone, and may be stopped (TR3).
 *
 * Those that gain what it owns copy it by themselves, from it and from the others (`takeover.ts`). Meanwhile it makes sure that its fellow owners have what it has, and gives
 * what it keeps for others away. All of it may be begun again at any time: a peer that is stopped in the middle goes on when it is started.
 */

import type { AntiEntropy } from './anti-entropy.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Hints } from './hints.ts';
import type { Instant, PeerId } from './ids.ts';
import type { Membership } from './membership.ts';
import { isGone, stateOf } from './member-table.ts';
import type { TakeoverProgress } from './messages.ts';
import { RepairRun } from './repair-run.ts';
import { secondsLeft } from './transfer.ts';

const lookMs = 250;
const callTimeoutMs = 2000;
const farewellMs = 3000;

export interface LeaveParts {
  readonly env: Environment;
  readonly members: Membership;
  readonly antiEntropy: AntiEntropy;
  readonly hints: Hints;
}

export class LeaveRun {
  readonly #parts: LeaveParts;
  readonly #done: (now: Instant, error: MeshError | undefined) => void;
  readonly #progress = new Map<PeerId, TakeoverProgress>();
  #askedBy = '';
  #compared = false;
  #retired = false;
  #beganAt = 0;

  constructor(parts: LeaveParts, done: (now: Instant, error: MeshError | undefined) => void) {
    this.#parts = parts;
    this.#done = done;
  }

  start(now: Instant): void {
    const { members } = this.#parts;
    const { status } = members.record;
    if (status === 'left') return this.#done(now, undefined);
    const owns = members.placement.ring.members.some(({ peer }) => peer === members.self);
    if (owns && this.#stayers.length === 0) {
      return this.#done(now, new MeshError('OPTION_INVALID', 'no other member would own the data: let another one join first'));
    }
    this.#parts.hints.draining = true;
    if (status === 'joining') return this.#farewell(now);
    this.#beganAt = now.mono;
    members.become(now, 'leaving');
    this.#compare(now);
    this.#look(now);
  }

  /** The owners that do not leave. */
  get #stayers(): PeerId[] {
    const { placement, self } = this.#parts.members;
    return placement.ring.members.map(({ peer }) => peer).filter((peer) => peer !== self && !placement.movers.leaving.has(peer));
  }

  /** Its fellow owners have what it has. */
  #compare(now: Instant): void {
    const { env, antiEntropy } = this.#parts;
    const run = new RepairRun(env, antiEntropy, { partitions: undefined, counts: [] }, (then, { failed }) => {
      const unwell = failed.some(({ peer }) => this.#isPresent(peer));
      if (!unwell) this.#compared = true;
      else env.timers.at(then.mono + lookMs, (later) => this.#compare(later));
    });
    run.start(now);
  }

  #isPresent(peer: PeerId): boolean {
    const member = this.#parts.members.table.get(peer);
    return member !== undefined && !isGone(member) && stateOf(member) !== 'dead';
  }

  #look(now: Instant): void {
    const { env, members, hints } = this.#parts;
    const { placement, self } = members;
    const heirs = [...members.table.all()].map(({ signed }) => signed.record.peer).filter((peer) => peer !== self && this.#isPresent(peer));
    const options = { timeoutMs: callTimeoutMs, ring: placement.digest };
    // What they said of another placement is worth nothing.
    if (this.#askedBy !== placement.digest) this.#progress.clear();
    this.#askedBy = placement.digest;
    for (const peer of heirs) {
      env.calls.ask(now, peer, { type: 'takeover', placement: placement.digest }, options, (_, answer) => {
        if (this.#askedBy !== placement.digest) return;
        if (typeof answer === 'object' && answer.type === 'takenOver' && answer.progress.agrees) this.#progress.set(peer, answer.progress);
        else this.#progress.delete(peer);
      });
    }
    const known = heirs.map((peer) => this.#progress.get(peer));
    const isTaken = known.every((progress) => progress?.ready === true) && placement.movers.leaving.has(self);
    this.#tell(now, known, hints.held);
    if (isTaken && this.#compared && hints.held === 0 && this.#seesMost(heirs.length)) {
      if (this.#retired) return this.#farewell(now);
      // Whatever it takes from now on nobody might hear of: it mints no more, and compares what it has taken until now.
      this.#retired = true;
      this.#compared = false;
      env.replica.retire();
      this.#compare(now);
    }
    env.timers.at(now.mono + lookMs, (then) => this.#look(then));
  }

  /** Alone on its side of a split it would hand over nothing. */
  #seesMost(heirs: number): boolean {
    return heirs > 0 && heirs * 2 > this.#stayers.length;
  }

  #tell(now: Instant, known: readonly (TakeoverProgress | undefined)[], hints: number): void {
    const sum = { partitions: 0, partitionsDone: 0, keys: 0, bytes: 0 };
    let waitsFor = '';
    for (const progress of known) {
      sum.partitions += progress?.partitions ?? 0;
      sum.partitionsDone += progress?.partitionsDone ?? 0;
      sum.keys += progress?.keys ?? 0;
      sum.bytes += progress?.bytes ?? 0;
      waitsFor ||= progress?.waitsFor ?? '';
    }
    const told = { ...sum, waitsFor };
    this.#parts.env.emit({ type: 'leaving', ...told, hints, secondsLeft: secondsLeft(told, now.mono - this.#beganAt) });
  }

  /** It is gone once the others know. */
  #farewell(now: Instant): void {
    const { env, members } = this.#parts;
    members.become(now, 'left');
    const until = now.mono + farewellMs;
    const waiting = new Set([...env.calls.links()].filter((peer) => this.#isPresent(peer)));
    const look = (then: Instant): void => {
      if (waiting.size === 0 || then.mono > until) return this.#done(then, undefined);
      for (const peer of waiting) {
        members.confirm(then, peer, callTimeoutMs, () => void waiting.delete(peer));
      }
      env.timers.at(then.mono + lookMs / 5, look);
    };
    look(now);
  }
}
