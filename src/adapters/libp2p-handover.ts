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

/** Calls when all that came on a stream was read and nothing more will come; a paused stream, closed or not, may still hold frames. */
export function whenEnded(stream: Stream, then: () => void): void {
  if (stream.readableEnded) then();
  else stream.addEventListener('end', then, { once: true });
}

export function goOn(stream: Stream): void {
  if (stream.readStatus !== 'paused') return;
  try {
    stream.resume();
  } catch {
    // What it held was read; telling the other side so failed, for the connection is gone.
  }
}
