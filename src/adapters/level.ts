/**
 * Storage in a LevelDB folder, for Node.js. A resolved commit has been synced to the disk; commits share their syncs (`commit-queue.ts`).
 *
 * The invariant: what was acknowledged is found again after a kill. Therefore a failed write is followed by nothing until the store was
 * opened anew: LevelDB leaves a torn record in its log and would append the next commits behind it, where recovery does not look for them
 * (every one of them was lost). Keys are stored as they are, one byte for each character, so LevelDB's bytewise order is the order of the
 * byte strings.
 */

import { readdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Level } from 'level';
import { MeshError } from '../core/errors.ts';
import type { ByteString } from '../core/ids.ts';
import type { Storage, StorageChange, StorageEntry, StorageRange } from '../ports.ts';
import { CommitQueue } from './commit-queue.ts';
import type { Changes } from './commit-queue.ts';
import { boundsOf, RecordFilter } from './level-filter.ts';

export interface LevelStorageOptions {
  /** Uncompressed blocks kept for reads. Default 32 MiB. */
  readonly cacheMaxBytes?: number;
  /**
   * LevelDB's log and table in memory; up to two of them are held. Larger ones are compacted less often and recovered more slowly. Default
   * 16 MiB.
   */
  readonly writeBufferMaxBytes?: number;
  /** Known already: the store was damaged. Default: as LevelDB's own report says. */
  readonly mayHaveForgotten?: boolean;
}

/**
 * LevelDB skips damaged parts of its log when it opens a store, without an error. `mayHaveForgotten` tells of it: acknowledged commits may
 * be missing, so the store needs a new epoch (VR3) and repair from the other replicas (ST3). It may be true without need, at one opening
 * more.
 */
export type LevelStorage = Storage & { readonly mayHaveForgotten: boolean };

/** What an error of a running peer says besides. */
export const repairIsDue = '; the next start repairs it';

/** A file that says that reads have found the store damaged, and that the next start is to repair it. */
export const damageMark = (folder: string): string => `${folder}.damaged`;

/** `level` does not declare what only Node.js has. */
type Database = Level<ByteString, Uint8Array> & { compactRange(start: ByteString, end: ByteString): Promise<void> };

const mebibyte = 1024 * 1024;
const tableMaxBytes = 4 * mebibyte;
const rangeReadBytes = mebibyte;
const rangeReadEntries = 1000;
const rangeMaxEntries = 2 ** 31 - 1;

/*
 * A value in LevelDB's or the system's cache costs about 7 us of CPU with getSync, against 24 us with getMany at 64 gets in flight and 70
 * to 120 us at one, most of it for the hop to a worker thread and back. So small reads are done at once, on this thread, as long as they
 * come from memory. When they take long on the average they wait for the disk: then worker threads read for a while, so that such waits
 * take no more than a twentieth of this thread's time. One slow read says little: on a busy machine the system takes the processor away in
 * the middle of any.
 */
const promptMaxKeys = 16;
const slowMeanMs = 0.15;
const meanWeight = 1 / 64;
const slowReadPause = 20;

const latin1 = {
  name: 'latin1',
  format: 'buffer' as const,
  encode: (key: ByteString): Buffer => Buffer.from(key, 'latin1'),
  decode: (bytes: Buffer): ByteString => bytes.toString('latin1') as ByteString,
};

const empty = new Uint8Array(0);

/** LevelDB hands out a Buffer, whose `slice` shares memory; the port promises plain bytes. */
const plain = (value: Uint8Array): Uint8Array => new Uint8Array(value.buffer, value.byteOffset, value.byteLength);

function storageError(error: unknown, folder: string): MeshError {
  if (error instanceof MeshError) return error;
  const codes: string[] = [];
  let detail = String(error);
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    detail = cause.message;
    if ('code' in cause) codes.push(String(cause.code));
  }
  const is = (...names: string[]): boolean => names.some((name) => codes.includes(name));
  if (is('LEVEL_LOCKED')) {
    const message = `the store in ${folder} is in use: another process (or another peer in this one) has it open`;
    return new MeshError('STORAGE_LOCKED', message, { cause: error });
  }
  // EFBIG: the limit on one file's size (ulimit -f) is met like a full disk.
  if (is('ENOSPC', 'EDQUOT', 'EFBIG') || /no space left|quota exceeded|file too large/i.test(detail)) {
    return new MeshError('STORAGE_FULL', `no space left for the store in ${folder} (${detail})`, { cause: error });
  }
  // A file of the store that is missing or too short is damage, not trouble with the disk.
  const isShort = /^IO error: .*(: Invalid argument|: No such file or directory|truncated block read)/.test(detail);
  if (is('LEVEL_CORRUPTION') || detail.startsWith('Corruption') || isShort) {
    return new MeshError('RECORD_CORRUPT', `the store in ${folder} is damaged (${detail})`, { cause: error });
  }
  return new MeshError('STORAGE_FAILED', `the store in ${folder} cannot be used (${detail})`, { cause: error });
}

/** Without its CURRENT file LevelDB would take the folder for a new store and delete the tables that are there (VR4). */
async function assertWhole(folder: string): Promise<void> {
  const names: string[] = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.includes('CURRENT') || !names.some((name) => /^\d+\.(ldb|sst|log)$/.test(name))) return;
  throw new MeshError('RECORD_CORRUPT', `the store in ${folder} is damaged: it has data but its file CURRENT is missing`);
}

/**
 * LevelDB tells of it only in the text it keeps about each opening: LOG for this one, LOG.old for the one before, which may have ended
 * before anyone asked.
 */
async function hasSkippedLog(folder: string): Promise<boolean> {
  const reports = await Promise.all(['LOG', 'LOG.old'].map((name) => readFile(join(folder, name), 'latin1').catch(() => '')));
  return reports.some((report) => /: dropping \d+ bytes; /.test(report));
}

async function openDatabase(folder: string, options: LevelStorageOptions): Promise<Database> {
  try {
    await assertWhole(folder);
    const db = new Level(folder, {
      keyEncoding: latin1,
      valueEncoding: 'view',
      cacheSize: options.cacheMaxBytes ?? 32 * mebibyte,
      writeBufferSize: options.writeBufferMaxBytes ?? 16 * mebibyte,
      maxFileSize: tableMaxBytes,
    }) as Database;
    await db.open();
    return db;
  } catch (error) {
    throw storageError(error, folder);
  }
}

/** Opens the store in `folder` and makes the folder where it is missing. */
export async function openLevelStorage(folder: string, options: LevelStorageOptions = {}): Promise<LevelStorage> {
  const db = await openDatabase(folder, options);
  return new LevelFolder(folder, options, db, options.mayHaveForgotten === true || (await hasSkippedLog(folder)));
}

/** The records, by far the most of all rows, in 64 pieces by the first byte of their positions. */
const compactBounds = [
  '\0',
  ...Array.from({ length: 64 }, (_, piece) => `r${String.fromCharCode(piece * 4)}`),
  's',
  '\u00ff',
] as ByteString[];

type Entry = [key: ByteString, value: Uint8Array];

interface LevelIterator {
  nextv(count: number): Promise<Entry[]>;
  close(): Promise<void>;
}

/** The entries up to the one that brings their values to `maxBytes`. The iterator reads some more ahead, but no more bytes than that at a time. */
async function takeBytes(iterator: LevelIterator, maxBytes: number): Promise<Entry[]> {
  const taken: Entry[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const entries = await iterator.nextv(rangeReadEntries);
      if (entries.length === 0) return taken;
      for (const entry of entries) {
        taken.push(entry);
        if ((bytes += entry[1].length) >= maxBytes) return taken;
      }
    }
  } finally {
    await iterator.close();
  }
}

class LevelFolder implements LevelStorage {
  readonly durable = true;
  readonly mayHaveForgotten: boolean;
  readonly #folder: string;
  readonly #options: LevelStorageOptions;
  readonly #filter = new RecordFilter();
  readonly #commits = new CommitQueue((changes) => this.#write(changes));
  /** Reads that a worker thread holds the database for. */
  readonly #reads = new Set<Promise<unknown>>();
  #db: Database;
  /** Under way or done: what is damaged is repaired at the next start. */
  #mark: Promise<void> | undefined;
  #logTorn = false;
  #reopening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  /** When the next read may be done at once again, and how long a read of one key takes, in milliseconds. */
  #promptFrom = 0;
  #meanReadMs = 0;

  constructor(folder: string, options: LevelStorageOptions, db: Database, mayHaveForgotten: boolean) {
    this.#folder = folder;
    this.#options = options;
    this.#db = db;
    this.mayHaveForgotten = mayHaveForgotten;
    void this.#fillFilter();
  }

  async getMany(keys: readonly ByteString[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    const mayHave = keys.map((key) => this.#filter.mayHave(key));
    const sought = keys.filter((_, index) => mayHave[index]);
    try {
      const found: (Uint8Array | undefined)[] = sought.length === 0 ? [] : await this.#read((db) => db.getMany(sought));
      let at = 0;
      return mayHave.map((may) => {
        const value = may ? found[at++] : undefined;
        return value && plain(value);
      });
    } catch (error) {
      throw this.#readError(error);
    }
  }

  getNow(keys: readonly ByteString[]): (Uint8Array | undefined)[] | undefined {
    if (this.#closing !== undefined) return undefined;
    if (!keys.some((key) => this.#filter.mayHave(key))) return keys.map(() => undefined);
    if (!this.#canReadPromptly(keys.length)) return undefined;
    try {
      return this.#readPromptly(keys);
    } catch {
      return undefined;
    }
  }

  async range({ from, to, limit, keysOnly = false, maxBytes }: StorageRange): Promise<StorageEntry[]> {
    this.#assertOpen();
    if (limit <= 0 || from >= to) return [];
    const highWaterMarkBytes = Math.min(maxBytes ?? rangeReadBytes, rangeReadBytes);
    const range = { gte: from, lt: to, limit: Math.min(limit, rangeMaxEntries), values: !keysOnly, highWaterMarkBytes };
    try {
      const entries = await this.#read((db) => {
        const iterator = db.iterator(range);
        return maxBytes === undefined || keysOnly ? iterator.all() : takeBytes(iterator, maxBytes);
      });
      return entries.map(([key, value]) => [key, keysOnly ? empty : plain(value)]);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  /** In the background, and no more than half of the time. Records of a piece that cannot be read, and those after it, are looked for in LevelDB. */
  async #fillFilter(): Promise<void> {
    try {
      while (!this.#filter.isComplete && this.#closing === undefined) {
        const start = performance.now();
        await this.#read((db) => this.#addPiece(db));
        await setTimeout(performance.now() - start, undefined, { ref: false });
      }
    } catch (error) {
      this.#readError(error);
    }
  }

  /** To the end: only then LevelDB tells of blocks that it skipped because they are damaged. */
  async #addPiece(db: Database): Promise<void> {
    const { from, to } = boundsOf(this.#filter.completeTo);
    const iterator = db.keys({ gte: from, lt: to, highWaterMarkBytes: rangeReadBytes });
    try {
      for (;;) {
        const keys = await iterator.nextv(rangeReadEntries);
        if (keys.length === 0) break;
        for (const key of keys) this.#filter.add(key);
      }
    } finally {
      await iterator.close();
    }
    this.#filter.completePiece();
  }

  #readError(cause: unknown): MeshError {
    const known = storageError(cause, this.#folder);
    if (known.code !== 'RECORD_CORRUPT') return known;
    this.#mark ??= writeFile(damageMark(this.#folder), '').catch(() => undefined);
    return new MeshError(known.code, `${known.message}${repairIsDue}`, { cause });
  }

  async commit(changes: readonly StorageChange[]): Promise<void> {
    this.#assertOpen();
    return this.#commits.commit(changes);
  }

  /** Piece by piece, so that whoever closes the store waits for one of them only. */
  compact(): Promise<void> {
    this.#compacting ??= this.#compactAll().finally(() => {
      this.#compacting = undefined;
    });
    return this.#compacting;
  }

  async #compactAll(): Promise<void> {
    for (const [piece, start] of compactBounds.slice(0, -1).entries()) {
      if (this.#closing !== undefined || !this.#isReady()) return;
      await this.#read((db) => db.compactRange(start, compactBounds[piece + 1] ?? start));
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    await this.#commits.idle();
    await this.#reopening?.catch(() => undefined);
    await Promise.allSettled(this.#reads);
    await this.#mark;
    try {
      await this.#db.close();
    } catch (error) {
      throw storageError(error, this.#folder);
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new MeshError('CLOSED', `the store in ${this.#folder} is closed`);
  }

  #isReady(): boolean {
    return this.#reopening === undefined && this.#db.status === 'open';
  }

  /** Several keys are read one after the other: while a commit is under way they could show a half of it. */
  #canReadPromptly(keys: number): boolean {
    return this.#isReady() && (keys === 1 || (keys <= promptMaxKeys && !this.#commits.busy)) && performance.now() >= this.#promptFrom;
  }

  #readPromptly(keys: readonly ByteString[]): (Uint8Array | undefined)[] {
    const start = performance.now();
    const values = keys.map((key) => {
      const value = this.#filter.mayHave(key) ? this.#db.getSync(key) : undefined;
      return value && plain(value);
    });
    const end = performance.now();
    this.#meanReadMs += ((end - start) / keys.length - this.#meanReadMs) * meanWeight;
    if (this.#meanReadMs > slowMeanMs) {
      this.#promptFrom = end + (end - start) * slowReadPause;
      this.#meanReadMs = slowMeanMs / 2;
    }
    return values;
  }

  async #read<T>(work: (db: Database) => Promise<T>): Promise<T> {
    if (!this.#isReady()) await this.#reopen();
    const read = work(this.#db);
    this.#reads.add(read);
    try {
      return await read;
    } finally {
      this.#reads.delete(read);
    }
  }

  async #write(changes: Changes): Promise<void> {
    try {
      if (this.#logTorn || !this.#isReady()) await this.#recover();
      // A chained batch takes a third of the CPU of an array of operations: nothing is cloned.
      const batch = this.#db.batch();
      for (const { key, value } of changes) {
        if (value === undefined) batch.del(key);
        else {
          this.#filter.add(key);
          batch.put(key, value);
        }
      }
      this.#logTorn = true;
      await batch.write({ sync: true });
      this.#logTorn = false;
    } catch (error) {
      throw storageError(error, this.#folder);
    }
  }

  /** Opening writes the log out as a table. Where there is no room for that, the store stays as it is and goes on serving reads (ST4). */
  async #recover(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const neededBytes = 2 * (this.#options.writeBufferMaxBytes ?? 16 * mebibyte) + mebibyte;
    if (bavail * bsize < neededBytes) {
      const needed = `${Math.ceil(neededBytes / mebibyte)} MiB must be free before it takes writes again`;
      throw new MeshError('STORAGE_FULL', `no space left for the store in ${this.#folder}: ${needed}`);
    }
    await this.#reopen();
  }

  #reopen(): Promise<void> {
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  async #openAnew(): Promise<void> {
    await Promise.allSettled(this.#reads);
    await this.#db.close();
    this.#db = await openDatabase(this.#folder, this.#options);
    this.#logTorn = false;
  }
}
