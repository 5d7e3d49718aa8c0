/**
 * Frames on a byte stream: an unsigned 32-bit big-endian length, then that many bytes.
 *
 * Invariant: a length is checked before any memory is given to it, and memory grows with what has arrived, not with what was announced.
 * Each frame is handed on as one plain `Uint8Array` that nothing else writes to. Small ones share a slab: who keeps one for long copies it.
 */

import { MeshError } from '../core/errors.ts';

export const frameHeaderBytes = 4;

/** A frame up to this size gets its memory at once; a longer one only as its bytes come in. */
const trustedBytes = 2 * 1024 * 1024;

/** An allocation costs more than copying a small frame, so these are cut from one piece of memory after the other. */
const smallFrameBytes = 2048;
const slabBytes = 64 * 1024;
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

function copyOf(frame: Uint8Array): Uint8Array {
  const { length } = frame;
  if (length > smallFrameBytes) return new Uint8Array(frame);
  if (slabUsed + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabUsed = 0;
  }
  const copy = slab.subarray(slabUsed, (slabUsed += length));
  copy.set(frame);
  return copy;
}

/** Cuts the bytes of a stream into frames. `push` throws `FRAME_INVALID` at a bad length; the stream is of no use afterwards. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  #header = 0;
  #headerFill = 0;
  #length = 0;
  #body: Uint8Array | undefined;
  #bodyFill = 0;

  constructor(maxBytes: number, onFrame: (frame: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#body === undefined ? this.#readHeader(chunk, at) : this.#readBody(chunk, at);
    }
  }

  #readHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    while (this.#headerFill < frameHeaderBytes) {
      if (at === chunk.length) return at;
      this.#header = ((this.#header << 8) | (chunk[at++] ?? 0)) >>> 0;
      this.#headerFill++;
    }
    const length = this.#header;
    if (length === 0 || length > this.#maxBytes) {
      throw new MeshError('FRAME_INVALID', `a frame of ${length} bytes was announced; the limit is ${this.#maxBytes}`);
    }
    this.#header = 0;
    this.#headerFill = 0;
    if (chunk.length - at < length) {
      this.#length = length;
      this.#body = new Uint8Array(Math.min(length, trustedBytes));
      this.#bodyFill = 0;
      return at;
    }
    this.#onFrame(copyOf(chunk.subarray(at, at + length)));
    return at + length;
  }

  #readBody(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.#length - this.#bodyFill, chunk.length - at);
    const body = this.#room(this.#bodyFill + taken);
    body.set(chunk.subarray(at, at + taken), this.#bodyFill);
    this.#bodyFill += taken;
    if (this.#bodyFill === this.#length) {
      this.#body = undefined;
      this.#onFrame(body);
    }
    return at + taken;
  }

  #room(bytes: number): Uint8Array {
    const body = this.#body ?? new Uint8Array(0);
    if (bytes <= body.length) return body;
    const grown = new Uint8Array(Math.min(this.#length, Math.max(bytes, body.length * 2)));
    grown.set(body.subarray(0, this.#bodyFill));
    this.#body = grown;
    return grown;
  }
}

/** Frames longer than this go to the stream as they are; shorter ones are copied together into one piece. */
const copyMaxBytes = 16 * 1024;

/** The pieces to hand to a stream, one after the other, for these frames. */
export function encodeFrames(frames: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let from = 0; from < frames.length;) {
    let to = from;
    let size = 0;
    let large: Uint8Array | undefined;
    while (to < frames.length && large === undefined) {
      const frame = frames[to++];
      if (frame === undefined) break;
      size += frameHeaderBytes;
      if (frame.length > copyMaxBytes) large = frame;
      else size += frame.length;
    }
    pieces.push(joined(frames, from, to, size));
    if (large !== undefined) pieces.push(large);
    from = to;
  }
  return pieces;
}

function joined(frames: readonly Uint8Array[], from: number, to: number, size: number): Uint8Array {
  const piece = new Uint8Array(size);
  let at = 0;
  for (const frame of frames.slice(from, to)) {
    const { length } = frame;
    piece[at] = length >>> 24;
    piece[at + 1] = length >>> 16;
    piece[at + 2] = length >>> 8;
    piece[at + 3] = length;
    at += frameHeaderBytes;
    if (length > copyMaxBytes) continue;
    piece.set(frame, at);
    at += length;
  }
  return piece;
}
