/** A tab whose browser gives no more space, deletes what it stored, lacks what a peer needs, or is cut off from the network. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { eventually, expectOk, MixedMesh, pathTo, patienceMs, put, type Tab, texts, textsAt } from './support/mixed-mesh.ts';
import { sleep } from './support/sleep.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

const status = (tab: Tab) => tab.peer.evaluate((peer) => peer.status());

const stateOf = (id: string): string | undefined => mesh.first.members().find((member) => member.peer === id)?.state;

/** Puts a megabyte each under keys that this tab stores, until one is refused: `code: message`. */
const fill = (tab: Tab): Promise<string> =>
  tab.page.evaluate(async (peer) => {
    const owned = Array.from({ length: 500 }, (_, i) => `large-${i}`).filter((key) =>
      peer.placement('large', key).primaries.includes(peer.id),
    );
    for (const key of owned.slice(0, 20)) {
      const value = new Uint8Array(1_000_000);
      for (let at = 0; at < value.length; at += 50_000) crypto.getRandomValues(value.subarray(at, at + 50_000));
      const failure = await globalThis.ringmesh.failure(peer.bucket('large').put(key, value, { w: 1, mode: 'strict' }));
      if (failure !== '') return failure;
    }
    return '';
  }, tab.peer);

describe('a tab', { timeout: patienceMs }, () => {
  it('[ST4] whose quota is used up says so, refuses with a clear code, serves what it has, and takes writes again when there is room', async () => {
    const profile = await mesh.profile();
    const page = await mesh.page(profile);
    const session = await profile.newCDPSession(page);
    const origin = new URL(page.url()).origin;
    // Before it opens the store: later ones are not looked at for a while.
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 6_000_000 });
    const tab = await mesh.tabIn(page);
    await mesh.own([tab]);
    expectOk(await put(tab, 'kept', 'before'));
    expect(await fill(tab)).toMatch(/^STORAGE_FULL: .*no more space/);
    expect((await status(tab)).storage.healthy).toBe(false);
    expect(await texts(tab, 'kept')).toEqual(['before']);
    await session.send('Storage.overrideQuotaForOrigin', { origin });
    await eventually('it takes writes again', async () => (await put(tab, 'later', 'after', { mode: 'sloppy' })).outcome === 'ok');
    await eventually('it is well again', async () => (await status(tab)).storage.healthy);
    await profile.close();
  });

  it('[ST4] [VR3] whose data the browser deletes while it runs says so, and begins anew with what the others have', async () => {
    const profile = await mesh.profile();
    const tab = await mesh.tab(profile);
    await mesh.own([tab]);
    for (let i = 0; i < 10; i++) expectOk(await put(tab, `evicted-${i}`, 'before'));
    const before = await status(tab);
    const session = await profile.newCDPSession(tab.page);
    const origin = new URL(tab.page.url()).origin;
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
    await eventually('it begins anew', async () => {
      await put(tab, 'noticed', '.', { mode: 'sloppy' }).catch(() => undefined);
      const { storage, warnings, actor } = await status(tab);
      return storage.healthy && actor !== before.actor && warnings.some((warning) => warning.includes('deleted'));
    });
    expect((await status(tab)).peer).toBe(before.peer);
    await mesh.own([tab]);
    for (let i = 0; i < 10; i++) expect(await texts(tab, `evicted-${i}`)).toEqual(['before']);
    const { context } = await tab.peer.evaluate((peer) => peer.bucket('notes').get('evicted-0'));
    expectOk(await put(tab, 'evicted-0', 'after', { context }));
    expect(await textsAt(mesh.first, 'evicted-0')).toEqual(['after']);
    await profile.close();
  });

  it('[MB3] that sleeps without a word is taken for dead, and is back soon after it wakes, with all its links', async () => {
    const profiles = [await mesh.profile(), await mesh.profile()] as const;
    const [one, two] = await Promise.all([mesh.tab(profiles[0]), mesh.tab(profiles[1])]);
    await mesh.own([one, two]);
    const wake = await sleep(one.page);
    await eventually('the others take it for dead', () => stateOf(one.id) === 'dead');
    expectOk(await put(two, 'meanwhile', 'written'));
    wake();
    await eventually('the others see it again', () => stateOf(one.id) === 'alive');
    await eventually(
      'WebRTC between the tabs',
      async () => (await pathTo(one, two.id)) === 'webrtc' && (await pathTo(two, one.id)) === 'webrtc',
    );
    expect((await one.peer.evaluate((peer) => peer.members())).filter(({ state }) => state === 'alive').map(({ peer }) => peer)).toEqual(
      expect.arrayContaining([one.id, two.id, ...mesh.servers.map(({ peer }) => peer.id)]),
    );
    expect(await texts(one, 'meanwhile')).toEqual(['written']);
    await Promise.all(profiles.map((profile) => profile.close()));
  });
});

describe('a browser', { timeout: patienceMs }, () => {
  it('[ST4] without Web Locks is refused with what to do, and can run a peer in memory', async () => {
    const profile = await mesh.profile();
    await profile.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
    const page = await mesh.page(profile);
    const failure = await page.evaluate((options) => globalThis.ringmesh.failure(globalThis.ringmesh.createPeer(options)), mesh.options);
    expect(failure).toMatch(/^STORAGE_FAILED: this page has no Web Locks .* memory: true/);
    const tab = await mesh.tabIn(page, { memory: true });
    await tab.peer.evaluate((peer) => peer.ready({ timeoutMs: 60_000 }));
    expect((await status(tab)).storage.durable).toBe(false);
    await profile.close();
  });

  it('whose cluster is another one than that of the peers it is to meet is told so', async () => {
    const profile = await mesh.profile();
    const page = await mesh.page(profile);
    const failure = await page.evaluate(async (options) => {
      const peer = await globalThis.ringmesh.createPeer({ ...options, cluster: 'another', memory: true });
      const text = await globalThis.ringmesh.failure(peer.ready({ timeoutMs: 5000 }));
      await peer.close();
      return text;
    }, mesh.options);
    expect(failure).toMatch(/^TIMEOUT: not ready after 5000 ms: .*no peer of this cluster/);
    await profile.close();
  });

  it('[ST4] whose IndexedDB lets nobody in, as in some private windows, is refused with what to do', async () => {
    const profile = await mesh.profile();
    await profile.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('A mutation operation was attempted on a database that did not allow mutations.', 'InvalidStateError');
      };
    });
    const page = await mesh.page(profile);
    const failure = await page.evaluate((options) => globalThis.ringmesh.failure(globalThis.ringmesh.createPeer(options)), mesh.options);
    expect(failure).toMatch(/^STORAGE_FAILED: the browser's storage cannot be used .*private window/);
    await profile.close();
  });

  it('without WebRTC says that other tabs are reached through Node.js peers only', async () => {
    const profile = await mesh.profile();
    await profile.addInitScript(() => Reflect.deleteProperty(globalThis, 'RTCPeerConnection'));
    const tab = await mesh.tab(profile, { memory: true });
    expect((await status(tab)).warnings).toContainEqual(expect.stringContaining('no WebRTC'));
    await profile.close();
  });
});
