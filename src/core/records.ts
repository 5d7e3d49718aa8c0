/**
 * This peer's own records, read and changed one after the other for each key.
 *
 * While a key is being read or written it has a slot that holds its newest state, so that a second change builds on the first without waiting for the
 * disk. Commits take effect in the order in which they are asked for, so a finished later write implies the earlier ones. One batch carries the record,
 * its index entry, the Merkle leaf and whatever the caller adds (AE1, VR3).
 */

import type { Disk, StorageChange } from './disk.ts';
import { MeshError } from './errors.ts';
import type { Address, ByteString, Instant } from './ids.ts';
import { indexKey, leafKey, leafOfKey, partitionOfLeafKey, prefixEnd, recordKey, recordName, recordsRange } from './layout.ts';
import { leafCount, leafOf, MerkleTree, recordDigest } from './merkle.ts';
import { decodeRecord, emptyRecord, encodeRecord, type RecordSet } from './record.ts';
import { partitionOf } from './ring.ts';
import { toByteString, fromByteString } from './bytes.ts';

const countPage = 1000;
const treesPerGroup = 16;

type Use<T> = (now: Instant, result: T | MeshError) => void;

interface Slot {
  /** Undefined while it is being read. */
  record: RecordSet | undefined;
  waiting: Use<RecordSet>[];
  writes: number;
  /** A commit failed: what the disk holds is not what memory says. */
  failed: boolean;
}

export class Records {
  readonly #disk: Disk;
  readonly #partitions: number;
  readonly #slots = new Map<string, Slot>();
  readonly #trees = new Map<number, MerkleTree>();
  /** Who waits for a group of trees, or that it is there. */
  readonly #groups = new Map<number, Use<undefined>[] | 'loaded'>();

  constructor(disk: Disk, partitions: number) {
    this.#disk = disk;
    this.#partitions = partitions;
  }

  /** The last committed state, for reads. */
  read(address: Address, use: Use<RecordSet>): void {
    this.#disk.read([recordKey(address)], (now, result) => use(now, result instanceof MeshError ? result : decode(result[0])));
  }

  /** The last committed states of several keys; one damaged record fails them all, for it must not look absent (VR4). */
  readMany(addresses: readonly Address[], use: Use<readonly RecordSet[]>): void {
    this.#disk.read(addresses.map(recordKey), (now, result) => {
      if (result instanceof MeshError) return use(now, result);
      const records = result.map(decode);
      const damaged = records.find((record) => record instanceof MeshError);
      use(now, damaged instanceof MeshError ? damaged : (records as RecordSet[]));
    });
  }

  /** The newest state of a key, to be changed: the caller may call `save` within `use`, and nowhere else. */
  open(now: Instant, address: Address, use: Use<RecordSet>): void {
    const name = recordName(address.bucket, address.key);
    const slot = this.#slots.get(name);
    if (slot?.record !== undefined) return use(now, slot.record);
    if (slot !== undefined) {
      slot.waiting.push(use);
      return;
    }
    const opened: Slot = { record: undefined, waiting: [use], writes: 0, failed: false };
    this.#slots.set(name, opened);
    this.tree(now, partitionOf({ partitions: this.#partitions }, address.position), (_, tree) => {
      if (tree instanceof MeshError) return this.#loaded(now, name, opened, tree);
      this.read(address, (later, record) => this.#loaded(later, name, opened, record));
    });
  }

  #loaded(now: Instant, name: string, slot: Slot, record: RecordSet | MeshError): void {
    const { waiting } = slot;
    slot.waiting = [];
    if (record instanceof MeshError) this.#slots.delete(name);
    else slot.record = record;
    // Each one sees what the one before it has made of the record.
    for (const use of waiting) use(now, slot.record ?? record);
    this.#release(name, slot);
  }

  /** Commits the next state of a key together with `extra`. `done` is called when it is durable. */
  save(address: Address, next: RecordSet, extra: readonly StorageChange[], done: Use<undefined>): void {
    const name = recordName(address.bucket, address.key);
    const partition = partitionOf({ partitions: this.#partitions }, address.position);
    const slot = this.#slots.get(name);
    const tree = this.#trees.get(partition);
    if (slot?.record === undefined || tree === undefined) throw new MeshError('INTERNAL', 'bug: save of a record that is not open');
    const before = slot.record;
    const leaf = leafOf(address.position, this.#partitions);
    const digest = tree.replace(leaf, recordDigest(address, before), recordDigest(address, next));
    slot.record = next;
    slot.writes++;
    const removed = next.context.length === 0;
    const changes: StorageChange[] = [
      { key: recordKey(address), value: removed ? undefined : encodeRecord(next) },
      { key: leafKey(partition, leaf), value: fromByteString(digest) },
    ];
    if (removed || before.context.length === 0) changes.push({ key: indexKey(address), value: removed ? undefined : new Uint8Array(0) });
    this.#disk.write([...changes, ...extra], (now, result) => {
      slot.writes--;
      slot.failed ||= result instanceof MeshError;
      if (slot.failed && slot.writes === 0) this.#readAgain(address, slot, tree);
      else this.#release(name, slot);
      done(now, result);
    });
  }

  /** After a failed commit: takes the record from the disk again, and the tree's leaf with it. */
  #readAgain(address: Address, slot: Slot, tree: MerkleTree): void {
    const name = recordName(address.bucket, address.key);
    const { record: remembered } = slot;
    slot.record = undefined;
    slot.failed = false;
    this.read(address, (now, record) => {
      if (!(record instanceof MeshError) && remembered !== undefined) {
        tree.replace(leafOf(address.position, this.#partitions), recordDigest(address, remembered), recordDigest(address, record));
      }
      this.#loaded(now, name, slot, record);
    });
  }

  #release(name: string, slot: Slot): void {
    if (slot.writes === 0 && slot.waiting.length === 0 && this.#slots.get(name) === slot) this.#slots.delete(name);
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

  /** The tree of a partition. Trees are read from storage at first use, a group of neighbours at a time, so that a start need not read them all. */
  tree(now: Instant, partition: number, use: Use<MerkleTree>): void {
    const group = Math.floor(partition / treesPerGroup);
    const loading = this.#groups.get(group);
    if (loading === 'loaded') return use(now, this.#treeOf(partition));
    const waiter: Use<undefined> = (then, error) => use(then, error instanceof MeshError ? error : this.#treeOf(partition));
    if (loading !== undefined) {
      loading.push(waiter);
      return;
    }
    const waiting = [waiter];
    this.#groups.set(group, waiting);
    const from = leafKey(group * treesPerGroup, 0);
    const to = prefixEnd(leafKey((group + 1) * treesPerGroup - 1, leafCount - 1));
    this.#disk.range({ from, to, limit: treesPerGroup * leafCount }, (later, entries) => {
      if (entries instanceof MeshError) this.#groups.delete(group);
      else {
        this.#groups.set(group, 'loaded');
        for (const [key, digest] of entries) this.#treeOf(partitionOfLeafKey(key)).setLeaf(leafOfKey(key), toByteString(digest));
      }
      for (const done of waiting) done(later, entries instanceof MeshError ? entries : undefined);
    });
  }

  #treeOf(partition: number): MerkleTree {
    let tree = this.#trees.get(partition);
    if (tree === undefined) this.#trees.set(partition, (tree = new MerkleTree()));
    return tree;
  }
}

function decode(bytes: Uint8Array | undefined): RecordSet | MeshError {
  if (bytes === undefined) return emptyRecord;
  try {
    return decodeRecord(bytes);
  } catch (error) {
    if (error instanceof MeshError) return error;
    throw error;
  }
}
