/**
 * Hinted handoff: how this peer hands over what it keeps for primaries that could not be reached (Dynamo, section 4.6).
 *
 * A hint is a row beside the record, written in the same batch, so that it survives a restart (HH2). When its owner can be reached, the record's newest
 * state is sent, a few at a time; the hint goes only after the owner's acknowledgement (HH1). Delivery may repeat: merging is idempotent.
 *
 * A hint whose owner has left the ring is kept for the primaries of now instead (HH4). So is one that has grown too old, for those primaries that can be
 * reached: the owner gets it from them by anti-entropy when it returns, and what nobody else can take is kept however old it is (HH3).
 */

import type { Disk, StorageChange } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { type Hint, type HintIndex, hintRow, readHintRow } from './hint-index.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import { hintKey, hintOfKey } from './layout.ts';
import type { RecordSet } from './record.ts';
import { healthy } from './targets.ts';

const rowsPerRead = 1000;
const underWayMax = 32;
/** How many are given to other primaries at once. */
const movesMax = 500;
const retryMs = 1000;
const deliveryTimeoutMs = 5000;

interface Move {
  readonly hint: Hint;
  readonly to: readonly PeerId[];
}

export class Hints {
  readonly #env: Environment;
  readonly #disk: Disk;
  readonly #delivering = new Set<PeerId>();
  /** This peer leaves: what it keeps for those that cannot be reached goes to other primaries at once. */
  draining = false;

  constructor(env: Environment, disk: Disk) {
    this.#env = env;
    this.#disk = disk;
  }

  get #index(): HintIndex {
    return this.#env.replica.hints;
  }

  /** How many there are. */
  get held(): number {
    return this.#index.held;
  }

  /** Reads the hints that an earlier run has left. */
  start(now: Instant, done: (now: Instant, error: MeshError | undefined) => void): void {
    const found: Hint[] = [];
    const read = (from: ByteString): void => {
      this.#disk.range({ from, to: 'i' as ByteString, limit: rowsPerRead }, (then, rows) => {
        if (rows instanceof MeshError) return done(then, rows);
        for (const [key, row] of rows) {
          const hint = hintOfKey(key);
          if (hint !== undefined) found.push({ ...hint, ...readHintRow(row, now.wall) });
        }
        const last = rows.at(-1)?.[0];
        if (last !== undefined) return read(`${last}\0` as ByteString);
        found.sort((a, b) => a.keptAt - b.keptAt);
        for (const hint of found) this.#index.keep(hint);
        done(then, undefined);
      });
    };
    read('h' as ByteString);
  }

  /** Called now and then, and when a link comes up. */
  deliver(now: Instant): void {
    const { members } = this.#env;
    for (const owner of this.#index.owners) {
      if (members.placement.member(owner) === undefined) this.#reroute(now, owner, 'rerouted');
      else if (!this.#canReach(owner)) this.#reroute(now, owner, 'expired');
      else if (!this.#delivering.has(owner)) this.#round(now, owner);
    }
  }

  #canReach(owner: PeerId): boolean {
    return this.#env.calls.linked(owner) && this.#env.members.believedAlive(owner);
  }

  /** Tries each hint for an owner once, some of them at a time. */
  #round(now: Instant, owner: PeerId): void {
    this.#delivering.add(owner);
    const hints = this.#index.of(owner);
    // What is kept while the round goes on waits for the next one.
    let left = this.#index.countOf(owner);
    let open = 1;
    const end = (then: Instant): void => {
      if (--open > 0) return;
      if (this.#index.countOf(owner) === 0) this.#delivering.delete(owner);
      else this.#pause(then, owner);
    };
    const next = (then: Instant): void => {
      const hint = left-- > 0 && this.#env.calls.linked(owner) ? hints.next() : undefined;
      if (hint === undefined || hint.done === true) return end(then);
      this.#one(then, hint.value, next);
    };
    for (let i = 0; i < underWayMax; i++) {
      open++;
      next(now);
    }
    end(now);
  }

  #pause(now: Instant, owner: PeerId): void {
    this.#env.timers.at(now.mono + retryMs, (then) => {
      this.#delivering.delete(owner);
      this.deliver(then);
    });
  }

  #one(now: Instant, hint: Hint, done: (now: Instant) => void): void {
    const { replica, calls, members } = this.#env;
    const { owner, address, n } = hint;
    // The ring has changed since: it is for others now.
    const to = this.#primaries(hint).includes(owner) ? [] : this.#others(now, hint, 'rerouted');
    if (to.length > 0) return this.#move(now, [{ hint, to }], 'rerouted', done);
    replica.records.read(address, (then, record) => {
      if (record instanceof MeshError) return done(then);
      if (record.context.length === 0) return this.#settle(then, hint, record, done);
      const { bucket, key } = address;
      const options = { timeoutMs: deliveryTimeoutMs, ring: members.placement.digest };
      const call = { type: 'store', bucket, key, record, n, owner: undefined, ordered: false } as const;
      calls.ask(then, owner, call, options, (later, answer) => {
        const stored = typeof answer === 'object' && answer.type === 'stored';
        if (stored) this.#settle(later, hint, record, done);
        else done(later);
      });
    });
  }

  #settle(now: Instant, hint: Hint, record: RecordSet, done: (now: Instant) => void): void {
    const { owner } = hint;
    const isPrimary = this.#primaries(hint).includes(this.#env.members.self);
    this.#env.replica.settleHint(now, hint, record, isPrimary, (then, gone) => {
      if (gone === true) this.#env.emit({ type: 'hint', action: 'delivered', owner, held: this.held });
      done(then);
    });
  }

  /** Gives the hints of an owner, all or those that are too old, to other primaries. */
  #reroute(now: Instant, owner: PeerId, why: 'rerouted' | 'expired'): void {
    const oldest = this.draining ? Infinity : now.wall - this.#index.limits.maxAgeMs;
    const moves: Move[] = [];
    for (const hint of this.#index.of(owner)) {
      if (moves.length >= movesMax || (why === 'expired' && hint.keptAt > oldest)) break;
      const to = this.#others(now, hint, why);
      if (to.length > 0) moves.push({ hint, to });
    }
    if (moves.length > 0) this.#move(now, moves, why, (then, isDone) => void (isDone && this.deliver(then)));
  }

  /** Keeps records for others than before. What cannot be written is tried again with the next look. */
  #move(now: Instant, moves: readonly Move[], why: 'rerouted' | 'expired', done: (now: Instant, isDone: boolean) => void): void {
    const changes: StorageChange[] = [];
    for (const { hint, to } of moves) {
      this.#index.drop(hint);
      changes.push({ key: hintKey(hint.owner, hint.address), value: undefined });
      for (const owner of to) {
        const moved: Hint = { ...hint, owner, keptAt: Math.floor(now.wall) };
        this.#index.keep(moved);
        changes.push(hintRow(moved));
      }
    }
    this.#disk.write(changes, (then, written) => {
      for (const { hint, to } of moves) {
        if (written instanceof MeshError) this.#index.restore(hint);
        else {
          this.#env.emit({ type: 'hint', action: why, owner: hint.owner, held: this.held });
          for (const owner of to) this.#env.emit({ type: 'hint', action: 'stored', owner, held: this.held });
        }
      }
      done(then, !(written instanceof MeshError));
    });
  }

  /** Who takes over a hint: the primaries of now, only those that can be reached while the owner may still come back. */
  #others(now: Instant, hint: Hint, why: 'rerouted' | 'expired'): PeerId[] {
    const { members, calls } = this.#env;
    return this.#primaries(hint).filter(
      (peer) => peer !== members.self && peer !== hint.owner && (why === 'rerouted' || healthy(now, peer, members, calls)),
    );
  }

  #primaries({ address, n }: Hint): readonly PeerId[] {
    const { placement } = this.#env.members;
    return placement.primaries(placement.partition(address.position), n);
  }
}
