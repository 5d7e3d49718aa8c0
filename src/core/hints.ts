/**
 * Hinted handoff: what this peer keeps for primaries that could not be reached, and how it hands it over (Dynamo, section 4.6).
 *
 * A hint is a row beside the record, written in the same batch, so that it survives a restart (HH2). When its owner can be reached, the record's newest
 * state is sent, a few at a time; the hint goes only after the owner's acknowledgement (HH1). Delivery may repeat: merging is idempotent.
 */

import type { Disk } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant, PeerId } from './ids.ts';
import { hintOfKey, prefixEnd } from './layout.ts';
import { textToBytes } from './bytes.ts';
import type { RecordSet } from './record.ts';

interface Round {
  readonly owner: PeerId;
  readonly added: number;
  kept: number;
}

const pageSize = 64;
const retryMs = 1000;
const deliveryTimeoutMs = 5000;

export class Hints {
  readonly #env: Environment;
  readonly #disk: Disk;
  /** Owners for whom there may be hints in storage, with the number of hints that were added since the start. */
  readonly #owners = new Map<PeerId, number>();
  readonly #delivering = new Set<PeerId>();

  constructor(env: Environment, disk: Disk) {
    this.#env = env;
    this.#disk = disk;
  }

  /** How many owners there are hints for. */
  get owners(): number {
    return this.#owners.size;
  }

  /** Looks through the hints that an earlier run has left, an owner at a time. */
  start(done: (now: Instant, error: MeshError | undefined) => void, after = 'h' as ByteString): void {
    this.#disk.range({ from: after, to: 'i' as ByteString, limit: 1, keysOnly: true }, (now, entries) => {
      if (entries instanceof MeshError) return done(now, entries);
      const first = entries[0];
      if (first === undefined) return done(now, undefined);
      const hint = hintOfKey(first[0]);
      if (hint === undefined) return this.start(done, `${first[0]}\0` as ByteString);
      this.#owners.set(hint.owner, 0);
      this.start(done, ownerRange(hint.owner).to);
    });
  }

  /** A hint for this owner has been stored. */
  added(owner: PeerId): void {
    this.#owners.set(owner, (this.#owners.get(owner) ?? 0) + 1);
    this.#env.emit({ type: 'hint', action: 'stored', owner, held: this.#owners.size });
  }

  /** Called now and then, and when a link comes up. */
  deliver(): void {
    const { members, calls } = this.#env;
    for (const [owner, added] of this.#owners) {
      if (this.#delivering.has(owner) || !calls.linked(owner) || !members.believedAlive(owner)) continue;
      this.#delivering.add(owner);
      this.#page({ owner, added, kept: 0 }, ownerRange(owner).from);
    }
  }

  /** Delivers one page, then the next one; `from` moves past hints whose delivery failed, so that each round tries each hint once. */
  #page(round: Round, from: ByteString): void {
    const { owner } = round;
    this.#disk.range({ from, to: ownerRange(owner).to, limit: pageSize }, (now, entries) => {
      if (entries instanceof MeshError || !this.#env.calls.linked(owner)) return this.#pause(now, owner);
      const last = entries.at(-1);
      if (last === undefined) return this.#roundDone(now, round);
      let open = entries.length;
      for (const [key, value] of entries) {
        this.#one(now, owner, hintOfKey(key)?.address, value[0] ?? 0, (_, gone) => {
          if (!gone) round.kept++;
          if (--open === 0) this.#page(round, `${last[0]}\0` as ByteString);
        });
      }
    });
  }

  #roundDone(now: Instant, round: Round): void {
    // A hint that was added while the round went on may lie before the place that it had reached.
    if (round.kept > 0 || this.#owners.get(round.owner) !== round.added) return this.#pause(now, round.owner);
    this.#delivering.delete(round.owner);
    this.#owners.delete(round.owner);
  }

  #pause(now: Instant, owner: PeerId): void {
    this.#env.timers.at(now.mono + retryMs, () => {
      this.#delivering.delete(owner);
      this.deliver();
    });
  }

  #one(now: Instant, owner: PeerId, address: Address | undefined, n: number, done: (now: Instant, gone: boolean) => void): void {
    if (address === undefined) return done(now, true);
    const { replica, calls, members } = this.#env;
    replica.records.read(address, (then, record) => {
      if (record instanceof MeshError) return done(then, false);
      if (record.context.length === 0) return this.#settle(then, owner, address, n, record, done);
      const { bucket, key } = address;
      const options = { timeoutMs: deliveryTimeoutMs, ring: members.placement.ring.digest };
      calls.ask(then, owner, { type: 'store', bucket, key, record, n, owner: undefined, ordered: false }, options, (later, answer) => {
        const stored = typeof answer === 'object' && answer.type === 'stored';
        if (stored) this.#settle(later, owner, address, n, record, done);
        else done(later, false);
      });
    });
  }

  #settle(now: Instant, owner: PeerId, address: Address, n: number, record: RecordSet, done: (now: Instant, gone: boolean) => void): void {
    const { placement, self } = this.#env.members;
    // While there are hints for other owners the copy may be theirs, too.
    const keepCopy = this.#owners.size > 1 || placement.primaries(placement.partition(address.position), n).includes(self);
    this.#env.replica.settleHint(now, owner, address, n, record, keepCopy, (then, gone) => {
      if (gone === true) this.#env.emit({ type: 'hint', action: 'delivered', owner, held: this.#owners.size });
      done(then, gone === true);
    });
  }
}

function ownerRange(owner: PeerId): { from: ByteString; to: ByteString } {
  const from = `h${textToBytes(owner)}\0` as ByteString;
  return { from, to: prefixEnd(from) };
}
