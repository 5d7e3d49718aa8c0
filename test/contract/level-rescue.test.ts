/** LevelDB folders with real damage to their files: what a start makes of each. */

import { mkdtemp, open, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ByteString } from '../../src/core/ids.ts';
import { withRescue } from '../../src/adapters/level-rescue.ts';
import { damageMark, openLevelStorage } from '../../src/adapters/level.ts';

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ringmesh-rescue-'));
  folder = join(root, 'records');
  // Several tables, and a log.
  for (let round = 0; round < 3; round++) {
    const storage = await openLevelStorage(folder);
    const changes = Array.from({ length: 300 }, (_, i) => ({ key: `r${round}-${i}` as ByteString, value: noise(1000, round * 300 + i) }));
    await storage.commit(changes);
    await storage.close();
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Bytes that do not compress. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed + 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 24);
}

const named = async (pattern: RegExp): Promise<string[]> =>
  (await readdir(folder)).filter((name) => pattern.test(name)).map((name) => join(folder, name));

async function flip(file: string, share: number): Promise<void> {
  const { size } = await stat(file);
  const handle = await open(file, 'r+');
  const at = Math.floor(size * share);
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
  await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, at);
  await handle.close();
}

const half = async (file: string): Promise<void> => truncate(file, Math.floor((await stat(file)).size / 2));

/** As a peer does: opens it, reads, and writes. Everything is read here. */
const useAll = (): Promise<{ rows: number; action: string | undefined; message: string; forgot: boolean }> =>
  withRescue(folder, async (storage, rescue) => {
    const rows = await storage.range({ from: 'r' as ByteString, to: 's' as ByteString, limit: 10_000 });
    await storage.commit([{ key: 'a' as ByteString, value: Uint8Array.of(1) }]);
    await storage.close();
    return { rows: rows.length, action: rescue?.action, message: rescue?.message ?? '', forgot: storage.mayHaveForgotten };
  });

describe('a store that is damaged', () => {
  it('[ST3] is left alone when it is not', async () => {
    expect(await useAll()).toEqual({ rows: 900, action: undefined, message: '', forgot: false });
  });

  const damages: readonly [string, RegExp, (file: string) => Promise<void>][] = [
    ['CURRENT is missing', /^CURRENT$/, unlink],
    ['CURRENT is empty', /^CURRENT$/, (file) => truncate(file, 0)],
    ['CURRENT holds something else', /^CURRENT$/, (file) => writeFile(file, 'nonsense\n')],
    ['the list of tables is missing', /^MANIFEST-/, unlink],
    ['the list of tables ends early', /^MANIFEST-/, half],
    ['a byte of the list of tables is another one', /^MANIFEST-/, (file) => flip(file, 0.1)],
    ['a table is missing', /\.ldb$/, unlink],
    ['a table ends early', /\.ldb$/, half],
    ['a byte at the end of a table is another one', /\.ldb$/, async (file) => flip(file, 1 - 1 / (await stat(file)).size)],
    ['a table is empty', /\.ldb$/, (file) => truncate(file, 0)],
  ];
  it.each(damages)('[ST3] [VR3] because %s is repaired or set aside, says so, and serves again', async (_, pattern, damage) => {
    const [file = 'none'] = await named(pattern);
    await damage(file);
    const { rows, action, message, forgot } = await useAll();
    expect(['repaired', 'setAside']).toContain(action);
    expect(message).toContain(folder);
    expect(message).toMatch(/repaired|set aside as/);
    expect([rows <= 900, forgot]).toEqual([true, true]);
    // The next start is as always.
    expect(await useAll()).toMatchObject({ rows, action: undefined });
  });

  it('[ST3] keeps what can be read of it', async () => {
    for (const file of await named(/^(CURRENT|MANIFEST-.*)$/)) await unlink(file);
    expect(await useAll()).toMatchObject({ rows: 900, action: 'repaired' });
  });

  it('[ST3] is set aside as a whole where nothing helps, and an empty one takes its place', async () => {
    const { rows, action, message } = await withRescue(folder, async (storage, rescue) => {
      const found = await storage.range({ from: 'r' as ByteString, to: 's' as ByteString, limit: 10_000 });
      await storage.close();
      // A row that the core cannot do without.
      if (found.length > 0)
        throw Object.assign(new (await import('../../src/core/errors.ts')).MeshError('RECORD_CORRUPT', `${folder} is bad`));
      return { rows: found.length, action: rescue?.action, message: rescue?.message ?? '' };
    });
    expect([rows, action]).toEqual([0, 'setAside']);
    const aside = (await readdir(root)).find((name) => name.startsWith('records.damaged-')) ?? 'none';
    expect(message).toContain(aside);
    expect((await readdir(join(root, aside))).some((name) => name.endsWith('.ldb'))).toBe(true);
  });

  it('[ST3] is repaired at the next start when the damage shows only in a running peer', async () => {
    const [file = 'none'] = await named(/\.ldb$/);
    const storage = await openLevelStorage(folder);
    await storage.close();
    await truncate(file, Math.floor((await stat(file)).size / 3)).catch(() => undefined);
    await writeFile(damageMark(folder), '');
    expect(await useAll()).toMatchObject({ action: 'repaired' });
    await expect(readFile(damageMark(folder))).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await useAll()).toMatchObject({ action: undefined });
  });

  it('[ST3] leaves a mark when reading finds it', async () => {
    const [file = 'none'] = await named(/\.ldb$/);
    const storage = await openLevelStorage(folder);
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0xee, 0, bytes.length - 200));
    const read = storage.range({ from: 'r' as ByteString, to: 's' as ByteString, limit: 10_000 });
    await expect(read).rejects.toMatchObject({ code: 'RECORD_CORRUPT', message: expect.stringContaining('the next start repairs it') });
    await storage.close();
    expect(await useAll()).toMatchObject({ action: 'repaired', forgot: true });
  });

  it('[VR4] is found out in the background, and what LevelDB skips is damaged, not absent', async () => {
    const [file = 'none'] = await named(/\.ldb$/);
    const bytes = await readFile(file);
    await writeFile(file, bytes.fill(0xee, bytes.length >> 2, bytes.length >> 1));
    const storage = await openLevelStorage(folder);
    await vi.waitFor(() => readFile(damageMark(folder)), { timeout: 20_000, interval: 2 });
    const outcomes = new Set<string>();
    for (let index = 0; index < 900; index++) {
      const key = `r${Math.floor(index / 300)}-${index % 300}` as ByteString;
      const outcome = await storage.getMany([key]).then(
        ([value]) => (value === undefined ? 'absent' : 'there'),
        (error: { code: string }) => error.code,
      );
      outcomes.add(outcome);
    }
    expect([...outcomes].toSorted()).toEqual(['RECORD_CORRUPT', 'there']);
    await storage.close();
  });
});
