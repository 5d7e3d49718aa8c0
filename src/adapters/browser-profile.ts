/**
 * What a browser profile keeps for the peers of one origin besides their records: who they are (their secret keys), the host label that they share (RG3),
 * and who may run now. A small IndexedDB of its own through idb-keyval, and Web Locks.
 *
 * The invariant: of two tabs that make the same entry at once, both get the one that was stored. An entry that was answered survives a crash.
 */

import { promisifyRequest, update } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import { MeshError } from '../core/errors.ts';

const databaseName = 'ringmesh-profile';
const storeName = 'entries';
/** A page that is being reloaded may hold its lock a moment longer than its successor waits for nothing. */
const lockPatienceMs = 1000;

/** Throws `STORAGE_FAILED` where the page cannot keep anything, and says what to do about it. */
export function checkBrowserStorage(): void {
  const missing = (what: string, why: string): MeshError =>
    new MeshError('STORAGE_FAILED', `this page has no ${what} (${why}): pass memory: true for a peer that keeps nothing`);
  if (globalThis.indexedDB === undefined || globalThis.indexedDB === null)
    throw missing('IndexedDB', 'private mode, a sandboxed frame, or blocked site data');
  if (globalThis.navigator?.locks === undefined) throw missing('Web Locks', 'the page must come over https or from localhost');
}

/** The stored entry, or the one that `make` gives, stored first. Without storage that works it rejects with `STORAGE_FAILED`. */
export async function profileEntry<T>(name: string, make: () => T): Promise<T> {
  let entry!: T;
  try {
    const database = await openProfile();
    const store: UseStore = async (mode, callback) =>
      callback(database.transaction(storeName, mode, { durability: 'strict' }).objectStore(storeName));
    // One transaction reads and writes, so another tab's entry cannot come in between.
    await update<T>(name, (stored) => (entry = stored ?? make()), store).finally(() => database.close());
  } catch (cause) {
    throw new MeshError(
      'STORAGE_FAILED',
      `the browser's storage cannot be used (${String(cause)}): is this a private window? Pass memory: true to keep nothing`,
      { cause },
    );
  }
  return entry;
}

function openProfile(): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseName, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(storeName);
  return promisifyRequest(request);
}

/** Takes the lock of that name until the returned function is called or the page goes away. Rejects with `STORAGE_LOCKED` when another tab has it. */
export function takeLock(name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const hold = (): Promise<void> => new Promise((release) => resolve(release));
    navigator.locks.request(name, { signal: AbortSignal.timeout(lockPatienceMs) }, hold).catch((cause: unknown) => {
      const isTaken = cause instanceof DOMException && ['TimeoutError', 'AbortError'].includes(cause.name);
      if (isTaken)
        reject(
          new MeshError('STORAGE_LOCKED', `another tab of this browser runs the peer "${name}": close it, or give this one another name`, {
            cause,
          }),
        );
      else reject(new MeshError('STORAGE_FAILED', `the browser gives no lock (${String(cause)})`, { cause }));
    });
  });
}
