/**
 * A replica over a disk in memory, with its answers as values: `put` and the others carry the request through to its end. A restart is another `OneReplica`
 * over the same disk.
 */

import { textToBytes, toByteString } from '../../../src/core/bytes.ts';
import { MeshError } from '../../../src/core/errors.ts';
import type { CoreEvent } from '../../../src/core/events.ts';
import { addressOf } from '../../../src/core/hash.ts';
import type { Address, ByteString, PeerId } from '../../../src/core/ids.ts';
import { dotText } from '../../../src/core/ids.ts';
import { indexKey, leafKey, metaKey, recordKey } from '../../../src/core/layout.ts';
import { leafCount, leafOf, MerkleTree, recordDigest } from '../../../src/core/merkle.ts';
import type { PutCommand } from '../../../src/core/messages.ts';
import { decodeRecord, emptyRecord, type RecordSet } from '../../../src/core/record.ts';
import { SeededRandom } from '../../../src/core/random.ts';
import { type Minted, Replica } from '../../../src/core/replica.ts';
import { partitionOf } from '../../../src/core/ring.ts';
import { MemoryDisk } from './memory-disk.ts';

export const partitions = 2;
const replicas = 3;
const random = new SeededRandom(1);

/** What became of a request: `undefined` until it has ended. */
export interface Outcome<T> {
  ended: number;
  value: T | undefined;
  error: MeshError | undefined;
}

export function outcome<T>(): { outcome: Outcome<T>; done: (now: unknown, result: T | MeshError) => void } {
  const result: Outcome<T> = { ended: 0, value: undefined, error: undefined };
  const done = (_: unknown, ended: T | MeshError): void => {
    result.ended++;
    if (ended instanceof MeshError) result.error = ended;
    else result.value = ended;
  };
  return { outcome: result, done };
}

let operations = 0;

/** 16 bytes that no other put has. */
export const operation = (): ByteString => String(++operations).padStart(16, '0') as ByteString;

export function command(key: string, value: string, change: Partial<PutCommand> = {}): PutCommand {
  return {
    bucket: 'b',
    key: textToBytes(key),
    context: [],
    tombstone: false,
    bytes: new TextEncoder().encode(value),
    contentType: undefined,
    priority: 0,
    operation: operation(),
    n: replicas,
    w: 1,
    mode: 'sloppy',
    resolver: 'siblings',
    budgetMs: 1000,
    ...change,
  };
}

export const addressOfKey = (key: string): Address => addressOf('b', textToBytes(key));

export class OneReplica {
  readonly disk: MemoryDisk;
  readonly events: CoreEvent[] = [];
  readonly replica: Replica;

  constructor(storeId: string, disk = new MemoryDisk(), mayHaveForgotten = false) {
    this.disk = disk;
    this.replica = new Replica({ disk: disk.disk, durable: true, partitions, random, emit: (event) => void this.events.push(event) });
    const row = disk.rows.get(metaKey('store'));
    const [id = storeId, epoch = '0'] = row === undefined ? [] : toByteString(row).split('.');
    const floor = disk.rows.get(metaKey('floor'));
    this.replica.start(id, Number(epoch), mayHaveForgotten, floor === undefined ? undefined : toByteString(floor));
    const { key, value } = this.replica.storeChange();
    if (value !== undefined) disk.rows.set(key, value);
  }

  /** The same store after the end of the process: what was not written is gone. */
  restart(mayHaveForgotten = false): OneReplica {
    const disk = new MemoryDisk();
    disk.rows = this.disk.snapshot();
    disk.now = this.disk.now;
    return new OneReplica('', disk, mayHaveForgotten);
  }

  mint(put: PutCommand, owner?: PeerId): Outcome<Minted> {
    const { outcome: minted, done } = outcome<Minted>();
    this.replica.mint(this.disk.now, put, owner === undefined ? [] : [owner], done);
    return minted;
  }

  store(key: string, record: RecordSet, options: { owner?: PeerId; ordered?: boolean } = {}): Outcome<undefined> {
    const { outcome: stored, done } = outcome<undefined>();
    const call = {
      type: 'store',
      bucket: 'b',
      key: textToBytes(key),
      n: replicas,
      record,
      owner: options.owner,
      ordered: options.ordered ?? false,
    } as const;
    this.replica.store(this.disk.now, call, done);
    return stored;
  }

  /** The owner has acknowledged `delivered`; this store is no primary. Whether its hint is gone then. */
  settleHint(owner: PeerId, key: string, delivered = this.stored(key)): boolean | undefined {
    const { outcome: settled, done } = outcome<boolean>();
    const hint = { owner, address: addressOfKey(key), n: replicas, bytes: 0, keptAt: 0 };
    this.replica.settleHint(this.disk.now, hint, delivered, false, done);
    this.disk.run();
    return settled.value;
  }

  /** Mints, waits for the disk, and returns what was minted. */
  put(put: PutCommand, owner?: PeerId): Minted {
    const minted = this.mint(put, owner);
    this.disk.run();
    if (minted.value === undefined) throw minted.error ?? new Error('the put has not ended');
    return minted.value;
  }

  read(key: string): RecordSet | MeshError {
    const { outcome: fetched, done } = outcome<RecordSet>();
    this.replica.fetch({ type: 'fetch', bucket: 'b', key: textToBytes(key), n: 0 }, done);
    this.disk.run();
    return fetched.error ?? fetched.value ?? emptyRecord;
  }

  keys(): string[] {
    const { outcome: listed, done } = outcome<{ entries: { key: string }[]; more: boolean }>();
    this.replica.list({ type: 'list', bucket: 'b', prefix: '' as ByteString, after: undefined, limit: 100 }, done);
    this.disk.run();
    return listed.value?.entries.map((entry) => entry.key) ?? [];
  }

  /** The record of a key as it lies on the disk. */
  stored(key: string): RecordSet {
    const row = this.disk.rows.get(recordKey(addressOfKey(key)));
    return row === undefined ? emptyRecord : decodeRecord(row);
  }

  /** What does not fit: in memory or on the disk, a leaf that is not the sum of its records, a key without its index entry or the other way round. */
  inconsistencies(keys: readonly string[]): string[] {
    const found: string[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const expected = new MerkleTree();
      for (const address of keys.map(addressOfKey).filter(({ position }) => partitionOf({ partitions }, position) === partition)) {
        const record = this.stored(toByteString(new TextEncoder().encode(address.key)));
        expected.toggle(leafOf(address.position, partitions), recordDigest(address, record));
        if (this.disk.rows.has(indexKey(address)) !== record.context.length > 0) found.push(`index entry of ${address.key}`);
      }
      const { outcome: tree, done } = outcome<MerkleTree>();
      this.replica.records.trees.tree(this.disk.now, partition, replicas, done);
      this.disk.run();
      for (let leaf = 0; leaf < leafCount; leaf++) {
        const row = this.disk.rows.get(leafKey(replicas, partition, leaf));
        const onDisk = row === undefined ? new MerkleTree().leaf(0) : toByteString(row);
        if (tree.value?.leaf(leaf) !== expected.leaf(leaf)) found.push(`leaf ${partition}/${leaf} in memory`);
        if (onDisk !== expected.leaf(leaf)) found.push(`leaf ${partition}/${leaf} on disk`);
      }
    }
    return found;
  }
}

/** Two keys in one leaf. */
export function neighbours(): [string, string] {
  const seen = new Map<string, string>();
  for (let i = 0; ; i++) {
    const { position } = addressOfKey(`key-${i}`);
    const leaf = `${position < 2 ** 31 ? 0 : 1}/${leafOf(position, partitions)}`;
    const other = seen.get(leaf);
    if (other !== undefined) return [other, `key-${i}`];
    seen.set(leaf, `key-${i}`);
  }
}

/** The values of a record, sorted; a tombstone is '-'. */
export function valuesOf(record: RecordSet | MeshError): string[] {
  if (record instanceof MeshError) throw record;
  return record.siblings.map(({ value }) => (value.tombstone ? '-' : new TextDecoder().decode(value.bytes))).sort();
}

export const dotsOf = (record: RecordSet): string[] => record.siblings.map((version) => dotText(version.dot));
