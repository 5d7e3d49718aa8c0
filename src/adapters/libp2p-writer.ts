/**
 * The sending end of a link: frames onto one libp2p stream.
 *
 * Frames of one microtask turn are joined into one send. When the stream signals back-pressure, frames wait here, up to a bound; beyond it
 * `send` says no. Invariant: a frame that was taken either reaches the stream in order or the stream closes. A stream that does not drain
 * at all is given up.
 */

import type { Stream } from '@libp2p/interface';
import { MeshError } from '../core/errors.ts';
import { encodeFrames, frameHeaderBytes } from './libp2p-framing.ts';

export interface FrameWriterOptions {
  readonly stream: Stream;
  readonly frameMaxBytes: number;
  readonly queueMaxBytes: number;
  /** How long the stream may stand still while frames wait. */
  readonly stallTimeoutMs: number;
  readonly onStall: (error: Error) => void;
}

const stalled = (ms: number): MeshError => new MeshError('UNREACHABLE', `the peer took nothing for ${ms} ms`);

/** The most that is handed to the stream at once, so that the bound of the queue means something. */
const batchMaxBytes = 512 * 1024;

export class FrameWriter {
  readonly #options: FrameWriterOptions;
  readonly #stream: Stream;
  #queue: Uint8Array[] = [];
  #head = 0;
  #queuedBytes = 0;
  #scheduled = false;
  #closed = false;
  #finished: ((sentAll: boolean) => void) | undefined;
  #stallTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: FrameWriterOptions) {
    this.#options = options;
    this.#stream = options.stream;
    // The stream's own listener runs first and sends what it still holds in a microtask; ours comes after that one.
    this.#stream.addEventListener('drain', () => this.#schedule());
    this.#stream.addEventListener('close', () => this.#close());
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(frame: Uint8Array): boolean {
    if (this.#closed || this.#finished !== undefined || frame.length === 0 || frame.length > this.#options.frameMaxBytes) return false;
    const size = frame.length + frameHeaderBytes;
    if (this.#queuedBytes > 0 && this.#queuedBytes + size > this.#options.queueMaxBytes) return false;
    this.#queue.push(frame);
    this.#queuedBytes += size;
    if (this.#stallTimer === undefined) this.#schedule();
    return true;
  }

  /** Takes no more frames, sends those that wait, and closes the stream. False when some may be lost. */
  finish(): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#finished = resolve;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#closed && this.#head < this.#queue.length) {
      if (this.#stream.writableNeedsDrain || this.#stream.writeBufferLength > 0) {
        this.#watchStall();
        return;
      }
      this.#clearStall();
      const pieces = encodeFrames(this.#take());
      try {
        for (const piece of pieces) this.#stream.send(piece);
      } catch (cause) {
        this.#stream.abort(new Error('the stream refused a frame', { cause }));
        return;
      }
    }
    const finished = this.#finished;
    if (finished === undefined || this.#closed) return;
    this.#finished = undefined;
    this.#stream.close({ signal: AbortSignal.timeout(this.#options.stallTimeoutMs) }).then(
      () => finished(true),
      (cause: unknown) => {
        this.#stream.abort(new Error('the stream did not close', { cause }));
        finished(false);
      },
    );
  }

  #take(): Uint8Array[] {
    const from = this.#head;
    let bytes = 0;
    do {
      bytes += (this.#queue[this.#head++]?.length ?? 0) + frameHeaderBytes;
    } while (this.#head < this.#queue.length && bytes < batchMaxBytes);
    this.#queuedBytes -= bytes;
    const frames = this.#queue.slice(from, this.#head);
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return frames;
  }

  #watchStall(): void {
    if (this.#stallTimer !== undefined) return;
    const held = this.#stream.writeBufferLength;
    this.#stallTimer = setTimeout(() => {
      this.#stallTimer = undefined;
      // A large frame over a slow line drains for long, but it drains.
      if (this.#stream.writeBufferLength === held) this.#options.onStall(stalled(this.#options.stallTimeoutMs));
      else this.#flush();
    }, this.#options.stallTimeoutMs);
  }

  #clearStall(): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
  }

  #close(): void {
    this.#closed = true;
    this.#finished?.(false);
    this.#clearStall();
    this.#queue = [];
    this.#head = 0;
    this.#queuedBytes = 0;
  }
}
