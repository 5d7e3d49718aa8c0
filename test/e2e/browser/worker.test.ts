/** A peer in a dedicated worker of a real Chromium, which has IndexedDB and Web Locks, and no WebRTC. */

import type { JSHandle, Worker } from 'playwright';
import type { MeshPeer } from 'ringmesh';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { MixedMesh, patienceMs, put, type Tab, texts, textsAt } from './support/mixed-mesh.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

async function startWorker({ page }: { readonly page: Tab['page'] }): Promise<Worker> {
  const [worker] = await Promise.all([page.waitForEvent('worker'), page.evaluate(() => void new Worker('/page.js', { type: 'module' }))]);
  return worker;
}

const createIn = (worker: Worker): Promise<JSHandle<MeshPeer>> =>
  worker.evaluateHandle(async (options) => {
    // The module may still be loading.
    while (globalThis.ringmesh === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    return globalThis.ringmesh.createPeer(options);
  }, mesh.options);

describe('a peer in a worker', { timeout: patienceMs }, () => {
  it('[ST2] [VR3] joins, writes and reads, says that it has no WebRTC, and a page of the profile shares it and takes it over', async () => {
    const profile = await mesh.profile();
    const page = await mesh.page(profile);
    const worker = await startWorker({ page });
    const peer = await createIn(worker);
    const inWorker: Tab = { page, peer, id: await peer.evaluate((one) => one.id) };
    await mesh.own([inWorker]);
    expect(await peer.evaluate((one) => one.status())).toMatchObject({
      runsHere: true,
      storage: { durable: true, healthy: true },
      warnings: expect.arrayContaining([expect.stringContaining('no WebRTC')]) as string[],
    });
    expect(await put(inWorker, 'from a worker', 'hello')).toMatchObject({ outcome: 'ok' });
    expect(await textsAt(mesh.first, 'from a worker')).toEqual(['hello']);

    const guest = await mesh.tabIn(page);
    expect(guest.id).toBe(inWorker.id);
    expect(await guest.peer.evaluate((one) => one.status().runsHere)).toBe(false);
    expect(await texts(guest, 'from a worker')).toEqual(['hello']);
    await peer.evaluate((one) => one.close());
    await guest.page.waitForFunction((one) => one.status().runsHere, guest.peer);
    expect(guest.id).toBe(inWorker.id);
    await mesh.own([guest]);
    expect(await put(guest, 'from a worker', 'taken over', { mode: 'sloppy' })).toMatchObject({ outcome: 'ok' });
    await profile.close();
  });
});
