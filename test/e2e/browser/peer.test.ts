/**
 * A tab as a peer: `ringmesh/browser` in a real Chromium joins three Node.js peers over WebSocket, agrees with them on the ring, writes, reads, and comes back
 * after a reload as the one that it was.
 */

import { join } from 'node:path';
import type { Browser, BrowserContext, JSHandle, Page } from 'playwright';
import type { MeshPeer } from 'ringmesh';
import type { BrowserPeerOptions } from 'ringmesh/browser';
import { createPeer } from 'ringmesh/node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { temporaryFolder, until } from '../helpers/processes.ts';
import { type PageHost, servePage } from './support/page-host.ts';

type Tab = JSHandle<MeshPeer>;

const cluster = 'browser-test';
/** Tests run on machines that do much else at the same time. */
const patienceMs = 90_000;
const withinMs = 60_000;
let browser: Browser;
let host: PageHost;
let profile: BrowserContext;
let folder: { path: string; remove: () => Promise<void> };
let peers: MeshPeer[] = [];
let bootstrap: string[] = [];

const first = (): MeshPeer => peers[0] as MeshPeer;

beforeAll(async () => {
  const started = Promise.all([launchBrowser(), servePage()]);
  folder = await temporaryFolder();
  // Peers of class `server`: two of them hold each key, however many tabs of earlier tests are gone (RG5).
  const server = (name: string, through: readonly string[]): Promise<MeshPeer> =>
    createPeer({ cluster, folder: join(folder.path, name), bootstrap: through });
  const one = await server('one', []);
  peers = [one, ...(await Promise.all(['two', 'three'].map((name) => server(name, one.status().addresses))))];
  bootstrap = peers.flatMap((peer) => peer.status().addresses).filter((address) => address.includes('/ws'));
  await Promise.all(peers.map((peer) => peer.ready({ timeoutMs: 60_000 })));
  [browser, host] = await started;
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await host?.close();
  await Promise.all(peers.map((peer) => peer.close()));
  await folder?.remove();
});

// Each test has a browser profile of its own.
beforeEach(async () => {
  profile = await browser.newContext();
});
// Tabs of earlier tests stay members, and hold nobody up.
afterEach(() => profile.close());

async function openPage(): Promise<Page> {
  const page = await profile.newPage();
  await page.goto(host.url);
  return page;
}

const openPeer = (page: Page, options: BrowserPeerOptions = {}): Promise<Tab> =>
  page.evaluateHandle((given) => globalThis.ringmesh.createPeer(given), { cluster, bootstrap, ...options });

const failureOf = (page: Page, options: BrowserPeerOptions): Promise<string> =>
  page.evaluate((given) => globalThis.ringmesh.failure(globalThis.ringmesh.createPeer(given)), options);

const put = (tab: Tab, key: string, value: string) =>
  tab.evaluate((peer, [name, text]) => peer.bucket('notes', { mode: 'strict' }).put(name, text, { w: 2 }), [key, value] as const);

const texts = (tab: Tab, key: string): Promise<string[]> =>
  tab.evaluate(async (peer, name) => {
    const { siblings } = await peer.bucket('notes', { mode: 'strict' }).get(name, { r: 2 });
    return siblings.map((sibling) => new TextDecoder().decode(sibling.value)).sort();
  }, key);

async function textsAt(peer: MeshPeer, key: string): Promise<string[]> {
  const { siblings } = await peer.bucket('notes', { mode: 'strict' }).get(key, { r: 2 });
  return siblings.map((sibling) => new TextDecoder().decode(sibling.value)).sort();
}

/** Waits until the tab and all Node.js peers have one ring with the tab in it. */
const joined = async (tab: Tab): Promise<string> => {
  const id = await tab.evaluate((peer) => peer.id);
  return until(
    'the tab and the others have one ring',
    async () => {
      const digest = await tab.evaluate((peer) => peer.status().ringDigest);
      const agree = peers.every((peer) => peer.status().ringDigest === digest && peer.ring().members.some((member) => member.peer === id));
      return agree && id;
    },
    withinMs,
  );
};

/** A key with the peer among its primaries. */
function keyOn(peer: string, prefix: string): string {
  for (let i = 0; i < 10_000; i++) {
    const key = `${prefix}-${i}`;
    if (first().placement('notes', key).primaries.includes(peer)) return key;
  }
  throw new Error(`${peer} owns nothing`);
}

const stateOf = (id: string): string | undefined =>
  first()
    .members()
    .find((member) => member.peer === id)?.state;

describe('a tab as a peer', { timeout: patienceMs }, () => {
  it('[RG1] [RG4] joins over WebSocket, and sees the ring that the others see', async () => {
    const tab = await openPeer(await openPage());
    await tab.evaluate((peer) => peer.ready({ timeoutMs: 60_000 }));
    const id = await joined(tab);
    const views = await tab.evaluate((peer) => peer.members());
    expect(views).toHaveLength(4);
    expect(views.filter((member) => member.self)).toMatchObject([{ peer: id, class: 'tab', weight: 32, state: 'alive' }]);
    expect(views.filter((member) => member.connected || member.self)).toHaveLength(4);
    const tokens = await tab.evaluate((peer) => peer.ring().tokens);
    expect(tokens).toEqual(first().ring().tokens);
    for (let i = 0; i < 100; i++) {
      const key = `key-${i}`;
      expect(await tab.evaluate((peer, name) => peer.placement('notes', name), key)).toEqual(first().placement('notes', key));
    }
  });

  it('[QR4] [VR1] what it puts a Node.js peer reads, and the other way round; conflicts are seen by both', async () => {
    const tab = await openPeer(await openPage());
    const id = await joined(tab);
    const key = keyOn(id, 'shared');
    const receipt = await put(tab, key, 'from the tab');
    expect(receipt.outcome).toBe('ok');
    expect(receipt.replicas).toContainEqual(
      expect.objectContaining({ peer: id, class: 'tab', role: 'primary', state: 'stored', durable: true }),
    );
    expect(await textsAt(first(), key)).toEqual(['from the tab']);

    const { context } = await first().bucket('notes', { mode: 'strict' }).get(key);
    expect(await first().bucket('notes', { mode: 'strict' }).put(key, 'from Node.js', { w: 2, context })).toMatchObject({ outcome: 'ok' });
    expect(await texts(tab, key)).toEqual(['from Node.js']);

    await put(tab, key, 'blindly');
    expect(await texts(tab, key)).toEqual(['blindly', 'from Node.js']);
    expect(await textsAt(first(), key)).toEqual(['blindly', 'from Node.js']);
  });

  it('[RG4] with weight 0 it holds nothing, and reads and writes all the same', async () => {
    const tab = await openPeer(await openPage(), { weight: 0, memory: true });
    await tab.evaluate((peer) => peer.ready({ timeoutMs: 60_000 }));
    expect((await tab.evaluate((peer) => peer.ring())).members).toHaveLength(first().ring().members.length);
    expect(await put(tab, 'without weight', 'still written')).toMatchObject({ outcome: 'ok' });
    expect(await textsAt(first(), 'without weight')).toEqual(['still written']);
    expect(await texts(tab, 'without weight')).toEqual(['still written']);
  });

  it('[MB3] [ST2] [VR3] a reload says goodbye, and brings back the same peer with its data', async () => {
    const page = await openPage();
    let tab = await openPeer(page);
    const id = await joined(tab);
    const key = keyOn(id, 'kept');
    await put(tab, key, 'before the reload');
    const { actor } = await tab.evaluate((peer) => peer.status());
    await page.reload();
    await until('the others know that it paused', () => stateOf(id) === 'dead', withinMs);
    tab = await openPeer(page);
    expect(await tab.evaluate((peer) => peer.id)).toBe(id);
    expect(await tab.evaluate((peer) => peer.status().actor)).toBe(actor);
    const own = await tab.evaluate((peer, name) => peer.bucket('notes').local(name), key);
    expect(own?.siblings).toHaveLength(1);
    await tab.evaluate((peer) => peer.ready({ timeoutMs: 60_000 }));
    await until('the others see it alive', () => stateOf(id) === 'alive', withinMs);
    expect(await texts(tab, key)).toEqual(['before the reload']);
    expect(await put(tab, 'after', 'the reload')).toMatchObject({ outcome: 'ok' });
  });
});

describe('a browser profile', { timeout: patienceMs }, () => {
  it('[RG3] is one host, however many peers it runs', async () => {
    const tabs = [await openPeer(await openPage(), { name: 'one' }), await openPeer(await openPage(), { name: 'two' })];
    const ids = await Promise.all(tabs.map(joined));
    const hosts = first()
      .members()
      .filter((member) => ids.includes(member.peer))
      .map((member) => member.host);
    expect(new Set(ids).size).toBe(2);
    expect(hosts[0]).toMatch(/^browser-/);
    expect(hosts[1]).toBe(hosts[0]);
    for (let i = 0; i < 500; i++) {
      expect(
        first()
          .placement('notes', `key-${i}`)
          .primaries.filter((peer) => ids.includes(peer)).length,
      ).toBeLessThan(2);
    }
  });

  it('[ST4] without IndexedDB says so, and can run a peer in memory', async () => {
    await profile.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
    const page = await openPage();
    expect(await failureOf(page, { cluster, bootstrap })).toMatch(/^STORAGE_FAILED: this page has no IndexedDB .* memory: true/);
    const tab = await openPeer(page, { memory: true });
    await tab.evaluate((peer) => peer.ready({ timeoutMs: 60_000 }));
    expect(await tab.evaluate((peer) => peer.status().storage.durable)).toBe(false);
    expect(await put(tab, 'ephemeral', 'all the same')).toMatchObject({ outcome: 'ok' });
  });

  it('refuses options that make no sense', async () => {
    const page = await openPage();
    expect(await failureOf(page, { name: 'a/b' })).toMatch(/^OPTION_INVALID: the name of a peer/);
    expect(await failureOf(page, { weight: -1 })).toMatch(/^OPTION_INVALID: weight/);
    expect(await failureOf(page, { memory: true, bootstrap: ['nowhere'] })).toMatch(/^ADDRESS_INVALID/);
  });
});
