/**
 * The only hashes of the core: SHA-256 for everything that must be the same on every peer, CRC-32C for damage on disk. Both are synchronous.
 */

import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';

import { fromByteString, toByteString } from './bytes.ts';
import type { Address, ByteString } from './ids.ts';

const blank = nobleSha256.create();
const working = nobleSha256.create();

/** State and result are used again: to make them costs as much as a short message does. */
const latestDigest = new Uint8Array(32);

function digest(bytes: Uint8Array): Uint8Array {
  // oxlint-disable-next-line no-underscore-dangle -- the name that noble gives it.
  blank._cloneInto(working).update(bytes).digestInto(latestDigest);
  return latestDigest;
}

export const sha256 = (bytes: Uint8Array): Uint8Array => digest(bytes).slice();

/** The first bytes of the SHA-256, as a byte string. */
export const digestText = (bytes: Uint8Array, length: number): ByteString => toByteString(digest(bytes), length);

/** The first four bytes, big-endian. */
export function leadingU32(digest: Uint8Array): number {
  return (((digest[0] ?? 0) << 24) | ((digest[1] ?? 0) << 16) | ((digest[2] ?? 0) << 8) | (digest[3] ?? 0)) >>> 0;
}

/** A request asks for the address of its key several times, and keys are asked for again: the last ones are kept, each where its name points to. */
const keptAddresses = 4096;
const addresses = Array<Address | undefined>(keptAddresses).fill(undefined);

/** The point of a key on the ring. A bucket name holds no NUL, so the two cannot run into each other. */
export function addressOf(bucket: string, key: ByteString): Address {
  let mixed = bucket.length;
  for (let i = 0; i < key.length; i++) mixed = (Math.imul(mixed, 31) + key.charCodeAt(i)) | 0;
  const place = (mixed ^ (mixed >>> 12)) & (keptAddresses - 1);
  const kept = addresses[place];
  if (kept !== undefined && kept.key === key && kept.bucket === bucket) return kept;
  const name = `${bucket}\0${key}`;
  const address = { bucket, key, name, position: leadingU32(digest(fromByteString(name))) };
  addresses[place] = address;
  return address;
}

/** Eight tables, so that eight bytes are taken at a step ("slicing", Kounavis and Berry, 2005). */
const [t0, t1, t2, t3, t4, t5, t6, t7] = makeCrcTables();

type Table = Uint32Array;

function makeCrcTables(): readonly [Table, Table, Table, Table, Table, Table, Table, Table] {
  const first = new Uint32Array(256).map((_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc >>> 0;
  });
  const tables: Table[] = [first];
  for (let last = first; tables.length < 8; tables.push(last)) last = last.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0));
  return tables as unknown as [Table, Table, Table, Table, Table, Table, Table, Table];
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  // Every index is within bounds: the casts keep checks out of the hottest loop of the core.
  const at = (index: number): number => bytes[index] as number;
  const of = (table: Table, index: number): number => table[index] as number;
  const end = bytes.length - (bytes.length % 8);
  let crc = -1;
  let i = 0;
  for (; i < end; i += 8) {
    const mixed = crc ^ (at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24));
    const early = of(t7, mixed & 0xff) ^ of(t6, (mixed >>> 8) & 0xff) ^ of(t5, (mixed >>> 16) & 0xff) ^ of(t4, mixed >>> 24);
    crc = early ^ of(t3, at(i + 4)) ^ of(t2, at(i + 5)) ^ of(t1, at(i + 6)) ^ of(t0, at(i + 7));
  }
  for (; i < bytes.length; i++) crc = of(t0, (crc ^ at(i)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}
