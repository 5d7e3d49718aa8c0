/**
 * This peer's own records, read and changed one after the other for each key.
 *
 * While a key is being read or written it has a slot that holds its newest state, so that a second change builds on the first without waiting for the
 * disk. Commits take effect in the order in which they are asked for, so a finished later write implies the earlier ones. One batch carries the record,
 * its index entry, the Merkle leaf and whatever the caller adds (AE1, VR3).
 */

import type { Disk, StorageChange, StorageRange } from './disk.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant } from './ids.ts';
import { addressOfRecordKey, dueKey, indexKey, leavesRange, recordKey, recordsRange } from './layout.ts';
import { emptyDigest, leafCount, leafNumber, leafOf, recordDigest } from './merkle.ts';
import { decodeRecord, deletedAt, emptyRecord, encoded, encodeRecord, expiryOf, type RecordSet, replicaCountIn } from './record.ts';
import { type LeafContent, type LeafRecord, Recounts, sumOf } from './recounts.ts';
import { partitionOf } from './ring.ts';
import { type Held, Trees } from './trees.ts';
import { Waiting } from './waiting.ts';

const countPage = 1000;
/** What one page may keep a thread busy with. */
const pageRecords = 200;
const pageBytes = 1024 * 1024;
/** Records of a few leaves that nobody asked for are read sooner than the disk is asked again. */
const leavesBetweenMax = 8;

export interface RecordsPage {
  readonly entries: readonly (readonly [Address, Held | MeshError])[];
  /** The row after which the next page begins. Undefined when there is nothing on this one. */
  readonly last: ByteString | undefined;
  /** Whether there may be another page. */
  readonly more: boolean;
}

type Use<T> = (now: Instant, result: T | MeshError) => void;

interface Slot {
  /** Of the bucket, as the first to open it says. */
  readonly n: number;
  readonly leaf: number;
  /** Undefined while it is being read. */
  held: Held | undefined;
  /** The record is there and cannot be read: it may be replaced, but not changed. */
  damage: MeshError | undefined;
  waiting: Use<RecordSet>[];
  writes: number;
  /** A commit failed: what the disk holds is not what memory says. */
  failed: boolean;
}

const nothing: Held = { n: 0, record: emptyRecord };
const noBytes = new Uint8Array(0);

export class Records {
  readonly trees: Trees;
  /** Called with each record that has been committed. */
  committed: (now: Instant, address: Address, record: RecordSet) => void = () => {};
  readonly #disk: Disk;
  readonly #partitions: number;
  readonly #slots = new Waiting<string, Slot>();
  readonly #recounts: Recounts;

  constructor(disk: Disk, partitions: number) {
    this.#disk = disk;
    this.#partitions = partitions;
    this.trees = new Trees(disk, partitions, (leaf) => this.#recounts.attempt(leaf));
    this.#recounts = new Recounts({
      disk,
      trees: this.trees,
      read: (leaf, done) => this.#readLeaves(leaf, leaf, done),
      isBusy: (leaf) => this.#isBusy(leaf),
    });
  }

  /** The last committed state, for reads. */
  read(address: Address, use: Use<RecordSet>): void {
    this.readHeld(address, (now, held) => use(now, held instanceof MeshError ? held : held.record));
  }

  /** The same, with the n that the record was written with. */
  readHeld(address: Address, use: Use<Held>): void {
    this.#disk.read([recordKey(address)], (now, rows) => use(now, rows instanceof MeshError ? rows : heldIn(rows[0])));
  }

  /** The last committed states of several keys, the damaged ones with their error: they must not look absent (VR4). */
  readMany(addresses: readonly Address[], use: Use<readonly (RecordSet | MeshError)[]>): void {
    this.#disk.read(addresses.map(recordKey), (now, rows) => {
      if (rows instanceof MeshError) return use(now, rows);
      const records = rows.map((row) => {
        const held = heldIn(row);
        return held instanceof MeshError ? held : held.record;
      });
      use(now, records);
    });
  }

  /**
   * The newest state of a key of a bucket with `n`, to be changed: the caller may call `save` within `use`, and nowhere else. With the error `RECORD_CORRUPT` it
   * may do so too: the damaged record is replaced.
   */
  open(now: Instant, address: Address, n: number, use: Use<RecordSet>): void {
    const slot = this.#slots.get(address.name);
    if (slot?.held !== undefined) return use(now, slot.damage ?? slot.held.record);
    if (slot !== undefined) {
      slot.waiting.push(use);
      return;
    }
    const opened: Slot = {
      n,
      leaf: this.#leafNumber(address),
      held: undefined,
      damage: undefined,
      waiting: [use],
      writes: 0,
      failed: false,
    };
    this.#slots.set(address.name, opened);
    this.#load(address, opened);
  }

  #partition(address: Address): number {
    return partitionOf({ partitions: this.#partitions }, address.position);
  }

  #leafNumber(address: Address): number {
    return leafNumber(this.#partition(address), leafOf(address.position, this.#partitions));
  }

  /**
   * Reads the record and the trees that it is or will be in. Looks twice at what seems damaged: a bit may have flipped on its way from the disk, and who replaces a
   * record must be sure that it is gone.
   */
  #load(address: Address, slot: Slot, isSecondLook = false): void {
    this.readHeld(address, (now, read) => {
      if (!(read instanceof MeshError)) return this.#loadTrees(now, address, slot, read);
      if (read.code !== 'RECORD_CORRUPT') return this.#loaded(now, address, slot, read);
      if (!isSecondLook) return this.#load(address, slot, true);
      slot.damage = read;
      this.#loadTrees(now, address, slot, nothing);
    });
  }

  #loadTrees(now: Instant, address: Address, slot: Slot, held: Held): void {
    const partition = this.#partition(address);
    const missing = [slot.n, held.n].find((n) => n > 0 && this.trees.loaded(partition, n) === undefined);
    if (missing === undefined) return this.#loaded(now, address, slot, held);
    this.trees.tree(now, partition, missing, (then, tree) => {
      if (tree instanceof MeshError) this.#loaded(then, address, slot, tree);
      else this.#loadTrees(then, address, slot, held);
    });
  }

  #loaded(now: Instant, address: Address, slot: Slot, held: Held | MeshError): void {
    const { waiting } = slot;
    slot.waiting = [];
    if (held instanceof MeshError) this.#slots.take(address.name);
    else slot.held = held;
    // Each one sees what the one before it has made of the record.
    for (const use of waiting) use(now, held instanceof MeshError ? held : (slot.damage ?? (slot.held ?? held).record));
    this.#release(address, slot);
  }

  /** Commits the next state of an open key together with `extra`; no versions at all removes it. `done` is called when it is durable. */
  save(address: Address, record: RecordSet, extra: readonly StorageChange[], done: Use<undefined>): void {
    const slot = this.#slots.get(address.name);
    if (slot?.held === undefined) throw new MeshError('INTERNAL', 'bug: save of a record that is not open');
    const before = slot.held;
    const after = record.context.length === 0 ? nothing : { n: slot.n, record: encoded(record, slot.n) };
    // What a damaged record has added to its leaf is not known.
    const leafIsWrong = slot.damage !== undefined;
    slot.held = after;
    slot.damage = undefined;
    slot.writes++;
    const changes = this.trees.replace(address, before, after);
    changes.push({ key: recordKey(address), value: after.n === 0 ? undefined : encodeRecord(after.record, after.n) });
    addDueChanges(changes, address, before.record, after.record);
    this.#recounts.changed(slot.leaf);
    // While earlier commits are uncertain, so is whether the key is in the index.
    const uncertain = slot.writes > 1 || slot.failed || leafIsWrong;
    if (uncertain || (before.n === 0) !== (after.n === 0))
      changes.push({ key: indexKey(address), value: after.n === 0 ? undefined : noBytes });
    changes.push(...extra);
    this.#disk.write(changes, (now, result) => {
      slot.writes--;
      slot.failed ||= result instanceof MeshError;
      if (slot.failed && slot.writes === 0) this.#readAgain(address, slot);
      else this.#release(address, slot);
      if (leafIsWrong || result instanceof MeshError) this.#recounts.doubt(slot.leaf);
      else this.#recounts.attempt(slot.leaf);
      if (!(result instanceof MeshError)) this.committed(now, address, record);
      done(now, result);
    });
  }

  /** Makes sure that the state of an open key is durable as memory has it: commits it once more when it is still on its way, for that may fail. */
  confirm(now: Instant, address: Address, done: Use<undefined>): void {
    const slot = this.#slots.get(address.name);
    if (slot?.held === undefined || slot.writes === 0) return done(now, undefined);
    this.save(address, slot.held.record, [], done);
  }

  /** Whether a commit of this key is under way. */
  isWriting(address: Address): boolean {
    return (this.#slots.get(address.name)?.writes ?? 0) > 0;
  }

  /** After a failed commit: what the disk holds is taken for the truth again. */
  #readAgain(address: Address, slot: Slot): void {
    slot.held = undefined;
    slot.failed = false;
    this.#load(address, slot);
  }

  #isBusy(leaf: number): boolean {
    for (const slot of this.#slots.values()) if (slot.leaf === leaf && slot.writes > 0) return true;
    return false;
  }

  #release(address: Address, slot: Slot): void {
    if (slot.writes === 0 && slot.waiting.length === 0 && slot.held !== undefined && this.#slots.get(address.name) === slot)
      this.#slots.take(address.name);
  }

  /** The records with this n in some leaves, numbered across partitions, without damaged ones. Leaves to which they do not add up are counted anew. */
  inLeaves(now: Instant, leaves: readonly number[], n: number, done: Use<readonly LeafRecord[]>): void {
    const records: LeafRecord[] = [];
    const wanted = new Set(leaves);
    const spans = this.#spansOf(leaves, n);
    const next = (then: Instant, index: number): void => {
      const span = spans[index];
      if (span === undefined) return done(then, records);
      this.#readLeaves(span.first, span.last, (later, found) => {
        if (found instanceof MeshError) return done(later, found);
        const byLeaf = new Map<number, LeafRecord[]>();
        for (const record of found.records) {
          const leaf = this.#leafNumber(record.address);
          if (record.n !== n || !wanted.has(leaf)) continue;
          records.push(record);
          const others = byLeaf.get(leaf);
          if (others === undefined) byLeaf.set(leaf, [record]);
          else others.push(record);
        }
        for (let leaf = span.first; leaf <= span.last; leaf++) {
          if (wanted.has(leaf)) this.#checkSum(leaf, n, byLeaf.get(leaf) ?? []);
        }
        next(later, index + 1);
      });
    };
    next(now, 0);
  }

  /** Leaves of a partition with few others between them that have records are read in one go. */
  #spansOf(leaves: readonly number[], n: number): { first: number; last: number }[] {
    const spans: { first: number; last: number }[] = [];
    for (const leaf of [...leaves].sort((a, b) => a - b)) {
      const span = spans.at(-1);
      if (span !== undefined && this.#filledBetween(span.last, leaf, n) <= leavesBetweenMax) span.last = leaf;
      else spans.push({ first: leaf, last: leaf });
    }
    return spans;
  }

  #filledBetween(before: number, leaf: number, n: number): number {
    const partition = Math.floor(leaf / leafCount);
    if (partition !== Math.floor(before / leafCount)) return Infinity;
    const tree = this.trees.loaded(partition, n);
    let filled = 0;
    for (let between = before + 1; between < leaf; between++) {
      if (tree === undefined || tree.leaf(between % leafCount) !== emptyDigest) filled++;
    }
    return filled;
  }

  #checkSum(leaf: number, n: number, records: readonly LeafRecord[]): void {
    const tree = this.trees.loaded(Math.floor(leaf / leafCount), n);
    if (tree !== undefined && sumOf(records, n) !== tree.leaf(leaf % leafCount)) this.#recounts.doubt(leaf);
  }

  /** Counts a leaf anew that seems to be wrong. `done` is told whether it was, once it is put right; later if it cannot be counted now. */
  recount(leaf: number, done: (now: Instant, wasWrong: boolean) => void): void {
    this.#recounts.check(leaf, done);
  }

  /** Called now and then: leaves that could not be counted, for a read or a commit failed, are tried again. */
  recountDoubted(): void {
    this.#recounts.attemptAll();
  }

  /** Page by page, of which nothing but digests is kept: a leaf can have any number of records, of any size. */
  #readLeaves(
    first: number,
    last: number,
    done: Use<LeafContent>,
    found: { records: LeafRecord[]; damaged: boolean } = { records: [], damaged: false },
    after?: ByteString,
  ): void {
    this.#page(leavesRange(first, last, this.#partitions, pageRecords, after), (now, page) => {
      if (page instanceof MeshError) return done(now, page);
      for (const [address, held] of page.entries) {
        if (held instanceof MeshError) found.damaged = true;
        else found.records.push({ address, n: held.n, digest: recordDigest(address, held.record) });
      }
      if (page.more) this.#readLeaves(first, last, done, found, page.last);
      else done(now, found);
    });
  }

  /** Some records of a partition, the damaged ones with their error, from the row after `after` on. */
  page(partition: number, after: ByteString | undefined, done: Use<RecordsPage>): void {
    this.#page(recordsRange(partition, this.#partitions, pageRecords, after), done);
  }

  /** The same for all partitions, in their order. */
  pageOfAll(after: ByteString | undefined, done: Use<RecordsPage>): void {
    this.#page(recordsRange(0, 1, pageRecords, after), done);
  }

  #page(range: StorageRange, done: Use<RecordsPage>): void {
    this.#disk.range({ ...range, maxBytes: pageBytes }, (now, rows) => {
      if (rows instanceof MeshError) return done(now, rows);
      const entries: [Address, Held | MeshError][] = [];
      let bytes = 0;
      for (const [key, row] of rows) {
        const address = addressOfRecordKey(key);
        bytes += row.length;
        if (address !== undefined) entries.push([address, heldIn(row)]);
      }
      done(now, { entries, last: rows.at(-1)?.[0], more: rows.length === range.limit || bytes >= pageBytes });
    });
  }

  /** How many records of a partition lie here, tombstones included. */
  count(partition: number, done: Use<number>, counted = 0, after?: ByteString): void {
    this.#disk.range({ ...recordsRange(partition, this.#partitions, countPage, after), keysOnly: true }, (now, entries) => {
      if (entries instanceof MeshError) return done(now, entries);
      const total = counted + entries.length;
      const last = entries.at(-1);
      if (last === undefined || entries.length < countPage) return done(now, total);
      this.count(partition, done, total, last[0]);
    });
  }
}

/** The rows that tell when a record expires, and since when it is deleted. */
function addDueChanges(changes: StorageChange[], address: Address, before: RecordSet, after: RecordSet): void {
  const move = (kind: 'e' | 'd', from: number | undefined, to: number | undefined): void => {
    if (from === to) return;
    if (from !== undefined) changes.push({ key: dueKey(kind, from, address), value: undefined });
    if (to !== undefined) changes.push({ key: dueKey(kind, to, address), value: noBytes });
  };
  move('e', expiryOf(before), expiryOf(after));
  move('d', deletedAt(before), deletedAt(after));
}

function heldIn(row: Uint8Array | undefined): Held | MeshError {
  if (row === undefined) return nothing;
  try {
    return { n: replicaCountIn(row), record: decodeRecord(row) };
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
}
