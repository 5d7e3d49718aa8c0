/**
 * A scrub: reads all records of this peer's storage, verifies their checksums (ST3) and recomputes the Merkle trees over them (AE1).
 *
 * It goes partition by partition and page by page, so that little is held in memory. A damaged record leaves its leaf different from those of the others, so
 * that an exchange brings it back: that is begun at the end. A leaf that does not add up is counted anew at once; a commit may have been under way, so
 * whether it was wrong is told by the recount.
 */

import type { AntiEntropy } from './anti-entropy.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant } from './ids.ts';
import { emptyDigest, leafCount, leafOf, recordDigest, xor, leafNumber } from './merkle.ts';
import { type RepairOutcome, RepairRun } from './repair-run.ts';
import type { Held } from './trees.ts';

export interface ScrubOutcome {
  /** Intact and damaged ones. */
  readonly records: number;
  readonly damaged: number;
  /** The first of them. */
  readonly names: readonly Address[];
  /** How many of `names` the others have given back. */
  readonly restored: number;
  /** Leaves that did not add up, though their records are intact; they were put right. */
  readonly leaves: number;
  /** The exchanges about the partitions with damaged records. */
  readonly repair: RepairOutcome | undefined;
  readonly ms: number;
}

interface PartitionSums {
  readonly partition: number;
  /** What the leaves must hold, by n. */
  readonly byCount: Map<number, ByteString[]>;
  readonly damagedLeaves: Set<number>;
}

const namesMax = 1000;
const progressMs = 200;
const recountsMaxMs = 5000;

export class ScrubRun {
  readonly #env: Environment;
  readonly #antiEntropy: AntiEntropy;
  readonly #counts: readonly number[];
  readonly #done: (now: Instant, outcome: ScrubOutcome | MeshError) => void;
  readonly #names: Address[] = [];
  readonly #damagedPartitions = new Set<number>();
  #records = 0;
  #damaged = 0;
  #leaves = 0;
  #recountsOpen = 0;
  #recounted: ((now: Instant) => void) | undefined;
  #startedAt = 0;
  #toldAt = -Infinity;
  #aborted = false;
  #repair: RepairRun | undefined;

  /** `counts`: as for a repair. */
  constructor(
    env: Environment,
    antiEntropy: AntiEntropy,
    counts: readonly number[],
    done: (now: Instant, outcome: ScrubOutcome | MeshError) => void,
  ) {
    this.#env = env;
    this.#antiEntropy = antiEntropy;
    this.#counts = counts;
    this.#done = done;
  }

  start(now: Instant): void {
    this.#startedAt = now.mono;
    this.#partition(now, 0);
  }

  /** Ends without an outcome. */
  abort(): void {
    this.#aborted = true;
    this.#repair?.abort();
  }

  get #partitions(): number {
    return this.#env.members.placement.ring.partitions;
  }

  #partition(now: Instant, partition: number): void {
    if (this.#aborted) return;
    this.#tell(now, partition);
    if (partition === this.#partitions) return this.#awaitRecounts(now);
    this.#page({ partition, byCount: new Map(), damagedLeaves: new Set() });
  }

  #page(sums: PartitionSums, after?: ByteString): void {
    this.#env.replica.records.page(sums.partition, after, (now, page) => {
      if (this.#aborted) return;
      if (page instanceof MeshError) return this.#done(now, page);
      if (page.last === undefined) return this.#load(now, sums, this.#countsIn(sums));
      for (const [address, held] of page.entries) this.#count(sums, address, held);
      this.#page(sums, page.last);
    });
  }

  #countsIn({ byCount }: PartitionSums): readonly number[] {
    return [...new Set([...this.#env.replica.records.trees.replicaCounts, ...byCount.keys()])];
  }

  #count({ partition, byCount, damagedLeaves }: PartitionSums, address: Address, held: Held | MeshError): void {
    this.#records++;
    const leaf = leafOf(address.position, this.#partitions);
    if (held instanceof MeshError) {
      this.#damaged++;
      if (this.#names.length < namesMax) this.#names.push(address);
      this.#damagedPartitions.add(partition);
      damagedLeaves.add(leaf);
      return;
    }
    let leaves = byCount.get(held.n);
    if (leaves === undefined) byCount.set(held.n, (leaves = Array<ByteString>(leafCount).fill(emptyDigest)));
    leaves[leaf] = xor(leaves[leaf] ?? emptyDigest, recordDigest(address, held.record));
  }

  /** Reads the partition's trees, then compares them with the records. */
  #load(now: Instant, sums: PartitionSums, counts: readonly number[], loaded = 0): void {
    const { trees } = this.#env.replica.records;
    const n = counts[loaded];
    if (n === undefined) {
      this.#compare(sums, counts);
      return this.#partition(now, sums.partition + 1);
    }
    trees.tree(now, sums.partition, n, (then, tree) => {
      if (tree instanceof MeshError) this.#done(then, tree);
      else this.#load(then, sums, counts, loaded + 1);
    });
  }

  #compare({ partition, byCount, damagedLeaves }: PartitionSums, counts: readonly number[]): void {
    const { records } = this.#env.replica;
    const isRight = (n: number, leaf: number): boolean =>
      records.trees.loaded(partition, n)?.leaf(leaf) === (byCount.get(n)?.[leaf] ?? emptyDigest);
    for (let leaf = 0; leaf < leafCount; leaf++) {
      if (counts.every((n) => isRight(n, leaf))) continue;
      this.#recountsOpen++;
      records.recount(leafNumber(partition, leaf), (now, wasWrong) => {
        if (wasWrong && !damagedLeaves.has(leaf)) this.#leaves++;
        if (--this.#recountsOpen === 0) this.#recounted?.(now);
      });
    }
  }

  /** A leaf that is written to all the time is not waited for. */
  #awaitRecounts(now: Instant): void {
    if (this.#recountsOpen === 0) return this.#bringBack(now);
    const cancel = this.#env.timers.at(now.mono + recountsMaxMs, (then) => this.#recounted?.(then));
    this.#recounted = (then) => {
      cancel();
      this.#recounted = undefined;
      this.#bringBack(then);
    };
  }

  #bringBack(now: Instant): void {
    if (this.#aborted) return;
    if (this.#damaged === 0) return this.#end(now, undefined, 0);
    const command = { partitions: [...this.#damagedPartitions], counts: this.#counts };
    this.#repair = new RepairRun(this.#env, this.#antiEntropy, command, (then, repair) => this.#countRestored(then, repair, 0, 0));
    this.#repair.start(now);
  }

  #countRestored(now: Instant, repair: RepairOutcome, index: number, restored: number): void {
    const address = this.#names[index];
    if (address === undefined) return this.#end(now, repair, restored);
    this.#env.replica.records.read(address, (then, record) => {
      this.#countRestored(then, repair, index + 1, record instanceof MeshError ? restored : restored + 1);
    });
  }

  #end(now: Instant, repair: RepairOutcome | undefined, restored: number): void {
    if (this.#aborted) return;
    const ms = now.mono - this.#startedAt;
    this.#done(now, { records: this.#records, damaged: this.#damaged, names: this.#names, restored, leaves: this.#leaves, repair, ms });
  }

  #tell(now: Instant, partitionsDone: number): void {
    const partitionsTotal = this.#partitions;
    if (partitionsDone < partitionsTotal && now.mono - this.#toldAt < progressMs) return;
    this.#toldAt = now.mono;
    const found = { records: this.#records, damaged: this.#damaged, leaves: this.#leaves };
    this.#env.emit({ type: 'scrub', partitionsDone, partitionsTotal, ...found });
  }
}
