/**
 * Contexts as clients carry them: they come back as they were, and nothing else is taken for one.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodeContext, encodeContext } from '../../src/context-text.ts';
import { toBase64Url, Writer } from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { Actor, ByteString } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { VersionVector } from '../../src/core/versions.ts';
import { aVector } from '../model/arbitraries.ts';
import { holds } from '../model/property.ts';

const address = addressOf('carts', 'alice' as ByteString);

const refused = (text: string): string => {
  try {
    decodeContext(address, text);
  } catch (error) {
    if (error instanceof MeshError) return error.code;
    throw error;
  }
  return 'accepted';
};

const actors = (count: number): VersionVector =>
  Array.from({ length: count }, (_, index) => ({ actor: `${String(index).padStart(34, '0')}.0` as Actor, counter: 2 ** 40 }));

describe('contexts of clients', () => {
  it('[VR1] come back as they were, in letters that need no escape in a URL or a header', () => {
    holds(
      500,
      fc.property(aVector, (context) => {
        const text = encodeContext(address, context);
        expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeContext(address, text)).toEqual(context);
      }),
    );
  });

  it('[VR1] none at all is a context that has seen nothing', () => {
    expect(decodeContext(address, undefined)).toEqual([]);
    expect(decodeContext(address, '')).toEqual([]);
  });

  it('[VR1] of another key are refused: they would claim what nobody saw', () => {
    const context: VersionVector = [{ actor: 'a.0' as Actor, counter: 1 }];
    for (const other of [addressOf('carts', 'bob' as ByteString), addressOf('carts2', 'alice' as ByteString)])
      expect(refused(encodeContext(other, context))).toBe('CONTEXT_INVALID');
  });

  it('[VR6] with 128 ranges fit, with 129 do not', () => {
    expect(decodeContext(address, encodeContext(address, actors(limits.contextMaxEntries))).length).toBe(limits.contextMaxEntries);
    expect(refused(encodeContext(address, actors(limits.contextMaxEntries + 1)))).toBe('CONTEXT_INVALID');
  });

  it('[SE4] anything else is CONTEXT_INVALID', () => {
    const good = encodeContext(address, [{ actor: 'a.0' as Actor, counter: 3 }]);
    for (const bad of [
      `${good}A`,
      good.slice(0, -1),
      good.slice(4),
      `${good}=`,
      ' ',
      'null',
      '__proto__',
      'A'.repeat(limits.contextMaxBytes + 1),
      '\u{1f98a}',
    ]) {
      expect(refused(bad), bad.slice(0, 40)).toBe('CONTEXT_INVALID');
    }
    const begun = (): Writer => new Writer().u8(1).u32(address.position);
    for (const bytes of [
      new Writer().u8(2).u32(address.position).uint(0).finish(),
      begun()
        .uint(2 ** 50)
        .finish(),
      begun()
        .uint(1)
        .text('a')
        .uint(2 ** 48)
        .uint(5)
        .finish(),
      begun().uint(1).text('a').uint(0).uint(1).finish(),
      begun().uint(0).u8(0).finish(),
    ]) {
      expect(refused(toBase64Url(bytes))).toBe('CONTEXT_INVALID');
    }
    holds(
      1000,
      fc.property(
        fc.oneof(
          fc.string(),
          fc.uint8Array({ maxLength: 30 }).map((bytes) => toBase64Url(bytes)),
        ),
        (text) => {
          expect(['accepted', 'CONTEXT_INVALID']).toContain(refused(text));
        },
      ),
    );
  });
});
