/**
 * How many tokens a Node.js peer takes by what its machine has, so that a peer with twice the room owns twice as much of the ring (RG4).
 *
 * It is measured once, at the first start, and kept in the data folder: a share that followed the free space from start to start would move data each time.
 */

import { mkdir, readFile, rename, statfs, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';

import { MeshError } from '../core/errors.ts';

/** What a peer of the usual weight has. Whichever of the two is scarcer counts. */
const usual = { weight: 128, diskBytes: 64 * 2 ** 30, memoryBytes: 4 * 2 ** 30 };
/** Fewer tokens make uneven shares, more take everyone's time. */
const weightMin = 16;
const weightMax = 1024;

export interface Capacity {
  /** Free, in bytes; Infinity where nothing is stored on disk. */
  readonly diskBytes: number;
  /** Of the whole machine, in bytes. */
  readonly memoryBytes: number;
}

export function weightFor({ diskBytes, memoryBytes }: Capacity): number {
  const share = Math.min(diskBytes / usual.diskBytes, memoryBytes / usual.memoryBytes);
  return Math.max(weightMin, Math.min(weightMax, Math.round(usual.weight * share)));
}

/** The weight of the peer whose data lie in this folder; of one in memory without it. */
export async function measuredWeight(folder: string | undefined): Promise<number> {
  const memoryBytes = totalmem();
  if (folder === undefined) return weightFor({ diskBytes: Infinity, memoryBytes });
  const file = join(folder, 'weight');
  const known = await readWeight(file);
  if (known !== undefined) return known;
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const weight = weightFor({ diskBytes: bavail * bsize, memoryBytes });
  await writeFile(`${file}.new`, `${weight}\n`);
  await rename(`${file}.new`, file);
  return weight;
}

async function readWeight(file: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const weight = Number(text);
  if (text.trim() !== '' && Number.isInteger(weight) && weight >= 0 && weight <= weightMax) return weight;
  throw new MeshError('OPTION_INVALID', `${file} holds no weight: remove it, and the peer measures its machine anew`);
}
