/**
 * The only hashes of the core: SHA-256 for everything that must be the same on every peer, CRC-32C for damage on disk. Both are synchronous.
 */

import { sha256 } from '@noble/hashes/sha2.js';

import { fromByteString } from './bytes.ts';
import type { Address, ByteString } from './ids.ts';

export { sha256 };

/** The first four bytes, big-endian. */
export function leadingU32(digest: Uint8Array): number {
  return (((digest[0] ?? 0) << 24) | ((digest[1] ?? 0) << 16) | ((digest[2] ?? 0) << 8) | (digest[3] ?? 0)) >>> 0;
}

/** A request asks for the address of its key several times: the last ones are kept, up to this many. */
const addressesMax = 4096;
const addresses = new Map<string, Address>();

/** The point of a key on the ring. A bucket name holds no NUL, so the two cannot run into each other. */
export function addressOf(bucket: string, key: ByteString): Address {
  const name = `${bucket}\0${key}`;
  let address = addresses.get(name);
  if (address === undefined) {
    if (addresses.size >= addressesMax) addresses.clear();
    address = { bucket, key, position: leadingU32(sha256(fromByteString(name))) };
    addresses.set(name, address);
  }
  return address;
}

/** Four tables, so that four bytes are taken at a step ("slicing", Kounavis and Berry, 2005). */
const crcTables = makeCrcTables();

function makeCrcTables(): readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array] {
  const first = new Uint32Array(256).map((_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc >>> 0;
  });
  const further = (previous: Uint32Array): Uint32Array => previous.map((crc) => (crc >>> 8) ^ (first[crc & 0xff] ?? 0));
  const second = further(first);
  const third = further(second);
  return [first, second, third, further(third)];
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4). */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = crcTables;
  const end = bytes.length - (bytes.length % 4);
  let crc = 0xffffffff;
  let i = 0;
  // Every index is within bounds: the casts keep checks out of the hottest loop of the core.
  for (; i < end; i += 4) {
    crc ^= (bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24);
    crc =
      (t3[crc & 0xff] as number) ^ (t2[(crc >>> 8) & 0xff] as number) ^ (t1[(crc >>> 16) & 0xff] as number) ^ (t0[crc >>> 24] as number);
  }
  for (; i < bytes.length; i++) crc = (t0[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
