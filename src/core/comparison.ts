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

/** Digests of groups by the roots in them: from one comparison to the next few groups change. */
const groupDigests = new WeakMap<Trees, Map<ByteString, ByteString>>();
const groupDigestsMax = 4096;

export class Comparison {
  readonly #partitions: number;
  /** By partition; undefined where this peer has nothing with this n. */
  readonly #trees: ReadonlyMap<number, MerkleTree | undefined>;
  readonly #known: Map<ByteString, ByteString>;

  private constructor(partitions: number, trees: ReadonlyMap<number, MerkleTree | undefined>, known: Map<ByteString, ByteString>) {
    this.#partitions = partitions;
    this.#trees = trees;
    this.#known = known;
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
    const { partitions } = placement.ring;
    const shared = new Map<number, MerkleTree | undefined>();
    // Empty trees would cost as much memory as full ones.
    const isEmpty = !trees.replicaCounts.includes(n);
    const next = (then: Instant, from: number): void => {
      for (let partition = from; partition < partitions; partition++) {
        const primaries = placement.primaries(partition, n);
        if (!pair.every((peer) => primaries.includes(peer))) continue;
        const known = isEmpty ? undefined : trees.loaded(partition, n);
        if (isEmpty || known !== undefined) shared.set(partition, known);
        else
          return trees.tree(then, partition, n, (later, tree) => (tree instanceof MeshError ? done(later, tree) : next(later, partition)));
      }
      let known = groupDigests.get(trees);
      if (known === undefined || known.size > groupDigestsMax) groupDigests.set(trees, (known = new Map()));
      done(then, new Comparison(partitions, shared, known));
    };
    next(now, 0);
  }

  /** Reads the trees of these partitions, whoever owns them: for the two lower levels, where nodes name their partitions. */
  static of(
    now: Instant,
    trees: Trees,
    partitions: { readonly total: number; readonly chosen: readonly number[] },
    n: number,
    done: (now: Instant, result: Comparison | MeshError) => void,
  ): void {
    const read = new Map<number, MerkleTree | undefined>();
    // Empty trees would cost as much memory as full ones.
    const isEmpty = !trees.replicaCounts.includes(n);
    const next = (then: Instant, from: number): void => {
      for (let index = from; index < partitions.chosen.length; index++) {
        const partition = partitions.chosen[index] ?? 0;
        const known = isEmpty ? undefined : trees.loaded(partition, n);
        if (isEmpty || known !== undefined) read.set(partition, known);
        else return trees.tree(then, partition, n, (later, tree) => (tree instanceof MeshError ? done(later, tree) : next(later, index)));
      }
      done(then, new Comparison(partitions.total, read, new Map()));
    };
    next(now, 0);
  }

  /** Those that are compared. */
  get partitions(): ReadonlySet<number> {
    return new Set(this.#trees.keys());
  }

  get #groups(): number {
    return Math.min(groupsMax, this.#partitions);
  }

  get #groupSize(): number {
    return this.#partitions / this.#groups;
  }

  get digest(): ByteString {
    return digestOf(this.below('all', 0));
  }

  /** The digests of a node's children. */
  below(level: CompareLevel, node: number): readonly ByteString[] {
    switch (level) {
      case 'all':
        return Array.from({ length: this.#groups }, (_, group) => this.#groupDigest(this.below('group', group)));
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

  #groupDigest(roots: readonly ByteString[]): ByteString {
    const name = roots.join('') as ByteString;
    let digest = this.#known.get(name);
    if (digest === undefined) this.#known.set(name, (digest = digestOf(roots)));
    return digest;
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
