/**
 * Storage in IndexedDB, for browsers: one object store from byte strings to bytes, reached through a custom store of idb-keyval. Keys are
 * used as they are: IndexedDB compares strings by UTF-16 code unit, which for byte strings is bytewise.
 *
 * The invariant: a resolved commit was one transaction with strict durability (the default of today's browsers is relaxed), and commits
 * share transactions (`commit-queue.ts`). A database that the browser closed is opened again; one that it deleted is never replaced by an
 * empty one while we run (VR4, ST4).
 */

import { getMany, promisifyRequest } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import { MeshError } from '../core/errors.ts';
import type { ByteString } from '../core/ids.ts';
import type { Storage, StorageChange, StorageEntry, StorageRange } from '../ports.ts';
import { CommitQueue } from './commit-queue.ts';
import type { Changes } from './commit-queue.ts';

const storeName = 'records';
const schemaVersion = 1;
const rangeMaxEntries = 2 ** 32 - 1;
const empty = new Uint8Array(0);

/** Opens the store of that name and makes it where it is missing. `deleted` is called when the browser deletes it while it is in use; from then on it only fails. */
export async function openIdbStorage(name: string, deleted: () => void = () => {}): Promise<Storage> {
  const storage = new IdbStorage(name, deleted);
  await storage.open();
  return storage;
}

function storageError(error: unknown, name: string): MeshError {
  if (error instanceof MeshError) return error;
  const detail = String(error);
  switch (error instanceof Error ? error.name : '') {
    case 'QuotaExceededError':
      return new MeshError('STORAGE_FULL', `the browser gives the store ${name} no more space (${detail})`, { cause: error });
    case 'NotReadableError':
    case 'DataError':
      return new MeshError('RECORD_CORRUPT', `the store ${name} has data that the browser cannot read (${detail})`, { cause: error });
    case 'VersionError':
      return new MeshError('STORAGE_FAILED', `the store ${name} belongs to a newer version of this app: reload the page`, { cause: error });
    default:
      return new MeshError('STORAGE_FAILED', `the store ${name} cannot be used (${detail})`, { cause: error });
  }
}

/** The connection was closed under us, or the browser lost its storage process: worth a second try on a new connection. */
const isLostConnection = (error: unknown): boolean =>
  error instanceof DOMException && ['InvalidStateError', 'AbortError', 'UnknownError'].includes(error.name);

/** A view is cloned together with all of its buffer, however small the view is. */
const compact = (value: Uint8Array): Uint8Array => (value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value));

/**
 * Not idb-keyval's `promisifyRequest`: at the first failed request it rejects before the transaction knows its error, and the reason would
 * be lost.
 */
const finished = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new DOMException('the transaction was aborted', 'AbortError'));
  });

/** `deleted`: the store was there before, and is not any more; undefined: it may be made. */
function openDatabase(name: string, deleted: (() => void) | undefined): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, schemaVersion);
    request.onupgradeneeded = () => {
      if (deleted === undefined) {
        request.result.createObjectStore(storeName);
        return;
      }
      reject(
        new MeshError(
          'STORAGE_FAILED',
          `the browser deleted the store ${name} while it was in use: reload the page to begin with an empty one`,
        ),
      );
      request.transaction?.abort();
      deleted();
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The entries up to the one that brings their values to `maxBytes`, at most `limit`. */
function takeBytes(request: IDBRequest<IDBCursorWithValue | null>, limit: number, maxBytes: number): Promise<StorageEntry[]> {
  const taken: StorageEntry[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor === null) return resolve(taken);
      const value = cursor.value as Uint8Array;
      taken.push([cursor.key as ByteString, value]);
      bytes += value.length;
      if (taken.length >= limit || bytes >= maxBytes) resolve(taken);
      else cursor.continue();
    };
  });
}

interface Gets {
  readonly keys: ByteString[];
  readonly values: Promise<(Uint8Array | undefined)[]>;
}

class IdbStorage implements Storage {
  readonly durable = true;
  readonly #name: string;
  readonly #commits = new CommitQueue((changes) => this.#write(changes));
  readonly #reads = new Set<Promise<unknown>>();
  readonly #deleted: () => void;
  #gets: Gets | undefined;
  #database: Promise<IDBDatabase> | undefined;
  #wasOpen = false;
  #closing: Promise<void> | undefined;

  constructor(name: string, deleted: () => void) {
    this.#name = name;
    this.#deleted = deleted;
  }

  async open(): Promise<void> {
    try {
      await this.#connect();
      this.#wasOpen = true;
    } catch (error) {
      throw storageError(error, this.#name);
    }
  }

  async getMany(keys: readonly ByteString[]): Promise<(Uint8Array | undefined)[]> {
    this.#assertOpen();
    this.#gets ??= this.#gatherGets();
    const gets = this.#gets;
    const start = gets.keys.length;
    for (const key of keys) gets.keys.push(key);
    const values = await gets.values;
    return values.slice(start, start + keys.length);
  }

  async range({ from, to, limit, keysOnly = false, maxBytes }: StorageRange): Promise<StorageEntry[]> {
    this.#assertOpen();
    // An empty range is an error to IndexedDB, and a count of 0 means no limit.
    if (limit <= 0 || from >= to) return [];
    const range = IDBKeyRange.bound(from, to, false, true);
    const count = Math.min(limit, rangeMaxEntries);
    if (maxBytes !== undefined && !keysOnly) {
      return this.#read(this.#store('readonly', (records) => takeBytes(records.openCursor(range), count, maxBytes)));
    }
    const [keys, values] = await this.#read(
      this.#store('readonly', (records) =>
        Promise.all([
          promisifyRequest(records.getAllKeys(range, count)) as Promise<ByteString[]>,
          keysOnly ? undefined : (promisifyRequest(records.getAll(range, count)) as Promise<Uint8Array[]>),
        ]),
      ),
    );
    return keys.map((key, i) => [key, values?.[i] ?? empty]);
  }

  async commit(changes: readonly StorageChange[]): Promise<void> {
    this.#assertOpen();
    return this.#commits.commit(changes);
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async #shutDown(): Promise<void> {
    await this.#commits.idle();
    await Promise.allSettled(this.#reads);
    const database = await this.#database?.catch(() => undefined);
    database?.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new MeshError('CLOSED', `the store ${this.#name} is closed`);
  }

  /** The gets of one turn share a transaction: to open one costs more than to read a value. */
  #gatherGets(): Gets {
    const keys: ByteString[] = [];
    const values = Promise.resolve().then(() => {
      this.#gets = undefined;
      return getMany<Uint8Array>(keys, this.#store);
    });
    return { keys, values: this.#read(values) };
  }

  async #read<T>(read: Promise<T>): Promise<T> {
    this.#reads.add(read);
    try {
      return await read;
    } catch (error) {
      throw storageError(error, this.#name);
    } finally {
      this.#reads.delete(read);
    }
  }

  async #write(changes: Changes): Promise<void> {
    try {
      await this.#store('readwrite', (records) => {
        const { transaction } = records;
        const done = finished(transaction);
        try {
          for (const { key, value } of changes) {
            if (value === undefined) records.delete(key);
            else records.put(compact(value), key);
          }
          transaction.commit();
        } catch (error) {
          // Else the browser would commit the changes before the one that failed.
          done.catch(() => undefined);
          transaction.abort();
          throw error;
        }
        return done;
      });
    } catch (error) {
      throw storageError(error, this.#name);
    }
  }

  /**
   * The custom store that idb-keyval's functions run on. A second try is harmless: nothing was committed, and the commits come one after
   * the other.
   */
  readonly #store: UseStore = async (mode, callback) => {
    const options: IDBTransactionOptions = mode === 'readwrite' ? { durability: 'strict' } : {};
    for (let attempt = 1; ; attempt++) {
      const connection = this.#connect();
      const database = await connection;
      try {
        return await callback(database.transaction(storeName, mode, options).objectStore(storeName));
      } catch (error) {
        if (attempt === 2 || !isLostConnection(error)) throw error;
        database.close();
        this.#forget(connection);
      }
    }
  };

  #connect(): Promise<IDBDatabase> {
    if (this.#database !== undefined) return this.#database;
    const connection = openDatabase(this.#name, this.#wasOpen ? this.#deleted : undefined);
    this.#database = connection;
    connection.then(
      (database) => {
        database.onclose = () => this.#forget(connection);
        // Someone deletes the database or opens a newer version of it: holding on would block them for ever.
        database.onversionchange = () => {
          database.close();
          this.#forget(connection);
        };
      },
      () => this.#forget(connection),
    );
    return connection;
  }

  #forget(connection: Promise<IDBDatabase>): void {
    if (this.#database === connection) this.#database = undefined;
  }
}
