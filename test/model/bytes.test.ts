/**
 * Bytes and text against what the platform itself offers.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  bytesToText,
  fromBase64Url,
  fromByteString,
  hex,
  Reader,
  textToBytes,
  toBase64Url,
  toByteString,
  u16Bytes,
  u32Bytes,
  Writer,
} from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import type { ByteString } from '../../src/core/ids.ts';
import { aByteString, anyText } from './arbitraries.ts';
import { holds } from './property.ts';

const invalid = (action: () => unknown): boolean => {
  try {
    action();
    return false;
  } catch (error) {
    if (error instanceof MeshError && error.code === 'FRAME_INVALID') return true;
    throw error;
  }
};

/** Texts that are likely to hold surrogates, alone and in pairs. */
const surrogateText = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff', 'a', 'é', '€', '\u{10ffff}', '\0', '\x7f', '\x80'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});
const text = fc.oneof(anyText, surrogateText, fc.string({ unit: 'grapheme' }));

describe('text', () => {
  it('[VR8] every text, with lone surrogates too, has bytes of its own and comes back', () => {
    holds(
      700,
      fc.property(text, (value) => {
        const bytes = textToBytes(value);
        expect(/^[\0-\u00ff]*$/.test(bytes)).toBe(true);
        expect(bytesToText(bytes)).toBe(value);
      }),
    );
    for (let code = 0; code <= 0xffff; code++) {
      const letter = String.fromCharCode(code);
      if (bytesToText(textToBytes(letter)) !== letter) expect.unreachable(`U+${code.toString(16)} does not come back`);
    }
  });

  it('[VR8] different texts have different bytes', () => {
    holds(
      1000,
      fc.property(surrogateText, surrogateText, (a, b) => {
        expect(textToBytes(a) === textToBytes(b)).toBe(a === b);
      }),
    );
  });

  it('[VR8] well-formed text has the bytes of UTF-8', () => {
    const encoder = new TextEncoder();
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    let wellFormed = 0;
    holds(
      700,
      fc.property(text, (value) => {
        if (/\p{Surrogate}/u.test(value)) return;
        wellFormed++;
        expect([...fromByteString(textToBytes(value))]).toEqual([...encoder.encode(value)]);
        expect(bytesToText(toByteString(encoder.encode(value)))).toBe(decoder.decode(encoder.encode(value)));
      }),
    );
    expect(wellFormed).toBeGreaterThan(100);
  });

  it('[SE4] bytes that no text has are refused: all inputs of up to two bytes, and random ones', () => {
    // Exactly the image of textToBytes is text.
    const right = (bytes: ByteString): boolean => {
      const value = bytesToText(bytes);
      return value === undefined ? !isGeneralisedUtf8(bytes) : textToBytes(value) === bytes;
    };
    const wrong: string[] = [];
    for (let a = 0; a < 256; a++) {
      for (let b = -1; b < 256; b++) {
        const bytes = String.fromCharCode(...(b < 0 ? [a] : [a, b])) as ByteString;
        if (!right(bytes)) wrong.push(bytes);
      }
    }
    expect(wrong).toEqual([]);
    holds(2000, fc.property(fc.oneof(aByteString(0, 8), nearlyUtf8), right));
  });

  it('[SE4] overlong forms, surrogate pairs in two halves and points beyond the last are refused', () => {
    for (const bytes of [
      '\xc0\x80',
      '\xc1\xbf',
      '\xe0\x80\x80',
      '\xe0\x9f\xbf',
      '\xf0\x80\x80\x80',
      '\xf0\x8f\xbf\xbf',
      '\xed\xa0\x80\xed\xb0\x80',
      '\xf4\x90\x80\x80',
      '\xf5\x80\x80\x80',
      '\xff',
      '\x80',
      '\xe2\x82',
    ]) {
      expect(bytesToText(bytes as ByteString), JSON.stringify(bytes)).toBeUndefined();
    }
    expect(bytesToText('\xed\xa0\x80' as ByteString)).toBe('\ud800');
    expect(bytesToText('\xf4\x8f\xbf\xbf' as ByteString)).toBe('\u{10ffff}');
  });
});

/** Bytes made of the pieces of UTF-8, rarely put together as they should be. */
const nearlyUtf8 = fc
  .array(
    fc.constantFrom(
      'a',
      '\xc2',
      '\xc3',
      '\xe0',
      '\xe2',
      '\xed',
      '\xef',
      '\xf0',
      '\xf4',
      '\x80',
      '\x8f',
      '\x90',
      '\x9f',
      '\xa0',
      '\xb0',
      '\xbf',
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join('') as ByteString);

/** The grammar of generalised UTF-8 as a pattern (the WTF-8 specification, sections 3 and 4.2), without pairs of surrogates in two halves. */
const oneLetter =
  /[\0-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/;
const letters = new RegExp(`^(?:${oneLetter.source})*$`);
const splitPair = /\xed[\xa0-\xaf].\xed[\xb0-\xbf]./s;
const isGeneralisedUtf8 = (bytes: string): boolean => letters.test(bytes) && !splitPair.test(bytes);

describe('byte strings', () => {
  it('[VR8] bytes come back, and compare as bytes do', () => {
    holds(
      500,
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (a, b) => {
        expect([...fromByteString(toByteString(a))]).toEqual([...a]);
        const order = Math.sign(Buffer.compare(a, b));
        const [left, right] = [toByteString(a), toByteString(b)];
        expect(left < right ? -1 : left > right ? 1 : 0).toBe(order);
      }),
    );
  });

  it('[VR8] long ones too', () => {
    const long = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 31) & 255);
    expect(Buffer.compare(fromByteString(toByteString(long)), long)).toBe(0);
  });

  it('[VR8] hexadecimal, base64url and big-endian numbers are those of the platform', () => {
    holds(
      500,
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat({ max: 2 ** 32 - 1 }), (bytes, number) => {
        const buffer = Buffer.from(bytes);
        expect(hex(bytes)).toBe(buffer.toString('hex'));
        expect(toBase64Url(bytes)).toBe(buffer.toString('base64url'));
        expect([...(fromBase64Url(buffer.toString('base64url')) as Uint8Array)]).toEqual([...bytes]);
        const word = Buffer.alloc(4);
        word.writeUInt32BE(number);
        expect(u32Bytes(number)).toBe(word.toString('latin1'));
        expect(u16Bytes(number & 0xffff)).toBe(word.toString('latin1').slice(2));
      }),
    );
  });

  it('[SE4] anything else than canonical base64url is refused', () => {
    for (const bad of ['A', 'AB==', 'AB=', 'A+', 'A/', 'AAAAA', 'AA A', 'AA\n', 'AB', 'AAB', 'AAAA\u{1f98a}', 'ÄÄ'])
      expect(fromBase64Url(bad), bad).toBeUndefined();
    expect(fromBase64Url('')).toEqual(new Uint8Array(0));
    holds(
      1000,
      fc.property(fc.string({ unit: fc.constantFrom(...'ABCDwxyz0189-_=+/ \n'), maxLength: 9 }), (candidate) => {
        const bytes = fromBase64Url(candidate);
        if (bytes !== undefined) expect(toBase64Url(bytes)).toBe(candidate);
        else expect(Buffer.from(candidate, 'base64url').toString('base64url')).not.toBe(candidate);
      }),
    );
  });
});

type Item =
  | { readonly type: 'u8' | 'u32' | 'uint'; readonly value: number }
  | { readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly type: 'text'; readonly value: string };

const aNumber = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 48, 2 ** 53 - 1), fc.maxSafeNat(), fc.nat({ max: 70_000 }));
const anItem: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ type: fc.constant('u8' as const), value: fc.nat({ max: 255 }) }),
  fc.record({ type: fc.constant('u32' as const), value: fc.nat({ max: 2 ** 32 - 1 }) }),
  fc.record({ type: fc.constant('uint' as const), value: aNumber }),
  fc.record({ type: fc.constant('bytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ type: fc.constant('text' as const), value: text }),
);

function write(writer: Writer, item: Item): void {
  if (item.type === 'bytes') writer.bytes(item.value);
  else if (item.type === 'text') writer.text(item.value);
  else writer[item.type](item.value);
}

const read = (reader: Reader, item: Item): unknown =>
  item.type === 'bytes' ? reader.bytes(300) : item.type === 'text' ? reader.text(100_000) : reader[item.type]();

describe('writer and reader', () => {
  it('[SE4] what was written is read, whatever the first size of the buffer; each shorter input ends too early', () => {
    holds(
      300,
      fc.property(fc.array(anItem, { maxLength: 12 }), fc.nat({ max: 64 }), (items, sizeHint) => {
        const writer = new Writer(sizeHint);
        for (const item of items) write(writer, item);
        const bytes = writer.finish();
        const reader = new Reader(bytes);
        for (const item of items) expect(read(reader, item)).toEqual(item.value);
        reader.end();
        for (let cut = 0; cut < Math.min(bytes.length, 40); cut++) {
          const short = new Reader(bytes.subarray(0, bytes.length - 1 - cut));
          expect(invalid(() => items.forEach((item) => read(short, item)))).toBe(true);
        }
      }),
    );
  });

  it('[SE4] writers do not write into each other, in whatever order they are begun, filled and finished', () => {
    const piece = fc.tuple(fc.nat({ max: 5 }), fc.uint8Array({ maxLength: 700 }));
    const sizeHints = fc.array(fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(0, 8192, 8193, 70_000)), { minLength: 6, maxLength: 6 });
    holds(
      300,
      fc.property(
        sizeHints,
        fc.array(piece, { maxLength: 20 }),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
        (hints, pieces, order) => {
          const writers = hints.map((hint) => new Writer(hint));
          const expected: number[][] = hints.map(() => []);
          for (const [index, bytes] of pieces) {
            writers[index]?.raw(bytes);
            expected[index]?.push(...bytes);
            expect(writers[index]?.written().length).toBe(expected[index]?.length);
          }
          const finished = order.map((index) => [index, (writers[index] as Writer).finish()] as const);
          // Those who come later take what was left over, and leave the rest alone.
          for (let more = 0; more < 5; more++) new Writer().raw(new Uint8Array(100).fill(0xee)).finish();
          for (const [index, bytes] of finished) expect([...bytes]).toEqual(expected[index]);
        },
      ),
    );
  });

  it('[SE4] whole numbers have one form: the shortest LEB128', () => {
    holds(
      1000,
      fc.property(aNumber, (value) => {
        const bytes = new Writer().uint(value).finish();
        let naive = 0n;
        bytes.forEach((byte, index) => (naive |= BigInt(byte & 127) << BigInt(7 * index)));
        expect(naive).toBe(BigInt(value));
        expect(bytes.length).toBe(Math.max(1, Math.ceil(BigInt(value).toString(2).length / 7)));
        const padded = Uint8Array.of(...bytes.map((byte) => byte | 128), 0);
        expect(invalid(() => new Reader(padded).uint())).toBe(true);
        expect(new Reader(bytes).uint(value)).toBe(value);
        if (value > 0) expect(invalid(() => new Reader(bytes).uint(value - 1))).toBe(true);
      }),
    );
  });

  it('[SE4] numbers beyond 2^53 - 1 and endless ones are refused', () => {
    for (const bytes of [
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
      Array.from({ length: 1000 }, () => 0x80),
      Array.from({ length: 1000 }, () => 0xff),
      [],
    ]) {
      expect(invalid(() => new Reader(Uint8Array.from(bytes)).uint())).toBe(true);
    }
    expect(new Reader(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).uint()).toBe(2 ** 53 - 1);
  });

  it('[SE3] lengths and counts are checked against the limit and against the bytes that are there', () => {
    const claim = (value: number): Reader => new Reader(new Writer().uint(value).raw(new Uint8Array(8)).finish());
    for (const huge of [9, 1000, 2 ** 32, 2 ** 53 - 1]) {
      expect(invalid(() => claim(huge).bytes(Number.MAX_SAFE_INTEGER))).toBe(true);
      expect(invalid(() => claim(huge).byteString(Number.MAX_SAFE_INTEGER))).toBe(true);
      expect(invalid(() => claim(huge).text(Number.MAX_SAFE_INTEGER))).toBe(true);
      expect(invalid(() => claim(huge).count(Number.MAX_SAFE_INTEGER))).toBe(true);
      expect(invalid(() => claim(huge).raw(huge + 1))).toBe(true);
    }
    expect(invalid(() => claim(8).bytes(7))).toBe(true);
    expect(invalid(() => claim(8).count(7))).toBe(true);
    expect(claim(8).bytes(8).length).toBe(8);
    expect(claim(8).count(8)).toBe(8);
    expect(invalid(() => new Reader(Uint8Array.of(2)).bool())).toBe(true);
    expect(invalid(() => new Reader(Uint8Array.of(1)).end())).toBe(true);
  });
});
