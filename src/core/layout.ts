/**
 * How a peer's data lies in its storage. Keys are byte strings whose first letter names the kind, so that each kind is one range, and records are ordered
 * by position, hence by partition: a partition streams as one range.
 *
 *   r position(4) bucket NUL key   the record
 *   k bucket NUL key               empty: the keys of a bucket in bytewise order, for listings
 *   t n(1) partition(2) leaf(1)    the digest of a Merkle leaf, and a question mark where it is doubted
 *   e time(8) bucket NUL key       empty: when a version of the record expires
 *   d time(8) bucket NUL key       empty: since when there is nothing in the record but tombstones
 *   h owner NUL bucket NUL key     n of the bucket: the record here is kept for this owner too (a hint)
 *   m name                         what the peer knows of itself and of the members
 */

import { bytesToText, textToBytes, u16Bytes, u32Bytes } from './bytes.ts';
import { addressOf } from './hash.ts';
import type { StorageRange } from './disk.ts';
import type { Address, ByteString, PeerId } from './ids.ts';
import { limits } from './limits.ts';
import { leafCount } from './merkle.ts';

const dueTimeBytes = 8;

const bytes = (text: string): ByteString => text as ByteString;

/** One name for (bucket, key), used as a map key. */
export const recordName = (bucket: string, key: ByteString): string => `${bucket}\0${key}`;

export const recordKey = (address: Address): ByteString => bytes(`r${u32Bytes(address.position)}${address.name}`);

export const indexKey = (address: Address): ByteString => bytes(`k${address.name}`);

export const leafKey = (n: number, partition: number, leaf: number): ByteString =>
  bytes(`t${String.fromCharCode(n)}${u16Bytes(partition)}${String.fromCharCode(leaf)}`);

export const hintKey = (owner: PeerId, address: Address): ByteString => bytes(`h${textToBytes(owner)}\0${address.name}`);

/** `kind`: `e` for expiry, `d` for deletion; times are whole Unix milliseconds. */
export const dueKey = (kind: 'e' | 'd', time: number, address: Address): ByteString => bytes(`${kind}${timeBytes(time)}${address.name}`);

const timeBytes = (time: number): string => u32Bytes(Math.floor(time / 2 ** 32)) + u32Bytes(time % 2 ** 32);

/** The rows of a kind up to and including a time, after the key `after`. */
export const dueRange = (kind: 'e' | 'd', time: number, limit: number, after?: ByteString): StorageRange => ({
  from: after === undefined ? bytes(kind) : bytes(`${after}\0`),
  to: bytes(`${kind}${timeBytes(time + 1)}`),
  limit,
  keysOnly: true,
});

/** Undefined when the key is not one of `dueKey`. */
export function addressOfDueKey(key: ByteString): Address | undefined {
  const split = key.indexOf('\0', 1 + dueTimeBytes);
  return split < 0 ? undefined : addressOf(key.slice(1 + dueTimeBytes, split), key.slice(split + 1) as ByteString);
}

export const metaKey = (name: string): ByteString => bytes(`m${name}`);

export const removalKey = (peer: PeerId): ByteString => bytes(`mremoved/${textToBytes(peer)}`);

export const peerOfRemovalKey = (key: ByteString): PeerId => (bytesToText(key.slice('mremoved/'.length) as ByteString) ?? '') as PeerId;

export const memberKey = (peer: PeerId): ByteString => bytes(`mmember/${textToBytes(peer)}`);

export const partitionOfLeafKey = (key: ByteString): number => (key.charCodeAt(2) << 8) | key.charCodeAt(3);

export const leafOfKey = (key: ByteString): number => key.charCodeAt(4);

/** Undefined when the key is not one of `recordKey`. */
export function addressOfRecordKey(key: ByteString): Address | undefined {
  const split = key.indexOf('\0', 5);
  return split < 0 ? undefined : addressOf(key.slice(5, split), key.slice(split + 1) as ByteString);
}

export function hintOfKey(key: ByteString): { owner: PeerId; address: Address } | undefined {
  const ownerEnd = key.indexOf('\0');
  const bucketEnd = key.indexOf('\0', ownerEnd + 1);
  const owner = bytesToText(key.slice(1, ownerEnd) as ByteString);
  if (ownerEnd < 0 || bucketEnd < 0 || owner === undefined) return undefined;
  const address = addressOf(key.slice(ownerEnd + 1, bucketEnd), key.slice(bucketEnd + 1) as ByteString);
  return { owner: owner as PeerId, address };
}

/** The least byte string greater than all that begin with `prefix`. */
export function prefixEnd(prefix: ByteString): ByteString {
  const kept = prefix.replace(/\u00ff+$/, '');
  return bytes(kept.slice(0, -1) + String.fromCharCode(kept.charCodeAt(kept.length - 1) + 1));
}

export const prefixRange = (prefix: string, limit: number): StorageRange => ({ from: bytes(prefix), to: prefixEnd(bytes(prefix)), limit });

/** The leaves of all trees of one n. */
export const treesRange = (n: number): StorageRange => prefixRange(`t${String.fromCharCode(n)}`, limits.membersMax);

/** The first record from a partition on. */
export const firstRecordRange = (partition: number, partitions: number): StorageRange => ({
  from: bytes(`r${u32Bytes(partition * (2 ** 32 / partitions))}`),
  to: bytes('s'),
  limit: 1,
  keysOnly: true,
});

/** All records of a partition from `after` (exclusive) on. */
export function recordsRange(partition: number, partitions: number, limit: number, after?: ByteString): StorageRange {
  const span = 2 ** 32 / partitions;
  const end = (partition + 1) * span;
  const to = end === 2 ** 32 ? bytes('s') : bytes(`r${u32Bytes(end)}`);
  return { from: after === undefined ? bytes(`r${u32Bytes(partition * span)}`) : bytes(`${after}\0`), to, limit };
}

/** The records in the leaves `first` to `last` (numbers across partitions) from `after` (exclusive) on. */
export function leavesRange(first: number, last: number, partitions: number, limit: number, after?: ByteString): StorageRange {
  const span = 2 ** 32 / partitions / leafCount;
  const end = (last + 1) * span;
  const to = end >= 2 ** 32 ? bytes('s') : bytes(`r${u32Bytes(end)}`);
  return { from: after === undefined ? bytes(`r${u32Bytes(first * span)}`) : bytes(`${after}\0`), to, limit };
}

/** The index entries of a bucket's keys that begin with `prefix`, after the key `after`. */
export function keysRange(bucket: string, prefix: ByteString, after: ByteString | undefined, limit: number): StorageRange {
  const start = `k${bucket}\0`;
  const to = prefixEnd(bytes(start + prefix));
  const from = after !== undefined && after >= prefix ? bytes(`${start}${after}\0`) : bytes(start + prefix);
  return { from, to: from > to ? from : to, limit, keysOnly: true };
}

export const keyOfIndex = (bucket: string, key: ByteString): ByteString => key.slice(bucket.length + 2) as ByteString;
