/**
 * Messages to frames and back; and frames that no peer would send.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodeMessage, encodeMessage } from '../../src/core/codec.ts';
import { MeshError } from '../../src/core/errors.ts';
import { decodeRumors, decodeSigned, encodeRumors, encodeSigned, memberCluster } from '../../src/core/member-codec.ts';
import type { Message } from '../../src/core/messages.ts';
import { SeededRandom } from '../../src/core/random.ts';
import { aCall, aMessage, anAnswer, someRumors } from './message-arbitraries.ts';
import { holds, seed } from './property.ts';

/** The value, or undefined for a typed refusal. Anything else that is thrown is a bug, also one that hides behind the right code. */
function decoded<T>(decode: (frame: Uint8Array) => T, frame: Uint8Array): T | undefined {
  try {
    return decode(frame);
  } catch (error) {
    if (!(error instanceof MeshError) || error.code !== 'FRAME_INVALID') throw error;
    if (causesOf(error).every((cause) => cause instanceof MeshError)) return undefined;
    throw error;
  }
}

function comesBack(message: Message): void {
  expect(decodeMessage(encodeMessage(message).slice())).toEqual(message);
}

function causesOf(error: Error): unknown[] {
  return error.cause === undefined ? [] : [error.cause, ...causesOf(error.cause as Error)];
}

describe('messages', () => {
  it('[MB6] [VR8] every message is decoded as it was sent', () => {
    holds(500, fc.property(aMessage, comesBack));
  });

  for (const [type, body] of Object.entries(aCall)) {
    it(`[MB6] calls of type ${type}`, () => {
      const message = fc.record({ kind: fc.constant('call' as const), id: fc.nat(), ring: fc.constant('r'), body });
      holds(100, fc.property(message, comesBack));
    });
  }

  for (const [type, body] of Object.entries(anAnswer)) {
    it(`[MB6] answers of type ${type}`, () => {
      holds(100, fc.property(fc.record({ kind: fc.constant('answer' as const), id: fc.nat(), body }), comesBack));
    });
  }

  it('[MB4] rumors and signed members have forms of their own, for gossip and for the disk', () => {
    holds(
      150,
      fc.property(someRumors, (rumors) => {
        expect(decodeRumors(encodeRumors(rumors))).toEqual(rumors);
        for (const member of rumors.members) {
          expect(decodeSigned(encodeSigned(member))).toEqual(member);
          expect(decoded(memberCluster, member.bytes)).toBeDefined();
        }
      }),
    );
  });

  it('[SE4] a frame that was cut or has bytes after its end is refused', () => {
    holds(
      80,
      fc.property(aMessage, fc.nat({ max: 255 }), (message, more) => {
        const frame = encodeMessage(message).slice();
        expect(decoded(decodeMessage, Uint8Array.of(...frame, more))).toBeUndefined();
        for (let length = 0; length < frame.length; length += 1 + (length >> 5))
          expect(decoded(decodeMessage, frame.subarray(0, length))).toBeUndefined();
      }),
    );
  });
});

describe('hostile frames', () => {
  const originals = (): Uint8Array[] => fc.sample(aMessage, { numRuns: 600, seed }).map((message) => encodeMessage(message).slice());

  it('[SE4] 40,000 random frames give FRAME_INVALID or a valid message', () => {
    const random = new SeededRandom(seed);
    let valid = 0;
    for (let i = 0; i < 40_000; i++) {
      // Half of them are of small numbers, which get past the version, the kind and the type, and are short enough to end in time.
      const small = i % 2 === 0;
      const frame = random.bytes(random.below(small ? 10 : 64)).map((byte) => (small ? byte % 10 : byte));
      if (small) frame[0] = 1;
      const message = decoded(decodeMessage, frame);
      decoded(decodeRumors, frame);
      if (message === undefined) continue;
      valid++;
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }
    expect(valid).toBeGreaterThan(10);
  });

  it('[SE4] 60,000 mutated frames give FRAME_INVALID or a valid message', () => {
    const random = new SeededRandom(seed + 1);
    const sent = originals();
    let valid = 0;
    for (let i = 0; i < 60_000; i++) {
      const frame = mutated(random, sent);
      const message = decoded(decodeMessage, frame);
      if (message === undefined) continue;
      valid++;
      if (valid % 16 === 0) expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }
    expect(valid).toBeGreaterThan(3000);
    expect(valid).toBeLessThan(55_000);
  });

  it('[SE4] signed members and rumors too', () => {
    const random = new SeededRandom(seed + 2);
    const rumors = fc.sample(someRumors, { numRuns: 300, seed });
    const gossip = rumors.map((each) => encodeRumors(each).slice());
    const rows = rumors.flatMap((each) => each.members.map((member) => encodeSigned(member).slice()));
    let valid = 0;
    for (let i = 0; i < 10_000; i++) {
      if (decoded(decodeRumors, mutated(random, gossip)) !== undefined) valid++;
      const row = decoded(decodeSigned, mutated(random, rows));
      if (row === undefined) continue;
      valid++;
      // What was accepted can be asked for its cluster.
      memberCluster(row.bytes);
    }
    expect(valid).toBeGreaterThan(500);
  });
});

/** One to three changes: a byte, a run of bytes, a piece of another frame, a number made huge. */
function mutated(random: SeededRandom, originals: readonly Uint8Array[]): Uint8Array {
  const pick = (): Uint8Array => originals[random.below(originals.length)] as Uint8Array;
  let frame = [...pick()];
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(frame.length + 1);
    const length = random.below(4);
    switch (random.below(5)) {
      case 0:
        frame[Math.min(at, frame.length - 1)] = random.below(256);
        break;
      case 1:
        frame.splice(at, length);
        break;
      case 2:
        frame.splice(at, 0, ...random.bytes(length));
        break;
      case 3:
        frame = [...frame.slice(0, at), ...pick().slice(random.below(40))];
        break;
      default:
        frame.splice(at, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f);
    }
    if (frame.length === 0) frame = [1];
  }
  return Uint8Array.from(frame);
}

/** Keeps the type checker honest: a message kind without an arbitrary would be missing here. */
const kinds: { readonly [Kind in Message['kind']]: true } = { call: true, answer: true, notice: true };

it('[MB6] the random messages are of every kind', () => {
  const seen = new Set(fc.sample(aMessage, { numRuns: 200, seed }).map((message) => message.kind));
  expect([...seen].sort()).toEqual(Object.keys(kinds).sort());
});
