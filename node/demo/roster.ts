/** Which peers the demo has, kept beside their data: who was added from the page comes back with the next start, and who was removed does not. */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, codeOf } from '../cli/errors.ts';
import { type DemoOptions, peersMax } from './plan.ts';

const countAtFirst = 5;
const fileIn = (data: string): string => join(data, 'demo.json');

/** Indexes of the peers to start: as many as are asked for, those of the last time before new ones; else those of the last time. */
export async function readRoster({ data, peers: count }: DemoOptions): Promise<number[]> {
  const before = await lastRoster(fileIn(data));
  if (count === undefined && before.length > 0) return before;
  const others = Array.from({ length: peersMax }, (_, index) => index).filter((index) => !before.includes(index));
  return [...before, ...others].slice(0, count ?? countAtFirst).toSorted((a, b) => a - b);
}

/** Peers are numbered from 1 in the file, as in their names. */
export async function writeRoster({ data }: DemoOptions, indexes: readonly number[]): Promise<void> {
  await writeFile(fileIn(data), `${JSON.stringify({ peers: indexes.map((index) => index + 1) })}\n`);
}

async function lastRoster(file: string): Promise<number[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
  const numbers = numbersIn(text);
  if (numbers === undefined)
    throw new CliError('CONFIG_INVALID', `${file} does not say which peers the demo has: remove it to begin with five`);
  return numbers.map((number) => number - 1).toSorted((a, b) => a - b);
}

function numbersIn(text: string): number[] | undefined {
  try {
    const { peers } = JSON.parse(text) as { peers: unknown };
    const isNumber = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= peersMax;
    return Array.isArray(peers) && new Set(peers).size === peers.length && peers.every(isNumber) ? peers : undefined;
  } catch {
    return undefined;
  }
}
