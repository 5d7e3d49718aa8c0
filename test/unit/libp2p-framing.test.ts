/** The framing of the peer protocol against every way a stream may be cut, and against garbage. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, encodeFrames } from '../../src/adapters/libp2p-framing.ts';
import { MeshError } from '../../src/core/errors.ts';
import { SeededRandom } from '../../src/core/random.ts';

const join = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));

function readAll(bytes: Uint8Array, cuts: readonly number[], maxBytes: number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader(maxBytes, (frame) => void frames.push(frame));
  let from = 0;
  for (const cut of [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    reader.push(bytes.subarray(from, cut));
    from = cut;
  }
  return frames;
}

function bytesOf(length: number, seed: number): Uint8Array {
  return new SeededRandom(seed).bytes(length);
}

test('frames come out as they went in, however the stream is cut', () => {
  const length = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) }, fc.integer({ min: 16_000, max: 70_000 }));
  const lengths = fc.array(length, { maxLength: 12 });
  fc.assert(
    fc.property(lengths, fc.array(fc.nat(), { maxLength: 30 }), fc.nat(), (sizes, cuts, seed) => {
      const frames = sizes.map((size, i) => bytesOf(size, seed + i));
      const read = readAll(join(encodeFrames(frames)), cuts, 100_000);
      expect(read.length).toBe(frames.length);
      // Not `toEqual`: it looks at each byte by itself.
      expect(read.every((frame, i) => Buffer.compare(frame, frames[i]!) === 0)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('a frame does not change with the buffer that it came in, and a large one keeps no larger buffer alive', () => {
  const chunk = Buffer.from(join(encodeFrames([bytesOf(10, 1), bytesOf(20, 2), bytesOf(5000, 3)])));
  const [first, second, third] = readAll(chunk, [], 10_000);
  expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
  expect(third!.buffer.byteLength).toBe(5000);
  chunk.fill(0);
  expect([first, second, third]).toEqual([bytesOf(10, 1), bytesOf(20, 2), bytesOf(5000, 3)]);
});

test('frames larger than what is trusted at once arrive whole', () => {
  const frame = bytesOf(5 * 1024 * 1024 + 17, 3);
  const bytes = join(encodeFrames([frame, bytesOf(3, 4)]));
  const cuts = Array.from({ length: 100 }, (_, i) => i * 65_521);
  const frames = readAll(bytes, cuts, 8 * 1024 * 1024);
  expect(frames.length).toBe(2);
  expect(Buffer.compare(frames[0]!, frame)).toBe(0);
});

test('[SE3] a length of zero or beyond the limit is refused before any memory is given', () => {
  for (const header of [
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff],
    [0, 0, 0, 101],
    [0x80, 0, 0, 1],
  ]) {
    const reader = new FrameReader(100, () => undefined);
    expect(() => reader.push(Uint8Array.from(header))).toThrow(MeshError);
  }
});

test('[SE3] memory follows what has arrived, not what was announced', () => {
  const readers: FrameReader[] = [];
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 20; i++) {
    const reader = new FrameReader(0xffff_ffff, () => undefined);
    reader.push(Uint8Array.from([0x7f, 0xff, 0xff, 0xff, 1]));
    readers.push(reader);
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(readers.length * 3 * 1024 * 1024);
});

test('[SE4] random bytes give frames or FRAME_INVALID, never anything else', () => {
  const random = new SeededRandom(11);
  let refused = 0;
  let largest = 0;
  for (let run = 0; run < 10_000; run++) {
    const reader = new FrameReader(64, (frame) => void (largest = Math.max(largest, frame.length)));
    const bytes = random.bytes(1 + random.below(40));
    // Half of the runs look like a plausible header.
    if (run % 2 === 0) bytes.fill(0, 0, 3);
    try {
      reader.push(bytes);
    } catch (error) {
      expect((error as MeshError).code).toBe('FRAME_INVALID');
      refused++;
    }
  }
  expect(largest).toBeLessThanOrEqual(64);
  expect(refused).toBeGreaterThan(3000);
});
