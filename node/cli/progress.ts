/** Progress bars on standard error, when that is a terminal. */

import { Presets, SingleBar } from 'cli-progress';
import { sizeText } from './output.ts';

export interface Progress {
  start(total: number): void;
  update(done: number, bytes: number): void;
  stop(): void;
}

const silent: Progress = { start: () => {}, update: () => {}, stop: () => {} };

export function createProgress(what: string): Progress {
  if (!process.stderr.isTTY) return silent;
  const format = `${what} {bar} {percentage} % · {value} of {total} · {size} · {eta_formatted} left`;
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: 30 },
    Presets.shades_classic,
  );
  return {
    start: (total) => bar.start(total, 0, { size: sizeText(0) }),
    update: (done, bytes) => bar.update(done, { size: sizeText(bytes) }),
    stop: () => bar.stop(),
  };
}

/** A bar whose total is learnt on the way, with a few words beside it. */
export interface Counter {
  update(done: number, total: number, text: string): void;
  stop(): void;
}

export function createCounter(what: string, things: string): Counter {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const format = `${what} {bar} {value} of {total} ${things} · {text}`;
  const bar = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, clearOnComplete: true, barsize: 30 },
    Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update: (done, total, text) => {
      if (!isStarted) bar.start(total, done, { text });
      else bar.update(done, { text });
      isStarted = true;
    },
    stop: () => bar.stop(),
  };
}
