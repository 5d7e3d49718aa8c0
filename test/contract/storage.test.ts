/**
 * Runs the storage contract against every adapter that Node.js can run, and tests what only one of them can show: kills, locks and full
 * disks with LevelDB, a browser that closes or deletes a database with IndexedDB (in memory here; a page runs the same cases on the real
 * one).
 */

import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { IDBFactory, IDBKeyRange, IDBObjectStore, IDBDatabase, forceCloseDatabase } from 'fake-indexeddb';
import { Level } from 'level';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openIdbStorage } from '../../src/adapters/idb.ts';
import { openLevelStorage } from '../../src/adapters/level.ts';
import { openMemoryStorage } from '../../src/adapters/memory.ts';
import { u32Bytes } from '../../src/core/bytes.ts';
import type { ByteString } from '../../src/core/ids.ts';
import type { Storage } from '../../src/ports.ts';
import { storageCases } from './storage-suite.ts';
import type { StorageFactory } from './storage-suite.ts';

const key = (text: string): ByteString => text as ByteString;
const put = (name: string, ...bytes: number[]) => ({ key: key(name), value: new Uint8Array(bytes) });
const valueOf = async (storage: Storage, name: string) => (await storage.getMany([key(name)]))[0];

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'ringmesh-storage-'));

function contract(name: string, create: StorageFactory): void {
  describe(name, () => {
    for (const { title, run } of storageCases) it(title, { timeout: 60_000 }, () => run(create));
  });
}

contract('memory storage', async () => ({ open: async () => openMemoryStorage(), remove: async () => undefined }));

contract('LevelDB storage', async () => {
  const folder = await newFolder();
  return { open: () => openLevelStorage(join(folder, 'made', 'on', 'the', 'way')), remove: () => rm(folder, { recursive: true }) };
});

describe('IndexedDB storage', () => {
  beforeEach(() => {
    vi.stubGlobal('indexedDB', new IDBFactory());
    vi.stubGlobal('IDBKeyRange', IDBKeyRange);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  let worlds = 0;
  contract('the contract', async () => {
    const name = `world ${worlds++}`;
    return { open: () => openIdbStorage(name), remove: async () => void indexedDB.deleteDatabase(name) };
  });

  /** The connections that the adapter opened, the newest last. */
  const watchConnections = (): IDBDatabase[] => {
    const connections: IDBDatabase[] = [];
    const { transaction } = IDBDatabase.prototype;
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (this: IDBDatabase, ...args) {
      if (connections.at(-1) !== this) connections.push(this);
      return transaction.apply(this, args);
    });
    return connections;
  };

  it('[ST1] a database that the browser closed is opened again', async () => {
    const connections = watchConnections();
    const storage = await openIdbStorage('closed');
    await storage.commit([put('a', 1)]);
    for (const close of [(db: IDBDatabase) => db.close(), (db: IDBDatabase) => forceCloseDatabase(db as never)]) {
      close(connections.at(-1) as IDBDatabase);
      expect(await valueOf(storage, 'a')).toEqual(new Uint8Array([1]));
      close(connections.at(-1) as IDBDatabase);
      await storage.commit([put('b', 2)]);
      expect(await storage.range({ from: key(''), to: key('z'), limit: 9 })).toHaveLength(2);
    }
    expect(connections).toHaveLength(5);
    await storage.close();
  });

  it('[ST2] commits ask for strict durability and share transactions; so do gets', async () => {
    const storage = await openIdbStorage('strict');
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction');
    await Promise.all(Array.from({ length: 50 }, (_, i) => storage.commit([put(`k${i}`, i)])));
    expect(transaction.mock.calls).toEqual([['records', 'readwrite', { durability: 'strict' }]]);
    transaction.mockClear();
    const values = await Promise.all(Array.from({ length: 50 }, (_, i) => valueOf(storage, `k${i}`)));
    expect(values).toEqual(Array.from({ length: 50 }, (_, i) => new Uint8Array([i])));
    expect(transaction).toHaveBeenCalledTimes(1);
    await storage.close();
  });

  it('[VR4] [ST4] a database deleted under us is an error, not an empty store', async () => {
    const storage = await openIdbStorage('deleted');
    await storage.commit([put('a', 1)]);
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase('deleted');
      request.onsuccess = resolve;
      request.onerror = reject;
    });
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(valueOf(storage, 'a')).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('deleted') });
      await expect(storage.commit([put('a', 2)])).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    }
    await storage.close();
    const again = await openIdbStorage('deleted');
    expect(await valueOf(again, 'a')).toBeUndefined();
    await again.close();
  });

  it('[ST4] a commit beyond the quota is refused whole with STORAGE_FULL; reads and later commits go on', async () => {
    const storage = await openIdbStorage('quota');
    await storage.commit([put('a', 1)]);
    const { put: original } = IDBObjectStore.prototype;
    const full = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (
      this: IDBObjectStore,
      value: unknown,
      name?: IDBValidKey,
    ) {
      if (name === 'c') throw new DOMException('no more space', 'QuotaExceededError');
      return original.call(this, value, name);
    });
    const refused = [storage.commit([put('a', 2), put('b', 2)]), storage.commit([put('c', 2)])];
    for (const commit of refused) await expect(commit).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    expect(await storage.getMany([key('a'), key('b')])).toEqual([new Uint8Array([1]), undefined]);
    full.mockRestore();
    await storage.commit([put('c', 3)]);
    expect(await valueOf(storage, 'c')).toEqual(new Uint8Array([3]));
    await storage.close();
  });
});

describe('LevelDB storage among processes and disks', { timeout: 60_000 }, () => {
  let folder: string;
  let children: ChildProcessWithoutNullStreams[];

  beforeEach(async () => {
    folder = await newFolder();
    children = [];
  });
  afterEach(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await once(child, 'exit');
    }
    await rm(folder, { recursive: true });
  });

  const runChild = (task: string, shell = 'exec "$0" "$@"'): ChildProcessWithoutNullStreams => {
    const built = fileURLToPath(new URL('../../dist/src/adapters/level.js', import.meta.url));
    if (!existsSync(built)) throw new Error('this test runs the built adapter: run `npm run build` first');
    const script = fileURLToPath(new URL('fixtures/level-child.mjs', import.meta.url));
    const child = spawn('sh', ['-c', shell, process.execPath, script, folder, task]);
    child.stderr.pipe(process.stderr);
    children.push(child);
    return child;
  };

  /** What the child printed until it ended. `seen` is told of each line. */
  const linesOf = async (child: ChildProcessWithoutNullStreams, seen: (count: number) => void = () => undefined): Promise<string[]> => {
    const lines: string[] = [];
    const ended = once(child, 'close');
    for await (const line of createInterface({ input: child.stdout })) seen(lines.push(line));
    await ended;
    return lines;
  };

  /** Every acknowledged commit is there, and each of all commits is there whole or not at all. */
  const expectKept = async (acknowledged: readonly string[]): Promise<void> => {
    const storage = await openLevelStorage(folder);
    const names = async (from: string, to: string): Promise<Set<string>> => {
      const entries = await storage.range({ from: key(from), to: key(to), limit: Infinity });
      for (const [name, value] of entries) {
        if (value.length !== 1024 || value.some((byte) => byte !== (Number(name.slice(1)) & 0xff)))
          throw new Error(`${name} has a wrong value`);
      }
      return new Set(entries.map(([name]) => name.slice(1)));
    };
    const kept = await names('a', 'b');
    expect(await names('b', 'c')).toEqual(kept);
    expect(acknowledged.filter((n) => !kept.has(n))).toEqual([]);
    await storage.close();
  };

  it.each([1, 40, 700, 5000])('[ST2] a process killed after %i acknowledged commits has kept them all', async (count) => {
    const child = runChild('stream');
    const acknowledged = await linesOf(child, (seen) => {
      if (seen === count) child.kill('SIGKILL');
    });
    expect(child.signalCode).toBe('SIGKILL');
    expect(acknowledged.length).toBeGreaterThanOrEqual(count);
    await expectKept(acknowledged);
  });

  it('[ST4] a full disk refuses commits with STORAGE_FULL, and what is acknowledged before and after is kept', async () => {
    // A limit of 1 MiB for each file stands for the disk: LevelDB's log meets it in the middle of a record.
    const child = runChild('fill', 'ulimit -S -f 2048; exec "$0" "$@"');
    const lines = await linesOf(child);
    expect(child.signalCode).toBe('SIGKILL');
    expect(lines.filter((line) => !/^\d+$/.test(line))).toEqual(['STORAGE_FULL']);
    const acknowledged = lines.filter((line) => line !== 'STORAGE_FULL');
    expect(acknowledged.length).toBeGreaterThan(200);
    await expectKept(acknowledged);
  });

  it('[ST1] compaction gives back the space of what was deleted, while commits and reads go on, and a store may be closed meanwhile', async () => {
    const bytesOf = async () => {
      const sizes = await Promise.all(
        (await readdir(folder)).map((name) =>
          stat(join(folder, name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      );
      return sizes.reduce((sum, size) => sum + size);
    };
    const value = Uint8Array.from({ length: 1024 }, (_, index) => (index * index * 7) >> 3);
    const name = (index: number) => `r${String.fromCharCode(index & 255, index >> 8)}`;
    const all = Array.from({ length: 20_000 }, (_, index) => index);
    const storage = await openLevelStorage(folder, { writeBufferMaxBytes: 1024 * 1024 });
    const commits = all.map((index) => storage.commit([{ key: key(name(index)), value: value.map((byte) => byte ^ (index * 31)) }]));
    await Promise.all(commits);
    await Promise.all(all.slice(100).map((index) => storage.commit([{ key: key(name(index)), value: undefined }])));
    const compacted = storage.compact?.();
    await storage.commit([put('meanwhile', 1)]);
    expect(await valueOf(storage, name(99))).toHaveLength(1024);
    await compacted;
    expect(await bytesOf()).toBeLessThan(4 * 1024 * 1024);
    expect(await storage.range({ from: key('r'), to: key('s'), limit: 1000 })).toHaveLength(100);
    const again = storage.compact?.();
    await storage.close();
    await again;
    const reopened = await openLevelStorage(folder);
    expect(await valueOf(reopened, 'meanwhile')).toEqual(new Uint8Array([1]));
    await reopened.close();
  });

  it('[VR4] that a record is not there is known without LevelDB soon after the start; what is there is found all along', async () => {
    const before = Array.from({ length: 2000 }, (_, i) => key(`r${u32Bytes(Math.imul(i, 2_654_435_761) >>> 0)}b\0k`));
    const one = new Uint8Array([1]);
    await openLevelStorage(folder).then(async (storage) => {
      await storage.commit(before.map((name) => ({ key: name, value: one })));
      await storage.close();
    });
    const storage = await openLevelStorage(folder);
    const asked = vi.spyOn(Level.prototype, 'getSync');
    const absent = key(`r${u32Bytes(2 ** 32 - 1)}b\0k`);
    const isAsked = (name: ByteString): boolean => {
      asked.mockClear();
      expect(storage.getNow?.([name])).toEqual([undefined]);
      return asked.mock.calls.length > 0;
    };
    expect(isAsked(absent)).toBe(true);
    let at = 0;
    await vi.waitFor(
      async () => {
        expect(await storage.getMany([before[at++ % before.length] as ByteString, absent])).toEqual([one, undefined]);
        expect(isAsked(absent)).toBe(false);
      },
      { timeout: 20_000, interval: 0 },
    );
    expect(await storage.getMany(before)).toEqual(before.map(() => one));
    await storage.commit([{ key: absent, value: one }]);
    expect(storage.getNow?.([absent])).toEqual([one]);
    await storage.commit([{ key: absent, value: undefined }]);
    expect(await storage.getMany([absent, key('kno record')])).toEqual([undefined, undefined]);
    asked.mockRestore();
    await storage.close();
  });

  it('[ST4] a folder that another process has open is STORAGE_LOCKED, until that process is gone', async () => {
    const child = runChild('hold');
    await once(child.stdout, 'data');
    await expect(openLevelStorage(folder)).rejects.toMatchObject({ code: 'STORAGE_LOCKED', message: expect.stringContaining(folder) });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const storage = await openLevelStorage(folder);
    await expect(openLevelStorage(folder)).rejects.toMatchObject({ code: 'STORAGE_LOCKED' });
    await storage.commit([put('a', 1)]);
    await storage.close();
  });

  it('[ST4] a folder that cannot be made is STORAGE_FAILED and named', async () => {
    await writeFile(join(folder, 'file'), 'not a folder');
    const below = join(folder, 'file', 'store');
    await expect(openLevelStorage(below)).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining(below) });
  });

  const store = async (): Promise<void> => {
    const storage = await openLevelStorage(folder);
    await storage.commit(Array.from({ length: 100 }, (_, i) => ({ key: key(`k${i}`), value: new Uint8Array(1000) })));
    await storage.close();
  };

  it('[ST3] a store whose CURRENT or table is missing is RECORD_CORRUPT, and opening it deletes nothing', async () => {
    await store();
    await store();
    const table = (await readdir(folder)).find((name) => /\.(ldb|sst)$/.test(name)) ?? 'no table';
    for (const name of [table, 'CURRENT']) {
      await unlink(join(folder, name));
      const before = (await readdir(folder)).filter((other) => /^\d+\.(ldb|sst|log)$/.test(other));
      await expect(openLevelStorage(folder)).rejects.toMatchObject({ code: 'RECORD_CORRUPT', message: expect.stringContaining(folder) });
      expect(await readdir(folder)).toEqual(expect.arrayContaining(before));
    }
  });

  const flipBit = async (pattern: RegExp, at: number): Promise<void> => {
    const name = (await readdir(folder)).find((candidate) => pattern.test(candidate)) ?? 'no such file';
    const file = await open(join(folder, name), 'r+');
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
    await file.close();
  };

  it('[ST3] a flipped bit in the list of tables is RECORD_CORRUPT', async () => {
    await store();
    await flipBit(/^MANIFEST-/, 12);
    await expect(openLevelStorage(folder)).rejects.toMatchObject({ code: 'RECORD_CORRUPT' });
  });

  it('[ST3] [VR3] a flipped bit in the log is told: the store may have forgotten', async () => {
    await store();
    await flipBit(/\.log$/, 50_000);
    const opened = [];
    for (let i = 0; i < 3; i++) {
      const storage = await openLevelStorage(folder);
      opened.push(storage.mayHaveForgotten);
      await storage.close();
    }
    // Told twice: the first opening may have ended before anyone asked it.
    expect(opened).toEqual([true, true, false]);
  });

  it('[VR3] a torn tail of the log, as a kill leaves it, was never acknowledged and is no loss', async () => {
    await store();
    const log = (await readdir(folder)).find((name) => name.endsWith('.log')) ?? 'no log';
    const { size } = await stat(join(folder, log));
    await truncate(join(folder, log), size - 10);
    const storage = await openLevelStorage(folder);
    expect(storage.mayHaveForgotten).toBe(false);
    await storage.close();
  });
});
