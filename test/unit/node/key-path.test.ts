/** Keys in URLs and keys as file names. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathOfKey } from '../../../node/files/walk.ts';
import { parseQuery, queryCount, splitTarget } from '../../../node/gateway/target.ts';
import { decodeSegment, encodeSegment, keyText } from '../../../node/key-path.ts';

/** Every character is a byte, as in a raw request target. */
const anyText = fc.uint8Array().map((text) => Buffer.from(text).toString('latin1'));
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('keys in a path', () => {
  it('[VR8] any bytes come back from their segment', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1024 }), (key) => {
        const segment = encodeSegment(key);
        expect(segment).toMatch(/^[A-Za-z0-9\-._~%]*$/);
        expect(segment).not.toMatch(/^\.\.?$/);
        expect(decodeSegment(segment)).toEqual(key);
      }),
    );
  });

  it('[VR8] bytes that a client left unencoded are taken as they are', () => {
    expect(decodeSegment('a+b&c=d;e')).toEqual(Uint8Array.from(Buffer.from('a+b&c=d;e')));
    expect(decodeSegment('\xff\x80')).toEqual(bytes(0xff, 0x80));
  });

  it.each([
    ['%2F', bytes(0x2f)],
    ['%2f', bytes(0x2f)],
    ['%00', bytes(0)],
    ['%FF', bytes(0xff)],
    ['%2E%2E', bytes(0x2e, 0x2e)],
    ['%252F', bytes(0x25, 0x32, 0x46)],
    ['', bytes()],
  ])('[VR8] %s is decoded once, byte for byte', (segment, key) => {
    expect(decodeSegment(segment)).toEqual(key);
  });

  it.each(['%', '%2', '%G0', 'a%', '%%', '%-1', '% 1', 'ž'])('refuses the bad encoding %s', (segment) => {
    expect(decodeSegment(segment)).toBeUndefined();
  });

  it('never throws on any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        decodeSegment(text);
      }),
    );
  });

  it('[VR8] dot segments are encoded, so that no client removes them from a path', () => {
    expect(encodeSegment('.')).toBe('%2E');
    expect(encodeSegment('..')).toBe('%2E%2E');
    expect(encodeSegment('...')).toBe('...');
    expect(encodeSegment('a..b')).toBe('a..b');
  });

  it('[VR8] text is told from other bytes', () => {
    expect(keyText(Buffer.from('ključ'))).toBe('ključ');
    expect(keyText(bytes(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
    expect(keyText(bytes(0xff))).toBeUndefined();
    expect(keyText(bytes(0xed, 0xa0, 0x80))).toBeUndefined();
  });
});

describe('the request target', () => {
  it('is split at the first question mark and not touched', () => {
    expect(splitTarget('/v1/%2E%2E/../a?b=/?c')).toEqual({ path: '/v1/%2E%2E/../a', query: 'b=/?c' });
    expect(() => splitTarget('http://example.org/')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });

  it('parameters are decoded as forms do it', () => {
    const query = parseQuery('prefix=a+b%2B%FF&limit=7&', ['prefix', 'limit']);
    expect(query.get('prefix')).toEqual(Uint8Array.from([0x61, 0x20, 0x62, 0x2b, 0xff]));
    expect(queryCount(query, 'limit', 1, 10)).toBe(7);
  });

  it.each(['x=1', 'limit=1&limit=2', 'limit=%', '__proto__=1', 'limit%20=1'])('refuses %s, with the name in the message', (query) => {
    expect(() => parseQuery(query, ['limit'])).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

describe('keys as file names', () => {
  it.each(['a', 'a/b.txt', '.hidden', 'a/..b', '__proto__', 'ž/€'])('%s is a path', (key) => {
    expect(pathOfKey(key)).toEqual({ path: key });
  });

  it.each([undefined, '', '..', '.', 'a/../b', '../a', '/etc/passwd', 'a//b', 'a/', 'C:/x', 'a\\..\\b', 'a\0b', 'a\nb', 'x'.repeat(256)])(
    '%j is refused',
    (key) => {
      expect(pathOfKey(key)).toHaveProperty('problem');
    },
  );
});
