/**
 * A record: all versions of one key with their values, and its canonical bytes. The same bytes are stored and sent, so that a replica that learns a key
 * writes what it received. A CRC-32C at the end tells damage from data (ST3).
 */

import { type Reader, Reader as BytesReader, type Writer, Writer as BytesWriter } from './bytes.ts';
import { compareTimes, type Timestamp } from './clock.ts';
import { MeshError } from './errors.ts';
import { crc32c } from './hash.ts';
import type { Actor, Address, ByteString, Dot } from './ids.ts';
import { limits } from './limits.ts';
import {
  compareDots,
  covers,
  type DotRange,
  emptySet,
  keepGreatest,
  type Version,
  type VersionSet,
  type VersionVector,
} from './versions.ts';

/** What one put or delete wrote. */
export interface Stored {
  readonly tombstone: boolean;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  readonly time: Timestamp;
  /** 16 random bytes of the put: the same for all its retries (VR5). */
  readonly operation: ByteString;
  readonly priority: number;
  /** From this Unix millisecond on it counts as deleted (TS3); absent: never. */
  readonly expires?: number;
}

export type RecordSet = VersionSet<Stored>;
/** A record without its values. */
export type Clock = VersionSet<undefined>;
export type RecordVersion = Version<Stored>;

/** Resolvers that a replica can apply by itself; a custom function works on the answer of a get. */
export type StoredResolver = 'siblings' | 'lww' | 'priority';

export const emptyRecord: RecordSet = emptySet;
/** The second format has expiry times, and is used where there are any. */
const formats = { plain: 1, expiring: 2 } as const;
const checksumBytes = 4;

/** Total orders, so that every replica keeps the same version; ties break by dot (VR7). */
const orders = {
  lww: (a: RecordVersion, b: RecordVersion): number => compareTimes(a.value.time, b.value.time) || compareDots(a.dot, b.dot),
  priority: (a: RecordVersion, b: RecordVersion): number => a.value.priority - b.value.priority || orders.lww(a, b),
};

export function resolve(set: RecordSet, resolver: StoredResolver): RecordSet {
  return resolver === 'siblings' ? set : keepGreatest(set, orders[resolver]);
}

export const hasExpired = ({ expires }: Stored, wall: number): boolean => expires !== undefined && expires <= wall;

/** The versions that a reader sees at this wall time: no tombstones, and nothing that has expired. */
export const liveSiblings = (set: RecordSet, wall: number): RecordVersion[] =>
  set.siblings.filter(({ value }) => !value.tombstone && !hasExpired(value, wall));

/** What has expired becomes a tombstone of its time, under the same dot: nothing changes for those who compare clocks. */
export function buryExpired(set: RecordSet, wall: number): RecordSet {
  if (!set.siblings.some(({ value }) => hasExpired(value, wall))) return set;
  const siblings = set.siblings.map((version) => (hasExpired(version.value, wall) ? buried(version) : version));
  return { context: set.context, siblings };
}

function buried({ dot, value }: RecordVersion): RecordVersion {
  const { contentType, operation, priority, expires = 0 } = value;
  return { dot, value: { tombstone: true, bytes: noBytes, contentType, operation, priority, time: { ms: expires, tick: 0 } } };
}

/** When the first of the versions expires, in Unix milliseconds; undefined when none will. */
export function expiryOf(set: RecordSet): number | undefined {
  let first: number | undefined;
  for (const { value } of set.siblings) if (value.expires !== undefined && !(value.expires >= (first ?? Infinity))) first = value.expires;
  return first;
}

/** When the last version was deleted, in Unix milliseconds; undefined while there is a value, or nothing at all. */
export function deletedAt(set: RecordSet): number | undefined {
  if (set.siblings.length === 0 || set.siblings.some(({ value }) => !value.tombstone)) return undefined;
  return Math.max(...set.siblings.map(({ value }) => value.time.ms));
}

const noBytes = new Uint8Array(0);

/** How large the values of a record are together, in bytes. */
export function recordSize(set: RecordSet): number {
  let size = 0;
  for (const { value } of set.siblings) size += value.bytes.length;
  return size;
}

export function withoutValues(record: RecordSet): RecordSet {
  return { context: record.context, siblings: record.siblings.map(({ dot, value }) => ({ dot, value: { ...value, bytes: noBytes } })) };
}

export function writeVector(writer: Writer, vector: VersionVector): void {
  writer.uint(vector.length);
  for (const { actor, counter, from = 1 } of vector)
    writer
      .text(actor)
      .uint(from)
      .uint(counter - from);
}

/** Nearly every vector begins with the actor of one before. */
let lastActor: Actor | undefined;

/** Any number of entries that fits the frame: the limit of 128 is for new puts, and merging must never be refused. */
export function readVector(reader: Reader): VersionVector {
  const vector: DotRange[] = [];
  for (let left = reader.count(limits.membersMax); left > 0; left--) {
    const { actor, counter: from } = readDot(reader, lastActor);
    lastActor = actor;
    const counter = from + reader.uint(limits.counterMax - from);
    const last = vector.at(-1);
    const inOrder = last === undefined || last.actor < actor || (last.actor === actor && last.counter + 1 < from);
    if (!inOrder) throw BytesReader.invalid('vector is not sorted');
    vector.push(from === 1 ? { actor, counter } : { actor, counter, from });
  }
  return vector;
}

/** `guess`: an actor that may well be the one. */
export function readDot(reader: Reader, guess?: Actor): Dot {
  const actor = reader.text(limits.actorMaxBytes, guess) as Actor;
  const counter = reader.uint(limits.counterMax);
  if (counter === 0) throw BytesReader.invalid('counter is zero');
  return { actor, counter };
}

export function writeDot(writer: Writer, dot: Dot): void {
  writer.text(dot.actor).uint(dot.counter);
}

export const clockOf = ({ context, siblings }: RecordSet): Clock => ({
  context,
  siblings: siblings.map(({ dot }) => ({ dot, value: undefined })),
});

export function writeClock(writer: Writer, { context, siblings }: Clock): void {
  writeVector(writer, context);
  writer.uint(siblings.length);
  for (const { dot } of siblings) writeDot(writer, dot);
}

export function readClock(reader: Reader): Clock {
  const context = readVector(reader);
  const siblings: Version<undefined>[] = [];
  for (let left = reader.count(limits.membersMax); left > 0; left--) {
    siblings.push({ dot: readDot(reader, context[siblings.length]?.actor), value: undefined });
  }
  checkSiblings(context, siblings);
  return { context, siblings };
}

/**
 * A record that knows its bytes: a set never changes, so they are made once, however many replicas and the disk they go to. (A `WeakMap` would do as well, but makes
 * the collector of young objects take what is in it for alive.)
 */
class EncodedRecord implements RecordSet {
  readonly context: VersionVector;
  readonly siblings: readonly RecordVersion[];
  readonly #bytes: Uint8Array;
  #digested: Address | undefined;
  #digest = '' as ByteString;

  constructor({ context, siblings }: RecordSet, bytes: Uint8Array) {
    this.context = context;
    this.siblings = siblings;
    this.#bytes = bytes;
  }

  static bytesOf(set: RecordSet): Uint8Array | undefined {
    return #bytes in set ? set.#bytes : undefined;
  }

  static digestOf(set: RecordSet, address: Address, digest: () => ByteString): ByteString | undefined {
    if (!(#bytes in set)) return undefined;
    if (set.#digested?.name !== address.name) {
      set.#digested = address;
      set.#digest = digest();
    }
    return set.#digest;
  }
}

/** The other way round, for storage that gives back the very bytes that it got. */
const decoded = Symbol('record');
type StoredBytes = Uint8Array & { [decoded]?: RecordSet };

/** The n of the bucket that the bytes were made for; 0 when they were made for a message only. */
export const replicaCountIn = (bytes: Uint8Array): number => bytes[1] ?? 0;

/** With `n` they are made to be stored, and name the n of their bucket; without it any bytes of the set will do. */
export function encodeRecord(set: RecordSet, n?: number): Uint8Array {
  const known = EncodedRecord.bytesOf(set);
  return known !== undefined && (n === undefined || replicaCountIn(known) === n) ? known : encode(set, n ?? 0);
}

/** The same record, which remembers the bytes with which it is to be stored in a bucket with `n`. */
export function encoded(set: RecordSet, n: number): RecordSet {
  const bytes: StoredBytes = encodeRecord(set, n);
  return EncodedRecord.bytesOf(set) === bytes ? set : (bytes[decoded] = new EncodedRecord(set, bytes));
}

/** The digest of a record, made once where the record is one that remembers. */
export const digestOnce = (set: RecordSet, address: Address, digest: () => ByteString): ByteString =>
  EncodedRecord.digestOf(set, address, digest) ?? digest();

function encode(set: RecordSet, n: number): Uint8Array {
  const writer = new BytesWriter(recordSize(set) + 64 * set.context.length + 128 * set.siblings.length + 64);
  const isExpiring = set.siblings.some(({ value }) => value.expires !== undefined);
  writer.u8(isExpiring ? formats.expiring : formats.plain).u8(n);
  writeVector(writer, set.context);
  writer.uint(set.siblings.length);
  for (const { dot, value } of set.siblings) {
    writeDot(writer, dot);
    writer.uint(value.tombstone ? 1 : 0).bytes(value.bytes);
    writer
      .text(value.contentType ?? '')
      .uint(value.time.ms)
      .uint(value.time.tick);
    writer.byteString(value.operation).uint(value.priority);
    if (isExpiring) writer.uint(value.expires ?? 0);
  }
  writer.u32(crc32c(writer.written()));
  return writer.finish();
}

/** Throws `RECORD_CORRUPT` for bytes that `encodeRecord` does not make. Values are views into the given bytes. */
export function decodeRecord(bytes: Uint8Array): RecordSet {
  return (bytes as StoredBytes)[decoded] ?? new EncodedRecord(decode(bytes, true), bytes);
}

/**
 * For a record that came from another peer to be looked at, not to be kept: that peer has checked what its disk gave it, and the network what it carried. Its
 * checksum is not looked at, and if it is stored after all it gets a new one.
 */
export function decodeReceived(bytes: Uint8Array): RecordSet {
  return decode(bytes, false);
}

function decode(bytes: Uint8Array, isChecked: boolean): RecordSet {
  try {
    const body = bytes.subarray(0, Math.max(0, bytes.length - checksumBytes));
    if (isChecked && checksumOf(bytes) !== crc32c(body)) throw BytesReader.invalid('checksum does not match');
    const reader = new BytesReader(body);
    const format = reader.u8();
    if (format !== formats.plain && format !== formats.expiring) throw BytesReader.invalid('unknown record format');
    if (reader.u8() > limits.replicasMax) throw BytesReader.invalid('too many replicas');
    const context = readVector(reader);
    const siblings: RecordVersion[] = [];
    for (let left = reader.count(limits.membersMax); left > 0; left--) {
      siblings.push(readVersion(reader, format === formats.expiring, context[siblings.length]?.actor));
    }
    reader.end();
    checkSiblings(context, siblings);
    const isExpiring = siblings.some(({ value }) => value.expires !== undefined);
    if (isExpiring !== (format === formats.expiring)) throw BytesReader.invalid('not the shortest format');
    return { context, siblings };
  } catch (error) {
    const reason = error instanceof MeshError ? error.message : String(error);
    throw new MeshError('RECORD_CORRUPT', `a stored record is damaged: ${reason}`, { cause: error });
  }
}

function checksumOf(bytes: Uint8Array): number {
  const { length } = bytes;
  if (length < checksumBytes) throw BytesReader.invalid('ends too early');
  return new DataView(bytes.buffer, bytes.byteOffset + length - checksumBytes).getUint32(0);
}

function readVersion(reader: Reader, isExpiring: boolean, guess: Actor | undefined): RecordVersion {
  const dot = readDot(reader, guess);
  const tombstone = reader.bool();
  const bytes = reader.bytes(limits.frameMaxBytes);
  const contentType = reader.text(limits.contentTypeMaxBytes);
  const time = { ms: reader.uint(), tick: reader.uint() };
  const operation = reader.byteString(16);
  const value = {
    tombstone,
    bytes,
    contentType: contentType === '' ? undefined : contentType,
    time,
    operation,
    priority: reader.uint(255),
  };
  const expires = isExpiring ? reader.uint() : 0;
  return { dot, value: expires === 0 ? value : { ...value, expires } };
}

function checkSiblings(context: VersionVector, siblings: readonly Version<unknown>[]): void {
  siblings.forEach((version, index) => {
    const before = siblings[index - 1];
    if (before !== undefined && compareDots(before.dot, version.dot) >= 0) throw BytesReader.invalid('siblings are not sorted');
    if (!covers(context, version.dot)) throw BytesReader.invalid('a sibling is outside its context');
  });
}
