/**
 * The hashes of the core against known answers: other implementations and other platforms must agree with them.
 */

import { describe, expect, it } from 'vitest';

import { hex, textToBytes } from '../../src/core/bytes.ts';
import { addressOf, crc32c, leadingU32, sha256 } from '../../src/core/hash.ts';
import type { ByteString } from '../../src/core/ids.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('CRC-32C', () => {
  it('[ST3] gives the test vectors of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => 31 - index))).toBe(0x113fdb5c);
    expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it('[ST3] is the remainder of the polynomial, bit by bit, for every length and every place in a buffer', () => {
    const naive = (bytes: Uint8Array): number => {
      let crc = 0xffffffff;
      for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
      return ~crc >>> 0;
    };
    const bytes = sha256(ascii('some bytes'));
    for (let from = 0; from < 8; from++) {
      for (let to = from; to <= bytes.length; to++) expect(crc32c(bytes.subarray(from, to))).toBe(naive(bytes.subarray(from, to)));
    }
  });
});

describe('SHA-256', () => {
  it('[RG1] gives the test vectors of FIPS 180', () => {
    expect(hex(sha256(ascii('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(hex(sha256(new Uint8Array(0)))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('[RG1] the leading number is unsigned and big-endian', () => {
    expect(leadingU32(Uint8Array.of(0xff, 0xfe, 0, 1, 99))).toBe(0xfffe0001);
    expect(leadingU32(Uint8Array.of(0, 0, 0, 1))).toBe(1);
  });
});

describe('addresses', () => {
  it('[RG1] the position of a key is frozen', () => {
    const positions = [
      ['carts', 'alice'],
      ['carts', ''],
      ['a', '\0'],
      ['a', '__proto__'],
      ['a', 'ключ'],
      ['a', '\ud800'],
    ].map(([bucket, key]) => addressOf(bucket as string, textToBytes(key as string)).position);
    expect(positions).toEqual([4213384815, 1177926804, 3933200030, 2079011326, 2138078014, 1776600980]);
    // The first four bytes of SHA-256 of 'carts', NUL, 'alice'.
    expect(positions[0]).toBe(leadingU32(sha256(ascii('carts\0alice'))));
  });

  it('[VR8] bucket and key do not run into each other, and keys are bytes', () => {
    const names = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc', ''],
      ['a', 'b\0c'],
      ['a', 'ÿ'],
      ['a', '\xff'],
    ] as const;
    const addresses = names.map(([bucket, key]) => addressOf(bucket, textToBytes(key)));
    expect(new Set(addresses.map((address) => address.position)).size).toBe(5);
    const raw = addressOf('a', '\xff' as ByteString);
    expect(raw.position).not.toBe(addressOf('a', textToBytes('\xff')).position);
    expect(raw).toEqual({ bucket: 'a', key: '\xff', name: 'a\0\xff', position: raw.position });
  });
});
