/**
 * What the browser tests put into a page: the entry `ringmesh/browser`, the cases of the storage contract and the frozen placement answers. Bundled by
 * `page-host.ts`; the tests reach it as `globalThis.ringmesh`.
 */

import { createPeer, MeshError } from 'ringmesh/browser';
import { openIdbStorage } from '../../../../src/adapters/idb.ts';
import { storageCases } from '../../../contract/storage-suite.ts';
import type { StorageFactory } from '../../../contract/storage-suite.ts';
import { placementDifferences } from '../../../unit/support/frozen-placement.ts';

let worlds = 0;

const removed = (name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error ?? new Error(`${name} cannot be deleted`));
  });

const idbWorld: StorageFactory = async () => {
  const name = `contract ${performance.timeOrigin} ${worlds++}`;
  return { open: () => openIdbStorage(name), remove: () => removed(name) };
};

const pageTools = {
  createPeer,
  placementDifferences,
  /** Empty when the case holds. */
  async storageFailure(title: string): Promise<string> {
    const found = storageCases.find((one) => one.title === title);
    if (found === undefined) return `there is no case "${title}"`;
    try {
      await found.run(idbWorld);
      return '';
    } catch (error) {
      return error instanceof Error ? `${error.message}\n${error.stack}` : String(error);
    }
  },
  /** `code: message`, since only texts come out of a page whole. */
  async failure(call: Promise<unknown>): Promise<string> {
    try {
      await call;
      return '';
    } catch (error) {
      return error instanceof MeshError ? `${error.code}: ${error.message}` : String(error);
    }
  },
};

declare global {
  var ringmesh: typeof pageTools;
}

globalThis.ringmesh = pageTools;
