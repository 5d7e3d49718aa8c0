/** How one stream of a link follows another, and how a new one begins, without a frame lost on the way. */

import type { Stream } from '@libp2p/interface';

/** Resolves when the other side's handler has answered: from now on it reads, and no buffer in between can overflow. */
export function untilReady(stream: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.addEventListener('message', () => resolve(), { once: true });
    stream.addEventListener('close', () => reject(new Error('the peer refused the stream')), { once: true });
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** Holds back what comes on the next stream until the one before it has ended. */
export function readAfter(before: Stream, next: Stream): void {
  next.pause();
  before.addEventListener('remoteCloseWrite', () => goOn(next), { once: true });
  before.addEventListener('close', () => goOn(next), { once: true });
}

export function goOn(stream: Stream): void {
  if (stream.readStatus === 'paused') stream.resume();
}
