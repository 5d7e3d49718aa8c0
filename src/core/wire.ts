/**
 * What all frames have in common: names, variants and lists, each checked as it is read (SE3, SE4).
 */

import { Reader, type Writer } from './bytes.ts';
import type { ByteString, DurabilityClass, PeerId } from './ids.ts';
import { limits } from './limits.ts';

/** The first byte of every frame (MB6). */
export const protocolVersion = 1;

export const classes = ['server', 'tab', 'ephemeral'] as const;

/** Buckets and peer ids are parts of storage keys, which a NUL divides: no NUL in them, and one byte for each character. */
const printable = /^[\x21-\x7e]+$/;

export function readTarget(reader: Reader): { bucket: string; key: ByteString } {
  return { bucket: readBucket(reader), key: readKey(reader) };
}

export function readKey(reader: Reader): ByteString {
  const key = reader.byteString(limits.keyMaxBytes);
  if (key === '') throw Reader.invalid('empty key');
  return key;
}

/** Nearly every message names the bucket of the one before. */
let lastBucket = 'default';

export function readBucket(reader: Reader): string {
  const bucket = reader.text(limits.bucketMaxBytes, lastBucket);
  if (bucket === lastBucket) return bucket;
  if (!printable.test(bucket)) throw Reader.invalid('bad bucket name');
  lastBucket = bucket;
  return bucket;
}

export function readOwner(reader: Reader): PeerId | undefined {
  const owner = reader.text(limits.peerIdMaxBytes);
  if (owner !== '' && !printable.test(owner)) throw Reader.invalid('bad peer id');
  return owner === '' ? undefined : (owner as PeerId);
}

export function readPeer(reader: Reader): PeerId {
  const peer = reader.text(limits.peerIdMaxBytes);
  if (!printable.test(peer)) throw Reader.invalid('bad peer id');
  return peer as PeerId;
}

export const readNodes = (reader: Reader): number[] => readList(reader, limits.compareNodesMax, () => reader.uint());

export function readReplicaCount(reader: Reader): number {
  const n = reader.uint(limits.replicasMax);
  if (n === 0) throw Reader.invalid('n is zero');
  return n;
}

export const readClass = (reader: Reader): DurabilityClass => readOne(reader, classes);

export function writeOne<T extends string>(writer: Writer, options: readonly T[], value: T): void {
  writer.u8(options.indexOf(value));
}

export function readOne<T extends string>(reader: Reader, options: readonly T[]): T {
  const value = options[reader.u8()];
  if (value === undefined) throw Reader.invalid('unknown variant');
  return value;
}

export function writeList<T>(writer: Writer, items: readonly T[], write: (item: T) => void): void {
  writer.uint(items.length);
  for (const item of items) write(item);
}

export function readList<T>(reader: Reader, max: number, read: () => T): T[] {
  const items: T[] = [];
  for (let left = reader.count(max); left > 0; left--) items.push(read());
  return items;
}
