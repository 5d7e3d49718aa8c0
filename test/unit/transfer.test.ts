/** How long copying will take, and the words for it. */

import { expect, it } from 'vitest';

import { leftText } from '../../node/cli/output.ts';
import { secondsLeft } from '../../src/core/transfer.ts';

const progress = (partitionsDone: number) => ({ partitions: 100, partitionsDone, keys: 0, bytes: 0, waitsFor: '' });

it.each([
  { done: 0, elapsedMs: 5000, left: undefined },
  { done: 1, elapsedMs: 1000, left: 99 },
  { done: 25, elapsedMs: 10_000, left: 30 },
  { done: 100, elapsedMs: 10_000, left: 0 },
])('[TR2] after $elapsedMs ms with $done of 100 partitions there are $left s left', ({ done, elapsedMs, left }) => {
  expect(secondsLeft(progress(done), elapsedMs)).toBe(left);
});

it('[TR2] says so, and nothing where nothing is known or left', () => {
  expect(leftText(30)).toBe(', about 30 s left');
  expect(leftText(90)).toBe(', about 1 min 30 s left');
  expect([leftText(undefined), leftText(0)]).toEqual(['', '']);
});
