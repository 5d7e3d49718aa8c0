/**
 * What two peers compare: the trees of the partitions for which both are primaries, under two more levels, so that equal peers need one round trip and unequal
 * ones a few (AE2). Nodes are numbered within their level; a node has a fixed number of children, those not shared count as empty.
 *
 *   all        one node          over the groups
 *   group      64 of them        over the roots of its partitions
 *   partition  its root          over its 16 inner nodes
 *   inner      16 a partition    over its 16 leaves
 */

import type { ByteString, Instant, PeerId } from './ids.ts';
import { MeshError } from './errors.ts';
import { digestOf, emptyDigest, innerCount, leavesPerInner, type MerkleTree } from './merkle.ts';
import type { CompareLevel } from './messages.ts';
import type { Placement } from './placement.ts';
import type { Trees } from './trees.ts';

const groupsMax = 64;
const groupsOf = (partitions: number): number => Math.min(groupsMax, partitions);
const groupSizeOf = (partitions: number): number => partitions / groupsOf(partitions);

/** All members that hold some partition together with this one, by the ring, for buckets with one of these n. */
export function sharers(
  { self, placement }: { readonly self: PeerId; readonly placement: Placement },
  counts: readonly number[],
  partitions?: readonly number[],
): PeerId[] {
  const found = new Set<PeerId>();
  const total = partitions?.length ?? placement.ring.partitions;
  for (const n of counts) {
    for (let i = 0; i < total; i++) {
      const primaries = placement.primaries(partitions?.[i] ?? i, n);
      if (primaries.includes(self)) for (const peer of primaries) found.add(peer);
    }
  }
  found.delete(self);
  return [...found].sort();
}

/** Digests as they were at the last comparison: from one to the next few groups change. */
interface KnownDigests {
  /** Of these partitions: a placement names the same ones with the same list. */
  readonly chosen: readonly number[];
  /** By group: how often the trees in it had changed, and its digest then. */
  readonly changes: Float64Array;
  readonly groups: ByteString[];
  all: ByteString | undefined;
}

const pairsMax = 1024;
const known = new WeakMap<Trees, Map<string, KnownDigests>>();

interface Chosen {
  readonly total: number;
  readonly chosen: readonly number[];
}

export class Comparison {
  readonly #partitions: number;
  /** By partition; undefined where this peer has nothing with this n. */
  readonly #trees: ReadonlyMap<number, MerkleTree | undefined>;
  readonly #known: KnownDigests;

  private constructor(partitions: number, trees: ReadonlyMap<number, MerkleTree | undefined>, digests: KnownDigests) {
    this.#partitions = partitions;
    this.#trees = trees;
    this.#known = digests;
  }

  /** Reads the trees that this peer shares with another one by the ring that it knows now. */
  static open(
    now: Instant,
    trees: Trees,
    placement: Placement,
    pair: readonly [PeerId, PeerId],
    n: number,
    done: (now: Instant, result: Comparison | MeshError) => void,
  ): void {
    const chosen = placement.shared(pair, n);
    const total = placement.ring.partitions;
    let byPair = known.get(trees);
    if (byPair === undefined) known.set(trees, (byPair = new Map<string, KnownDigests>()));
    const name = `${n} ${pair.join(' ')}`;
    let digests = byPair.get(name);
    if (byPair.size > pairsMax) byPair.clear();
    if (digests?.chosen !== chosen) byPair.set(name, (digests = noDigests({ total, chosen })));
    Comparison.#read(now, trees, { total, chosen }, n, digests, done);
  }

  /** Reads the trees of these partitions, whoever owns them: for the two lower levels, where nodes name their partitions. */
  static of(now: Instant, trees: Trees, partitions: Chosen, n: number, done: (now: Instant, result: Comparison | MeshError) => void): void {
    Comparison.#read(now, trees, partitions, n, noDigests(partitions), done);
  }

  static #read(
    now: Instant,
    trees: Trees,
    { total, chosen }: Chosen,
    n: number,
    digests: KnownDigests,
    done: (now: Instant, result: Comparison | MeshError) => void,
  ): void {
    const read = new Map<number, MerkleTree | undefined>();
    // Empty trees would cost as much memory as full ones.
    const isEmpty = !trees.replicaCounts.includes(n);
    const next = (then: Instant, from: number): void => {
      for (let index = from; index < chosen.length; index++) {
        const partition = chosen[index] ?? 0;
        const tree = isEmpty ? undefined : trees.loaded(partition, n);
        if (isEmpty || tree !== undefined) read.set(partition, tree);
        else
          return trees.tree(then, partition, n, (later, error) => (error instanceof MeshError ? done(later, error) : next(later, index)));
      }
      done(then, new Comparison(total, read, digests));
    };
    next(now, 0);
  }

  /** Those that are compared. */
  get partitions(): readonly number[] {
    return this.#known.chosen;
  }

  get #groupSize(): number {
    return groupSizeOf(this.#partitions);
  }

  get digest(): ByteString {
    this.#digestGroups();
    this.#known.all ??= digestOf(this.#known.groups);
    return this.#known.all;
  }

  /** The digests of a node's children. */
  below(level: CompareLevel, node: number): readonly ByteString[] {
    switch (level) {
      case 'all':
        this.#digestGroups();
        return this.#known.groups;
      case 'group':
        return Array.from({ length: this.#groupSize }, (_, index) => this.#trees.get(node * this.#groupSize + index)?.root ?? emptyDigest);
      case 'partition':
        return this.#trees.get(node)?.inner() ?? Array<ByteString>(innerCount).fill(emptyDigest);
      case 'inner':
        return (
          this.#trees.get(Math.floor(node / innerCount))?.leavesUnder(node % innerCount) ??
          Array<ByteString>(leavesPerInner).fill(emptyDigest)
        );
    }
  }

  /** Digests the groups anew in which a tree has changed. */
  #digestGroups(): void {
    const { changes, groups } = this.#known;
    const size = this.#groupSize;
    const found = new Float64Array(groups.length);
    for (const [partition, tree] of this.#trees) {
      const group = Math.floor(partition / size);
      // Counters only rise: where their sum is the same, each of them is.
      found[group] = (found[group] ?? 0) + (tree?.changes ?? 0);
    }
    for (let group = 0; group < groups.length; group++) {
      if (found[group] === changes[group]) continue;
      changes[group] = found[group] ?? 0;
      groups[group] = digestOf(this.below('group', group));
      this.#known.all = undefined;
    }
  }

  /** The children of these nodes whose digests are not the other peer's, numbered within the next level; with `heldOnly` those that are empty here are passed over. */
  different(level: CompareLevel, nodes: readonly number[], theirs: readonly ByteString[], heldOnly = false): number[] {
    const found: number[] = [];
    let at = 0;
    for (const node of nodes) {
      const ours = this.below(level, node);
      ours.forEach((digest, child) => {
        if (digest !== theirs[at + child] && !(heldOnly && digest === emptyDigest)) found.push(node * ours.length + child);
      });
      at += ours.length;
    }
    return found;
  }
}

/** Trees that never changed are empty, and so is a group of them. */
function noDigests({ total, chosen }: Chosen): KnownDigests {
  const groups = groupsOf(total);
  return { chosen, changes: new Float64Array(groups), groups: Array<ByteString>(groups).fill(emptyDigest), all: undefined };
}
