/**
 * A watch as an application reads it: an iteration over changes. What is not read waits here, within bounds; when too much waits, or whoever watched for this handle
 * is gone (another tab runs the peer now), the watch begins anew, and says so with a `resync`.
 */

import type { Change, Watch, WatchEvent } from './api.ts';
import { encodeContext } from './context-text.ts';
import { fromByteString } from './core/bytes.ts';
import { MeshError } from './core/errors.ts';
import { addressOf } from './core/hash.ts';
import { dotText } from './core/ids.ts';
import { hasExpired } from './core/record.ts';
import type { News, WatchCommand } from './core/watching.ts';
import type { Requester } from './runtime.ts';

const waitingMax = 2000;
const waitingMaxBytes = 16 * 1024 * 1024;

export class WatchStream implements Watch {
  readonly ready: Promise<void>;
  readonly #requester: Requester;
  readonly #command: WatchCommand;
  readonly #waiting: WatchEvent[] = [];
  #waitingBytes = 0;
  #overflowed = false;
  #attempt: AbortController | undefined;
  #wasReady = false;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: () => void = () => {};
  #becomeReady!: () => void;
  #failReady!: (error: Error) => void;

  constructor(requester: Requester, command: WatchCommand, signal: AbortSignal | undefined) {
    this.#requester = requester;
    this.#command = command;
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve;
      this.#failReady = reject;
    });
    this.ready.catch(() => undefined);
    this.#begin();
    if (signal?.aborted === true) this.close();
    signal?.addEventListener('abort', () => this.close(), { once: true });
  }

  close(): void {
    this.#finish(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, undefined> {
    try {
      for (;;) {
        const event = this.#waiting.shift();
        if (event !== undefined) {
          this.#waitingBytes -= sizeOf(event);
          yield event;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return undefined;
        } else if (this.#overflowed) {
          this.#begin();
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.close();
    }
  }

  #begin(): void {
    this.#overflowed = false;
    const isAgain = this.#wasReady;
    if (isAgain && this.#command.initial) this.#push({ type: 'resync' });
    const attempt = new AbortController();
    this.#attempt = attempt;
    const tell = (news: News): void => {
      if (attempt.signal.aborted) return;
      if (news.type === 'version') return this.#push(this.#change(news));
      if (isAgain && !this.#command.initial) this.#push({ type: 'resync' });
      this.#push({ type: 'ready' });
      this.#wasReady = true;
      this.#becomeReady();
    };
    this.#requester.request({ type: 'watch', command: this.#command }, attempt.signal, tell).catch((error: Error) => {
      if (attempt.signal.aborted) return;
      if (beginsAnew(error, this.#wasReady && attempt === this.#attempt)) this.#begin();
      else this.#finish(error);
    });
  }

  #push(event: WatchEvent): void {
    this.#waitingBytes += sizeOf(event);
    this.#waiting.push(event);
    this.#wake();
    if (this.#waiting.length <= waitingMax && this.#waitingBytes <= waitingMaxBytes) return;
    // It goes on when the reader has come to here.
    this.#attempt?.abort();
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#overflowed = true;
  }

  #finish(error: Error | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#attempt?.abort();
    this.#failReady(error ?? new MeshError('ABORTED', 'the watch was ended'));
    this.#wake();
  }

  #change({ key, version: { dot, value }, current, context }: Extract<News, { type: 'version' }>): Change {
    const { wall } = this.#requester.now();
    return {
      type: 'change',
      key: fromByteString(key),
      dot: dotText(dot),
      value: value.tombstone || hasExpired(value, wall) ? undefined : value.bytes,
      contentType: value.contentType,
      time: value.time.ms,
      context: encodeContext(addressOf(this.#command.bucket, key), context),
      current: current.map(dotText),
    };
  }
}

/** Whoever watched is gone, or follows more keys by now than it may; both are a beginning of a new watch, which may fail in turn. */
const beginsAnew = (error: Error, wasReady: boolean): boolean =>
  error instanceof MeshError && (error.code === 'UNREACHABLE' || (error.code === 'WATCH_TOO_LARGE' && wasReady));

const sizeOf = (event: WatchEvent): number =>
  event.type === 'change' ? event.key.length + (event.value?.length ?? 0) + event.context.length + 200 : 0;
