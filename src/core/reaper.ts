/**
 * What becomes of deleted and expired values (TS1, TS3).
 *
 * A version that has expired is buried: it becomes a tombstone under its own dot, at each replica by itself. A record of nothing but tombstones is reaped once
 * it is old enough that no message from before the delete can still be under way, and every member of the mesh that may ever come back holds the same clock or
 * nothing. So a member that cannot be reached keeps the tombstones of all: space is lost for a while, and nothing deleted comes back.
 *
 * The first primary of a partition asks the others twice: whether they agree, and then to remove. Who has changed the record in between keeps it, and its newer
 * version comes back to the others by the usual ways. A store counts on from a floor where it has removed dots of its own, so that none is given twice.
 */

import type { Disk } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant, PeerId } from './ids.ts';
import { addressOf } from './hash.ts';
import { addressOfDueKey, dueRange } from './layout.ts';
import { recordDigest } from './merkle.ts';
import type { Answer, Call, LeafEntry } from './messages.ts';
import { deletedAt } from './record.ts';

export interface ReaperTimes {
  /** How often this peer looks. */
  readonly intervalMs: number;
  /** How old a tombstone is before it may be reaped: far longer than any message is under way. */
  readonly tombstoneAgeMs: number;
}

export const defaultReaperTimes: ReaperTimes = { intervalMs: 30_000, tombstoneAgeMs: 60 * 60_000 };

const pageSize = 100;
const callTimeoutMs = 10_000;

type ReapCall = Extract<Call, { type: 'reap' }>;

/** The members without whose word nothing may be reaped: all that have not left. Undefined when one of them cannot be asked. */
export type Everyone = () => readonly PeerId[] | undefined;

export class Reaper {
  readonly #env: Environment;
  readonly #disk: Disk;
  readonly #times: ReaperTimes;
  readonly #everyone: Everyone;

  constructor(env: Environment, disk: Disk, times: ReaperTimes, everyone: Everyone) {
    this.#env = env;
    this.#disk = disk;
    this.#times = times;
    this.#everyone = everyone;
  }

  start(now: Instant): void {
    const { timers, random } = this.#env;
    const { intervalMs } = this.#times;
    timers.at(now.mono + intervalMs / 2 + random.below(intervalMs), (then) => {
      this.#bury(then, (later) => this.#reap(later, undefined, (last) => this.start(last)));
    });
  }

  /** Turns what has expired into tombstones, page by page; what cannot be written now is left to the next round. */
  #bury(now: Instant, done: (now: Instant) => void, after?: ByteString): void {
    this.#disk.range(dueRange('e', Math.floor(now.wall), pageSize, after), (then, rows) => {
      if (rows instanceof MeshError) return done(then);
      const last = rows.at(-1)?.[0];
      if (last === undefined) return done(then);
      this.#each(
        then,
        rows,
        ([key], next) => this.#env.replica.bury(then, key, addressOfDueKey(key), next),
        (later) => this.#bury(later, done, last),
      );
    });
  }

  /** Calls `work` for each item, all at once, and `done` when all have ended. */
  #each<T>(now: Instant, items: readonly T[], work: (item: T, next: (now: Instant) => void) => void, done: (now: Instant) => void): void {
    let open = items.length;
    if (open === 0) return done(now);
    for (const item of items) work(item, (then) => void (--open === 0 && done(then)));
  }

  #reap(now: Instant, after: ByteString | undefined, done: (now: Instant) => void): void {
    const peers = this.#everyone();
    if (peers === undefined) return done(now);
    const range = dueRange('d', Math.floor(now.wall) - this.#times.tombstoneAgeMs, pageSize, after);
    this.#disk.range(range, (then, rows) => {
      if (rows instanceof MeshError) return done(then);
      const last = rows.at(-1)?.[0];
      if (last === undefined) return done(then);
      const entries: LeafEntry[] = [];
      const look = ([key]: (typeof rows)[number], next: (now: Instant) => void): void => this.#candidate(key, entries, next);
      this.#each(then, rows, look, (later) => {
        this.#ask(later, peers, entries, (ended, reaped) => {
          if (reaped > 0) this.#env.emit({ type: 'reaped', keys: reaped });
          this.#reap(ended, last, done);
        });
      });
    });
  }

  /** Adds a record that this peer is the one to reap. A row that does not fit its record any more is removed. */
  #candidate(key: ByteString, entries: LeafEntry[], next: (now: Instant) => void): void {
    const { members, replica } = this.#env;
    const address = addressOfDueKey(key);
    if (address === undefined) return replica.dropDue(key, next);
    replica.records.readHeld(address, (now, held) => {
      if (held instanceof MeshError) return next(now);
      if (deletedAt(held.record) === undefined) return replica.dropDue(key, next);
      const { placement, self } = members;
      const [first] = placement.primaries(placement.partition(address.position), held.n);
      if (first === self) entries.push({ bucket: address.bucket, key: address.key, digest: recordDigest(address, held.record) });
      next(now);
    });
  }

  /** Asks everyone for their word, and then to remove what all agree on; `done` is told how many are gone everywhere. */
  #ask(now: Instant, peers: readonly PeerId[], entries: readonly LeafEntry[], done: (now: Instant, reaped: number) => void): void {
    this.#round(now, peers, { type: 'reap', entries, commit: false }, (then, agreed) => {
      // A member that came or went meanwhile has not been asked.
      if (this.#everyone()?.join() !== peers.join()) return done(then, 0);
      this.#round(then, peers, { type: 'reap', entries: agreed, commit: true }, (later, gone) => done(later, gone.length));
    });
  }

  /** Asks everyone; `done` gets the entries to which all have said yes. No answer is no. */
  #round(now: Instant, peers: readonly PeerId[], call: ReapCall, done: (now: Instant, agreed: readonly LeafEntry[]) => void): void {
    if (call.entries.length === 0) return done(now, []);
    const votes: (readonly boolean[])[] = [];
    const ask = (peer: PeerId, next: (now: Instant) => void): void => {
      this.#env.calls.ask(now, peer, call, { timeoutMs: callTimeoutMs, ring: '' }, (then, answer) => {
        votes.push(typeof answer === 'object' && answer.type === 'reaped' ? answer.agreed : []);
        next(then);
      });
    };
    this.#each(now, peers, ask, (then) =>
      done(
        then,
        call.entries.filter((_, index) => votes.every((vote) => vote[index] === true)),
      ),
    );
  }
}

/** Serves one side of a reaping: votes, or removes what is as it was voted on. */
export function serveReap(env: Environment, now: Instant, call: ReapCall, answer: (now: Instant, answer: Answer) => void): void {
  const agreed = call.entries.map(() => false);
  let open = agreed.length;
  if (open === 0) return answer(now, { type: 'reaped', agreed });
  call.entries.forEach(({ bucket, key, digest }, index) => {
    const address: Address = addressOf(bucket, key);
    const settled = (then: Instant, agrees: boolean): void => {
      agreed[index] = agrees;
      if (--open === 0) answer(then, { type: 'reaped', agreed });
    };
    if (call.commit) return env.replica.reap(now, address, digest, settled);
    // What is being written may be undone by a crash, and be back as it was before.
    if (env.replica.records.isWriting(address)) return settled(now, false);
    env.replica.records.read(address, (then, record) => {
      const holds = !(record instanceof MeshError) && (record.context.length === 0 || recordDigest(address, record) === digest);
      settled(then, holds);
    });
  });
}
