/**
 * Tells for most records that a store does not have that it does not have them, without a look into LevelDB.
 *
 * A replica reads before it writes, and a new key is read in vain. Such a read is cheap by itself, for LevelDB has Bloom filters, but it is
 * counted against the table that was asked first: after one for each 16 KiB of its size the table is compacted (`allowed_seeks` in
 * LevelDB's version_set.cc). So each burst of new keys had the whole store rewritten.
 *
 * One bit for each of 2^26 classes of positions, which are hashes already: with a million records, 1.5 % of the others share a bit with one
 * of them. What is deleted keeps its bit until the store is opened again.
 */

import type { ByteString } from '../core/ids.ts';

const classes = 2 ** 26;
const recordLetter = 'r'.charCodeAt(0);
/** The letter and a position. */
const recordKeyMinBytes = 5;

/** Records in order of their positions fall into this many ranges, by the first byte. */
const pieces = 256;

/** The bounds of a piece: `from` (inclusive) and `to` (exclusive). */
export function boundsOf(piece: number): { from: ByteString; to: ByteString } {
  const start = (at: number): ByteString => (at < pieces ? `r${String.fromCharCode(at)}` : 's') as ByteString;
  return { from: start(piece), to: start(piece + 1) };
}

export class RecordFilter {
  readonly #bits = new Uint8Array(classes / 8);
  #completeTo = 0;

  /** All records of the pieces before this one have been added. */
  get completeTo(): number {
    return this.#completeTo;
  }

  get isComplete(): boolean {
    return this.#completeTo === pieces;
  }

  /** All records of one piece more have been added. */
  completePiece(): void {
    this.#completeTo++;
  }

  /** A record that is there, or will be. */
  add(key: ByteString): void {
    if (!isRecord(key)) return;
    const at = classOf(key);
    this.#bits[at >>> 3] = (this.#bits[at >>> 3] ?? 0) | (1 << (at & 7));
  }

  /** False when the record is surely not there; true of all that are no records. */
  mayHave(key: ByteString): boolean {
    if (!isRecord(key) || key.charCodeAt(1) >= this.#completeTo) return true;
    const at = classOf(key);
    return ((this.#bits[at >>> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
}

const isRecord = (key: ByteString): boolean => key.length >= recordKeyMinBytes && key.charCodeAt(0) === recordLetter;

/** The lower bits of the position, so that a peer with a small part of the ring uses all classes. */
const classOf = (key: ByteString): number =>
  ((key.charCodeAt(1) & 3) << 24) | (key.charCodeAt(2) << 16) | (key.charCodeAt(3) << 8) | key.charCodeAt(4);
