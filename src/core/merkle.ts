/**
 * The Merkle tree of one partition (Merkle 1987; for replicas: Dynamo, section 4.7): 256 leaves under 16 inner nodes under a root.
 *
 * A leaf is the exclusive or of the digests of its records, so that one changed record changes it without reading its neighbours: take the old digest
 * out, put the new one in (AE1). A record's digest covers its key and its sorted clock, not the values: equal clocks hold equal values. Leaves are
 * kept in storage beside the records and change in the same batch.
 */

import { fromByteString, toByteString, Writer } from './bytes.ts';
import { digestText } from './hash.ts';
import type { Address, ByteString } from './ids.ts';
import type { RecordSet } from './record.ts';
import { digestOnce, writeDot, writeVector } from './record.ts';

export const leafCount = 256;
export const innerCount = 16;
export const leavesPerInner = leafCount / innerCount;
export const digestBytes = 16;
const algorithmVersion = 1;

/** One number for a leaf across all partitions. */
export const leafNumber = (partition: number, leaf: number): number => partition * leafCount + leaf;

export const emptyDigest = '\0'.repeat(digestBytes) as ByteString;

/** 16 bytes that name a record's versions; all zero for a record that does not exist. */
export const recordDigest = (address: Address, set: RecordSet): ByteString =>
  set.context.length === 0 ? emptyDigest : digestOnce(set, address, () => digestRecord(address, set));

function digestRecord(address: Address, set: RecordSet): ByteString {
  const writer = new Writer().u8(algorithmVersion).text(address.bucket).byteString(address.key);
  writeVector(writer, set.context);
  for (const version of set.siblings) writeDot(writer, version.dot);
  return digestText(writer.finish(), digestBytes);
}

/** Which leaf of its partition a position falls into: the eight bits after those that name the partition. */
export function leafOf(position: number, partitions: number): number {
  const span = 2 ** 32 / partitions;
  return Math.floor(((position % span) * leafCount) / span);
}

export class MerkleTree {
  readonly #leaves = Array<ByteString>(leafCount).fill(emptyDigest);
  /** Undefined where a leaf below has changed since. */
  readonly #inner = Array<ByteString | undefined>(innerCount).fill(emptyDigest);
  #root: ByteString | undefined = emptyDigest;
  #changes = 0;

  /** How often it has changed: the same number, the same tree. */
  get changes(): number {
    return this.#changes;
  }

  leaf(index: number): ByteString {
    return this.#leaves[index] ?? emptyDigest;
  }

  setLeaf(index: number, digest: ByteString): void {
    this.#changes++;
    this.#leaves[index] = digest;
    this.#inner[Math.floor(index / leavesPerInner)] = undefined;
    this.#root = undefined;
  }

  /** Puts a record's digest into a leaf, or takes it out again. Returns the leaf's new digest, to be stored. */
  toggle(index: number, digest: ByteString): ByteString {
    const changed = xor(this.leaf(index), digest);
    this.setLeaf(index, changed);
    return changed;
  }

  /** The digests of the 16 inner nodes. */
  inner(): readonly ByteString[] {
    return this.#inner.map((digest, node) => digest ?? (this.#inner[node] = digestOf(this.leavesUnder(node))));
  }

  leavesUnder(node: number): readonly ByteString[] {
    return this.#leaves.slice(node * leavesPerInner, (node + 1) * leavesPerInner);
  }

  get root(): ByteString {
    this.#root ??= digestOf(this.inner());
    return this.#root;
  }
}

/**
 * Covers the children that are not empty, each with its number: most are empty where keys are few. A node over empty children is empty itself, so that an empty
 * tree looks the same at any height.
 */
export function digestOf(children: readonly ByteString[]): ByteString {
  let named = '';
  for (let i = 0; i < children.length; i++) {
    const child = children[i];
    if (child !== undefined && child !== emptyDigest) named += String.fromCharCode(i) + child;
  }
  return named === '' ? emptyDigest : digestText(fromByteString(named), digestBytes);
}

/** One digest for several trees, in a fixed order. A single tree stands for itself, empty ones do not count. */
export function combine(roots: readonly ByteString[]): ByteString {
  const filled = roots.filter((root) => root !== emptyDigest);
  return filled.length > 1 ? digestOf(filled) : (filled[0] ?? emptyDigest);
}

const mixed = new Uint8Array(digestBytes);

export function xor(a: ByteString, b: ByteString): ByteString {
  if (a === emptyDigest) return b;
  if (b === emptyDigest) return a;
  for (let i = 0; i < digestBytes; i++) mixed[i] = a.charCodeAt(i) ^ b.charCodeAt(i);
  return toByteString(mixed);
}
