/** The weight that a peer takes by the disk and the memory of its machine. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { measuredWeight, weightFor } from '../../src/adapters/capacity.ts';

const gib = 2 ** 30;

describe('a measured weight', () => {
  it.each([
    { disk: 64, memory: 4, weight: 128 },
    { disk: 128, memory: 8, weight: 256 },
    { disk: 32, memory: 64, weight: 64 },
    { disk: 1000, memory: 2, weight: 64 },
    { disk: Infinity, memory: 8, weight: 256 },
    { disk: 0, memory: 4, weight: 16 },
    { disk: 10_000, memory: 1000, weight: 1024 },
  ])('[RG4] of $disk GiB of disk and $memory GiB of memory is $weight', ({ disk, memory, weight }) => {
    expect(weightFor({ diskBytes: disk * gib, memoryBytes: memory * gib })).toBe(weight);
  });

  it('[RG4] stays with the data, and is refused when it is damaged', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ringmesh-weight-'));
    const file = join(folder, 'weight');
    try {
      const weight = await measuredWeight(folder);
      expect(Number(await readFile(file, 'utf8'))).toBe(weight);
      await writeFile(file, '77\n');
      expect(await measuredWeight(folder)).toBe(77);
      await writeFile(file, 'much\n');
      await expect(measuredWeight(folder)).rejects.toThrow('holds no weight');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
