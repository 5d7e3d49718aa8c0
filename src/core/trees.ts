/**
 * This peer's Merkle trees: one for each partition and number of replicas, since two peers share all records of a partition only among buckets for whose n
 * both are primaries (AE1).
 *
 * Leaves lie in storage beside the records and change in their batches. Trees are read at first use, some neighbours at a time, so that a start need not
 * read them all.
 */

import { fromByteString, toByteString } from './bytes.ts';
import type { Disk, StorageChange } from './disk.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant } from './ids.ts';
import { leafKey, leafOfKey, partitionOfLeafKey, prefixEnd, treesRange } from './layout.ts';
import { limits } from './limits.ts';
import { digestBytes, leafCount, leafNumber, leafOf, MerkleTree, recordDigest, xor } from './merkle.ts';
import type { RecordSet } from './record.ts';
import { partitionOf } from './ring.ts';

/** A record and the n of the bucket that it was written with; 0 when there is no record. */
export interface Held {
  readonly n: number;
  readonly record: RecordSet;
}

type Use<T> = (now: Instant, result: T | MeshError) => void;

const partitionsPerGroup = 16;
/** Follows the digest of a leaf that is doubted. */
const doubt = '?';

/** One number for a tree, and one for its group. */
const treeOf = (partition: number, n: number): number => partition * (limits.replicasMax + 1) + n;
const groupOf = (partition: number, n: number): number => treeOf(Math.floor(partition / partitionsPerGroup), n);

export class Trees {
  /** Leaves that may not be what their records make them, by `leafNumber`. */
  readonly doubted = new Set<number>();
  readonly #disk: Disk;
  readonly #partitions: number;
  readonly #recount: (leaf: number) => void;
  readonly #trees = new Map<number, MerkleTree>();
  /** Who waits for a group of trees, or that it is there. */
  readonly #groups = new Map<number, Use<undefined>[] | 'loaded'>();
  /** The n of which there are records here, ascending; another array once there is one more. */
  replicaCounts: readonly number[] = [];

  /** `recount` is called with a leaf that an earlier run has doubted. */
  constructor(disk: Disk, partitions: number, recount: (leaf: number) => void = () => {}) {
    this.#disk = disk;
    this.#partitions = partitions;
    this.#recount = recount;
  }

  #holds(n: number): void {
    if (!this.replicaCounts.includes(n)) this.replicaCounts = [...this.replicaCounts, n].sort((a, b) => a - b);
  }

  /** Looks which n an earlier run has left records of. */
  start(done: Use<undefined>, n = 1): void {
    if (n > limits.replicasMax) return this.#disk.read([], (now, result) => done(now, result instanceof MeshError ? result : undefined));
    this.#disk.range({ ...treesRange(n), limit: 1, keysOnly: true }, (now, entries) => {
      if (entries instanceof MeshError) return done(now, entries);
      if (entries.length > 0) this.#holds(n);
      this.start(done, n + 1);
    });
  }

  /** Undefined when it has not been read yet. */
  loaded(partition: number, n: number): MerkleTree | undefined {
    return this.#groups.get(groupOf(partition, n)) === 'loaded' ? this.#at(partition, n) : undefined;
  }

  tree(now: Instant, partition: number, n: number, use: Use<MerkleTree>): void {
    const group = groupOf(partition, n);
    const loading = this.#groups.get(group);
    if (loading === 'loaded') return use(now, this.#at(partition, n));
    const waiter: Use<undefined> = (then, error) => use(then, error instanceof MeshError ? error : this.#at(partition, n));
    if (loading !== undefined) {
      loading.push(waiter);
      return;
    }
    const waiting = [waiter];
    this.#groups.set(group, waiting);
    const firstPartition = partition - (partition % partitionsPerGroup);
    const from = leafKey(n, firstPartition, 0);
    const to = prefixEnd(leafKey(n, firstPartition + partitionsPerGroup - 1, leafCount - 1));
    this.#disk.range({ from, to, limit: partitionsPerGroup * leafCount }, (later, entries) => {
      if (entries instanceof MeshError) this.#groups.delete(group);
      else {
        this.#groups.set(group, 'loaded');
        for (const [key, row] of entries) this.#read(n, partitionOfLeafKey(key), leafOfKey(key), toByteString(row));
      }
      for (const done of waiting) done(later, entries instanceof MeshError ? entries : undefined);
    });
  }

  #read(n: number, partition: number, leaf: number, row: ByteString): void {
    this.#at(partition, n).setLeaf(leaf, row.slice(0, digestBytes) as ByteString);
    if (row.length === digestBytes) return;
    this.doubted.add(leafNumber(partition, leaf));
    this.#recount(leafNumber(partition, leaf));
  }

  #row(n: number, partition: number, leaf: number, digest: ByteString): StorageChange {
    const isDoubted = this.doubted.has(leafNumber(partition, leaf));
    return { key: leafKey(n, partition, leaf), value: fromByteString(isDoubted ? digest + doubt : digest) };
  }

  #at(partition: number, n: number): MerkleTree {
    const index = treeOf(partition, n);
    let tree = this.#trees.get(index);
    if (tree === undefined) this.#trees.set(index, (tree = new MerkleTree()));
    return tree;
  }

  /** Takes one state of a record out of the trees and the next one in. Their trees are loaded. Returns the leaves to be stored. */
  replace(address: Address, before: Held, after: Held): StorageChange[] {
    const out = recordDigest(address, before.record);
    const into = recordDigest(address, after.record);
    // Both in one tree: the leaf is written once, with both changes.
    if (before.n === after.n) return after.n === 0 ? [] : [this.#toggle(address, after.n, xor(out, into))];
    const changes: StorageChange[] = [];
    if (before.n > 0) changes.push(this.#toggle(address, before.n, out));
    if (after.n > 0) changes.push(this.#toggle(address, after.n, into));
    return changes;
  }

  #toggle({ position }: Address, n: number, digest: ByteString): StorageChange {
    const partition = partitionOf({ partitions: this.#partitions }, position);
    const leaf = leafOf(position, this.#partitions);
    this.#holds(n);
    return this.#row(n, partition, leaf, this.#at(partition, n).toggle(leaf, digest));
  }

  /** Sets a leaf to what its records make it. Its tree is loaded. Returns the leaf to be stored. */
  setLeaf(n: number, partition: number, leaf: number, digest: ByteString): StorageChange {
    this.#at(partition, n).setLeaf(leaf, digest);
    return this.#row(n, partition, leaf, digest);
  }
}
