/**
 * Bytes, byte strings and text.
 *
 * Text is encoded as generalised UTF-8 (WTF-8): the same bytes as UTF-8 for well-formed text, and three bytes for a lone surrogate, so that every
 * JavaScript string makes a key of its own (VR8). `Writer` and `Reader` are the canonical binary form used by records, messages and contexts:
 * LEB128 whole numbers, length-prefixed bytes. A `Reader` is total: any input gives a value or a `FRAME_INVALID` error, and a length is checked against the
 * bytes that are there before anything is allocated (SE3, SE4).
 */

import { MeshError } from './errors.ts';
import type { ByteString } from './ids.ts';

// ASCII is its own encoding, and by far the commonest case.
const ascii = /^[\0-\x7f]*$/;

/** The bytes of a text as a byte string. */
export function textToBytes(text: string): ByteString {
  if (ascii.test(text)) return text as ByteString;
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) ?? 0;
    if (point < 0x80) out += String.fromCharCode(point);
    else if (point < 0x800) out += String.fromCharCode(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) out += String.fromCharCode(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else {
      out += String.fromCharCode(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
      i++;
    }
  }
  return out as ByteString;
}

/** The text whose bytes these are, or undefined when no text has these bytes. The inverse of `textToBytes`. */
export function bytesToText(bytes: ByteString): string | undefined {
  if (ascii.test(bytes)) return bytes;
  let out = '';
  for (let i = 0; i < bytes.length;) {
    const lead = bytes.charCodeAt(i);
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0 || i + length > bytes.length) return undefined;
    let point = length === 1 ? lead : lead & (0xff >> (length + 1));
    for (let k = 1; k < length; k++) {
      const tail = bytes.charCodeAt(i + k);
      if ((tail & 0xc0) !== 0x80) return undefined;
      point = (point << 6) | (tail & 0x3f);
    }
    if (point > 0x10ffff) return undefined;
    out += String.fromCodePoint(point);
    i += length;
  }
  // Rejects overlong forms and pairs of surrogates written as two characters: they are not what `textToBytes` makes.
  return textToBytes(out) === bytes ? out : undefined;
}

export function toByteString(bytes: Uint8Array, length = bytes.length): ByteString {
  return latin1(bytes, 0, length) as ByteString;
}

const shortBytes = 64;
const applyMax = 4096;

/** One character for each byte. Short strings are by far the commonest, and eight characters at a time is the fastest way to make one. */
function latin1(bytes: Uint8Array, from: number, to: number): string {
  const char = String.fromCharCode;
  let out = '';
  let i = from;
  if (to - from > shortBytes) {
    // `apply` takes the array as it is; spreading it would walk it with an iterator, six times slower.
    for (; i < to; i += applyMax) out += char.apply(null, bytes.subarray(i, Math.min(i + applyMax, to)) as unknown as number[]);
    return out;
  }
  const at = (offset: number): number => bytes[i + offset] as number;
  // Digests and names of operations, at one go: what is put together is in pieces until somebody looks at it.
  if (to - from === 16) {
    return char(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9), at(10), at(11), at(12), at(13), at(14), at(15));
  }
  for (; i + 8 <= to; i += 8) out += char(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
  for (; i < to; i++) out += char(at(0));
  return out;
}

export function fromByteString(bytes: string): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = bytes.charCodeAt(i);
  return out;
}

export function u16Bytes(value: number): string {
  return String.fromCharCode((value >>> 8) & 0xff, value & 0xff);
}

export function u32Bytes(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function hex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0');
  return out;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const alphabetCodes = fromByteString(alphabet);
const alphabetIndex = new Map([...alphabet].map((letter, index) => [letter, index]));

/** RFC 4648 section 5, without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let shift = 18; shift >= 0 && at < codes.length; shift -= 6) codes[at++] = alphabetCodes[(word >> shift) & 63] ?? 0;
  }
  return toByteString(codes);
}

/** Undefined for anything that `toBase64Url` does not make. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined;
  const out = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let at = 0;
  for (const letter of text) {
    const value = alphabetIndex.get(letter);
    if (value === undefined) return undefined;
    word = (word << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = (word >> bits) & 0xff;
      word &= (1 << bits) - 1;
    }
  }
  return word === 0 ? out : undefined;
}

/**
 * Where writers put their bytes: messages and records are small and many, and an allocation for each would cost more than filling it. A slab is given
 * away piece by piece and never taken back; it lives as long as something written to it.
 */
const slabBytes = 64 * 1024;
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

/** Appends to a buffer that doubles as it fills. Call `finish` once. */
export class Writer {
  /** The slab, or a buffer of its own. What this writer has begins at `#start`, and may reach up to `#limit`. */
  #buffer: Uint8Array;
  #start = 0;
  #at = 0;
  #limit: number;

  constructor(sizeHint = 256) {
    if (sizeHint > slabBytes / 8) {
      this.#buffer = new Uint8Array(sizeHint);
      this.#limit = sizeHint;
      return;
    }
    if (slabUsed + sizeHint > slabBytes) {
      slab = new Uint8Array(slabBytes);
      slabUsed = 0;
    }
    this.#buffer = slab;
    this.#start = this.#at = slabUsed;
    this.#limit = slabUsed += sizeHint;
  }

  #room(more: number): Uint8Array {
    if (this.#at + more > this.#limit) {
      const length = this.#at - this.#start;
      const grown = new Uint8Array(Math.max(length + more, length * 2));
      grown.set(this.written());
      this.#buffer = grown;
      this.#start = 0;
      this.#at = length;
      this.#limit = grown.length;
    }
    return this.#buffer;
  }

  u8(value: number): this {
    const buffer = this.#room(1);
    buffer[this.#at++] = value;
    return this;
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(value: number): this {
    const buffer = this.#room(8);
    let rest = value;
    while (rest >= 0x80) {
      buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[this.#at++] = rest;
    return this;
  }

  u32(value: number): this {
    const buffer = this.#room(4);
    for (let shift = 24; shift >= 0; shift -= 8) buffer[this.#at++] = (value >>> shift) & 0xff;
    return this;
  }

  bytes(value: Uint8Array): this {
    return this.uint(value.length).raw(value);
  }

  raw(value: Uint8Array): this {
    this.#room(value.length).set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  byteString(value: string): this {
    this.#codes(value);
    return this;
  }

  text(value: string): this {
    const start = this.#at - this.#start;
    // ASCII is its own encoding: what was written stays.
    if (this.#codes(value) < 0x80) return this;
    this.#at = this.#start + start;
    return this.byteString(textToBytes(value));
  }

  /** Returns the codes of all characters, or-ed together. */
  #codes(value: string): number {
    this.uint(value.length);
    const buffer = this.#room(value.length);
    let at = this.#at;
    let seen = 0;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      seen |= code;
      buffer[at++] = code;
    }
    this.#at = at;
    return seen;
  }

  /** What has been written so far: a view that holds until more is written. */
  written(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#at);
  }

  finish(): Uint8Array {
    // What was reserved and not needed goes to the next writer, unless another one began behind it.
    if (this.#buffer === slab && this.#limit === slabUsed) slabUsed = this.#at;
    this.#limit = this.#at;
    return this.written();
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  static invalid(reason: string): MeshError {
    return new MeshError('FRAME_INVALID', reason);
  }

  u8(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw Reader.invalid('ends too early');
    this.#at++;
    return value;
  }

  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; ; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw Reader.invalid('number is not in its shortest form');
        break;
      }
      scale *= 0x80;
      if (i === 7) throw Reader.invalid('number too long');
    }
    if (value > max) throw Reader.invalid(`number above ${max}`);
    return value;
  }

  u32(): number {
    return ((this.u8() << 24) | (this.u8() << 16) | (this.u8() << 8) | this.u8()) >>> 0;
  }

  bool(): boolean {
    return this.uint(1) === 1;
  }

  /** A view, not a copy. */
  bytes(max: number): Uint8Array {
    return this.raw(this.uint(max));
  }

  raw(length: number): Uint8Array {
    const from = this.#skip(length);
    return this.#bytes.subarray(from, this.#at);
  }

  /** Moves past bytes that must be there, and returns where they begin. */
  #skip(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw Reader.invalid('ends too early');
    this.#at = from + length;
    return from;
  }

  byteString(max: number): ByteString {
    const from = this.#skip(this.uint(max));
    return latin1(this.#bytes, from, this.#at) as ByteString;
  }

  /** `guess` costs little and saves making the string anew when it is the one. */
  text(max: number, guess?: string): string {
    const length = this.uint(max);
    if (guess !== undefined && guess.length === length && this.#isNext(guess)) return guess;
    const from = this.#skip(length);
    const text = bytesToText(latin1(this.#bytes, from, this.#at) as ByteString);
    if (text === undefined) throw Reader.invalid('text is not UTF-8');
    return text;
  }

  /** Moves past this text if it comes next. Only ASCII is found. */
  #isNext(text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f || this.#bytes[this.#at + i] !== code) return false;
    }
    this.#at += text.length;
    return true;
  }

  /** A count of items that each take at least one byte. */
  count(max: number): number {
    const value = this.uint(max);
    if (value > this.#bytes.length - this.#at) throw Reader.invalid('count exceeds the frame');
    return value;
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw Reader.invalid('bytes after the end');
  }
}
