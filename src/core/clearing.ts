/**
 * Clearing away: records of partitions that this peer does not own any more are handed to all who do, and removed (TR1: the old copy goes last).
 *
 * It waits until nobody joins or leaves and the ring has been the same for a while. A record is removed only as it was when the comparison with every owner began; one that
 * has changed since waits for the next time. What is kept for somebody else (a hint) stays. Where others tell later of a record that is gone here, a new epoch begins (VR3).
 */

import type { AntiEntropy } from './anti-entropy.ts';
import type { Disk } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant, PeerId } from './ids.ts';
import { addressOfRecordKey, firstRecordRange } from './layout.ts';
import type { Membership } from './membership.ts';
import { recordDigest } from './merkle.ts';

const calmMs = 3000;
const intervalMs = 60_000;
const removalsAtOnce = 32;

interface Stray {
  readonly address: Address;
  readonly n: number;
  readonly digest: ByteString;
}

export class Clearing {
  readonly #env: Environment;
  readonly #members: Membership;
  readonly #disk: Disk;
  readonly #antiEntropy: AntiEntropy;
  #digest = '';
  #running = false;
  #removed = 0;

  constructor(env: Environment, members: Membership, disk: Disk, antiEntropy: AntiEntropy) {
    this.#env = env;
    this.#members = members;
    this.#disk = disk;
    this.#antiEntropy = antiEntropy;
  }

  start(now: Instant): void {
    this.#env.timers.at(now.mono + intervalMs, (then) => {
      this.#run(then);
      this.start(then);
    });
  }

  ringMayHaveChanged(now: Instant): void {
    const { digest } = this.#members.placement;
    if (digest === this.#digest) return;
    this.#digest = digest;
    this.#soon(now);
  }

  #soon(now: Instant): void {
    const digest = this.#digest;
    this.#env.timers.at(now.mono + calmMs, (then) => {
      if (digest === this.#digest) this.#run(then);
    });
  }

  #run(now: Instant): void {
    const { placement, record } = this.#members;
    if (this.#running || !placement.isSettled || record.status === 'joining' || placement.ring.members.length === 0) return;
    this.#running = true;
    this.#removed = 0;
    this.#partition(now, 0, placement.digest);
  }

  #end(now: Instant, isClear: boolean): void {
    this.#running = false;
    if (this.#removed > 0) this.#env.emit({ type: 'cleared', keys: this.#removed });
    if (!isClear) this.#soon(now);
  }

  /** Finds the next partition with records from this one on. */
  #partition(now: Instant, from: number, digest: string): void {
    const { placement, self } = this.#members;
    if (placement.digest !== digest) return this.#end(now, false);
    const { partitions } = placement.ring;
    const { replicaCounts } = this.#env.replica.records.trees;
    let partition = from;
    while (partition < partitions && replicaCounts.every((n) => placement.primaries(partition, n).includes(self))) partition++;
    if (partition >= partitions) return this.#end(now, true);
    this.#disk.range(firstRecordRange(partition, partitions), (then, rows) => {
      if (rows instanceof MeshError) return this.#end(then, false);
      const found = rows[0] === undefined ? undefined : addressOfRecordKey(rows[0][0]);
      if (found === undefined) return this.#end(then, true);
      const next = placement.partition(found.position);
      if (next > partition) return this.#partition(then, next, digest);
      this.#page(partition, undefined, (later, isDone) => {
        if (isDone) this.#partition(later, partition + 1, digest);
        else this.#end(later, false);
      });
    });
  }

  #page(partition: number, after: ByteString | undefined, done: (now: Instant, isDone: boolean) => void): void {
    const { records, hints } = this.#env.replica;
    const { placement, self } = this.#members;
    records.page(partition, after, (then, page) => {
      if (page instanceof MeshError) return done(then, false);
      if (page.last === undefined) return done(then, true);
      const strays: Stray[] = [];
      for (const [address, held] of page.entries) {
        // A damaged record is mended first, for it may hold what nobody else does.
        if (held instanceof MeshError) return done(then, false);
        const isOurs = placement.primaries(partition, held.n).includes(self) || hints.keeps(address);
        if (!isOurs) strays.push({ address, n: held.n, digest: recordDigest(address, held.record) });
      }
      this.#handOver(then, partition, strays, (later, isDone) => {
        if (!isDone) return done(later, false);
        this.#remove(later, strays, () => this.#page(partition, page.last, done));
      });
    });
  }

  /** Compares with all owners, so that each of them has all that is to be removed here. */
  #handOver(now: Instant, partition: number, strays: readonly Stray[], done: (now: Instant, isDone: boolean) => void): void {
    const { placement } = this.#members;
    const counts = [...new Set(strays.map(({ n }) => n))];
    const talks = counts.flatMap((n) => placement.primaries(partition, n).map((peer) => ({ peer, n })));
    const next = (then: Instant, index: number): void => {
      const talk = talks[index];
      if (talk === undefined) return done(then, true);
      if (!this.#env.calls.linked(talk.peer) || !this.#members.believedAlive(talk.peer)) return done(then, false);
      this.#exchange(then, talk.peer, talk.n, partition, (later, isWhole) => (isWhole ? next(later, index + 1) : done(later, false)));
    };
    next(now, 0);
  }

  #exchange(now: Instant, peer: PeerId, n: number, partition: number, done: (now: Instant, isWhole: boolean) => void): void {
    this.#antiEntropy.exchange(now, {
      peer,
      counts: [n],
      partitions: [partition],
      givesOnly: true,
      done: (then, { failure, skipped }) => done(then, failure === undefined && skipped === 0),
    });
  }

  #remove(now: Instant, strays: readonly Stray[], done: (now: Instant) => void): void {
    const waiting = [...strays];
    let open = 1;
    const end = (then: Instant): void => {
      if (--open === 0) done(then);
    };
    const one = (then: Instant): void => {
      const stray = waiting.pop();
      if (stray === undefined) return end(then);
      this.#env.replica.discard(then, stray.address, stray.digest, (later, gone) => {
        if (gone) this.#removed++;
        one(later);
      });
    };
    for (let i = 0; i < removalsAtOnce && i < strays.length; i++) {
      open++;
      one(now);
    }
    end(now);
  }
}

/** Empties the store of a peer that was removed or had left: what it holds may have been deleted since. What it keeps for others is delivered still (TS2). */
export function emptyStore(
  env: Pick<Environment, 'replica' | 'emit'>,
  partitions: number,
  now: Instant,
  done: (now: Instant, error: MeshError | undefined) => void,
): void {
  const { records, hints } = env.replica;
  let removed = 0;
  const next = (then: Instant, partition: number, after: ByteString | undefined): void => {
    if (partition === partitions) {
      if (removed > 0) env.emit({ type: 'cleared', keys: removed });
      return done(then, undefined);
    }
    records.page(partition, after, (read, page) => {
      if (page instanceof MeshError) return done(read, page);
      if (page.last === undefined) return next(read, partition + 1, undefined);
      let open = 1;
      const end = (later: Instant): void => {
        if (--open === 0) next(later, partition, page.last);
      };
      for (const [address, held] of page.entries) {
        if (held instanceof MeshError || hints.keeps(address)) continue;
        open++;
        env.replica.discard(read, address, recordDigest(address, held.record), (later, gone) => {
          if (gone) removed++;
          end(later);
        });
      }
      end(read);
    });
  };
  next(now, 0, undefined);
}
