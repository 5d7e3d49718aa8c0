/**
 * Merkle leaves that may not fit the records under them any more, and their recount.
 *
 * A leaf changes by what a commit changes (AE1), so a commit that fails, or a record that is damaged, leaves it wrong, and it would stay wrong: every later
 * change builds on it. A doubted leaf is therefore counted anew from its records, once no commit to it is under way, and until its records could all be read. The doubt
 * is stored with the leaf: a leaf that is wrong may look like that of another peer, which would hide for ever what is missing.
 */

import type { Disk } from './disk.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant } from './ids.ts';
import { emptyDigest, leafCount, xor } from './merkle.ts';
import type { Trees } from './trees.ts';

/** What there is to know of a record in a leaf. */
export interface LeafRecord {
  readonly address: Address;
  readonly n: number;
  readonly digest: ByteString;
}

export interface LeafContent {
  /** The intact ones. */
  readonly records: readonly LeafRecord[];
  /** Some could not be read. */
  readonly damaged: boolean;
}

/** Reads one leaf, numbered across partitions. */
export type ReadLeaf = (leaf: number, done: (now: Instant, result: LeafContent | MeshError) => void) => void;

type CheckDone = (now: Instant, wasWrong: boolean) => void;

export class Recounts {
  readonly #disk: Disk;
  readonly #trees: Trees;
  readonly #read: ReadLeaf;
  readonly #isBusy: (leaf: number) => boolean;
  /** Who waits for the recount of a leaf. */
  readonly #checks = new Map<number, CheckDone[]>();
  /** True once a commit has been asked for since the records were read: they are out of date. */
  readonly #underWay = new Map<number, boolean>();

  /** `isBusy`: whether a commit to this leaf is under way. */
  constructor(options: { disk: Disk; trees: Trees; read: ReadLeaf; isBusy: (leaf: number) => boolean }) {
    this.#disk = options.disk;
    this.#trees = options.trees;
    this.#read = options.read;
    this.#isBusy = options.isBusy;
  }

  doubt(leaf: number): void {
    this.#trees.doubted.add(leaf);
    this.attempt(leaf);
  }

  /** Counts a leaf anew that seems to be wrong. `done` is told whether it was, once it is put right; later if it cannot be counted now. */
  check(leaf: number, done: CheckDone): void {
    this.#checks.set(leaf, [...(this.#checks.get(leaf) ?? []), done]);
    this.doubt(leaf);
  }

  /** Tries again what could not be counted: called now and then. */
  attemptAll(): void {
    for (const leaf of this.#trees.doubted) this.attempt(leaf);
  }

  /** A commit to this leaf has been asked for. */
  changed(leaf: number): void {
    if (this.#underWay.has(leaf)) this.#underWay.set(leaf, true);
  }

  /** Counts a doubted leaf anew, unless a commit is under way; the end of that one is the next occasion. */
  attempt(leaf: number): void {
    if (!this.#trees.doubted.has(leaf) || this.#underWay.has(leaf) || this.#isBusy(leaf)) return;
    this.#underWay.set(leaf, false);
    const partition = Math.floor(leaf / leafCount);
    this.#read(leaf, (then, found) => {
      if (found instanceof MeshError) return void this.#underWay.delete(leaf);
      const counts = new Set([...this.#trees.replicaCounts, ...found.records.map((record) => record.n)]);
      this.#loadTrees(then, partition, [...counts], (_, error) => {
        const outdated = this.#underWay.get(leaf) === true;
        this.#underWay.delete(leaf);
        if (outdated) this.attempt(leaf);
        else if (error === undefined) this.#put(partition, leaf, [...counts], found);
      });
    });
  }

  #loadTrees(now: Instant, partition: number, counts: readonly number[], done: (now: Instant, error?: MeshError) => void): void {
    const [n, ...rest] = counts;
    if (n === undefined) return done(now);
    this.#trees.tree(now, partition, n, (then, tree) => {
      if (tree instanceof MeshError) done(then, tree);
      else this.#loadTrees(then, partition, rest, done);
    });
  }

  #put(partition: number, leaf: number, counts: readonly number[], { records, damaged }: LeafContent): void {
    const wasWrong = counts.some((n) => this.#trees.loaded(partition, n)?.leaf(leaf % leafCount) !== sumOf(records, n));
    // Without the damaged ones the leaf is not what others have, so that they send theirs. But damage may be of the reading only.
    if (!damaged) this.#trees.doubted.delete(leaf);
    const changes = counts.map((n) => this.#trees.setLeaf(n, partition, leaf % leafCount, sumOf(records, n)));
    const checks = this.#checks.get(leaf) ?? [];
    this.#checks.delete(leaf);
    this.#disk.write(changes, (now, written) => {
      if (written instanceof MeshError) this.#trees.doubted.add(leaf);
      for (const done of checks) done(now, wasWrong);
    });
  }
}

/** What a leaf of the trees for `n` must hold when these are its records. */
export function sumOf(records: readonly LeafRecord[], n: number): ByteString {
  let sum = emptyDigest;
  for (const record of records) if (record.n === n) sum = xor(sum, record.digest);
  return sum;
}
