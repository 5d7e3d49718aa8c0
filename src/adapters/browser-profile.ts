/**
 * What a browser profile keeps for the peers of one origin besides their records: who they are (their secret keys), and the host label that they share (RG3).
 * A small IndexedDB of its own through idb-keyval.
 *
 * The invariant: of two tabs that make the same entry at once, both get the one that was stored. An entry that was answered survives a crash.
 */

import { promisifyRequest, update } from 'idb-keyval';
import type { UseStore } from 'idb-keyval';
import { MeshError } from '../core/errors.ts';

const databaseName = 'ringmesh-profile';
const storeName = 'entries';

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
