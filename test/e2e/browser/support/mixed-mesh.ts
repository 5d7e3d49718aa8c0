/** A mesh of Node.js peers and tabs of a real Chromium, for the browser tests: each server with a folder and a port of its own, so that it can stop and come back. */

import { join } from 'node:path';
import type { Browser, BrowserContext, JSHandle, Page } from 'playwright';
import type { MeshPeer } from 'ringmesh';
import type { BrowserPeerOptions } from 'ringmesh/browser';
import { createPeer } from 'ringmesh/node';
import { expect } from 'vitest';
import { launchBrowser } from '../../helpers/browser.ts';
import { temporaryFolder, until } from '../../helpers/processes.ts';
import { type PageHost, servePage } from './page-host.ts';
import { PlainPage } from './plain-pages.ts';

/** A peer in a page, as the test holds it. */
export interface Tab {
  readonly page: Page;
  readonly peer: JSHandle<MeshPeer>;
  readonly id: string;
}

/** Tests run on machines that do much else at the same time. */
export const withinMs = 60_000;
export const patienceMs = 150_000;
const timeoutMs = 20_000;

/** A Node.js peer that can be stopped and started again where it was. */
export class Server {
  readonly #options: { readonly cluster: string; readonly folder: string };
  #listen: readonly string[] = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'];
  #running: MeshPeer | undefined;

  constructor(options: { cluster: string; folder: string }) {
    this.#options = options;
  }

  get peer(): MeshPeer {
    if (this.#running === undefined) throw new Error('this server is stopped');
    return this.#running;
  }

  /** Where tabs reach it. */
  get webSocket(): string {
    return this.peer.status().addresses.find((address) => address.includes('/ws')) ?? '';
  }

  async start(bootstrap: readonly string[] = []): Promise<void> {
    this.#running = await createPeer({ ...this.#options, listen: this.#listen, bootstrap });
    this.#listen = this.#running.status().addresses.map((address) => address.replace(/\/p2p\/[^/]*$/, ''));
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = undefined;
  }
}

export class MixedMesh {
  readonly cluster = `browser-test-${Math.random().toString(36).slice(2)}`;
  readonly servers: Server[] = [];
  #browser: Browser | undefined;
  #host: PageHost | undefined;
  #folder: { path: string; remove: () => Promise<void> } | undefined;
  #bootstrap: string[] = [];

  async start(serverCount = 3): Promise<void> {
    const pages = Promise.all([launchBrowser(), servePage()]);
    const folder = (this.#folder = await temporaryFolder());
    for (let i = 0; i < serverCount; i++)
      this.servers.push(new Server({ cluster: this.cluster, folder: join(folder.path, `server-${i}`) }));
    const [first, ...others] = this.servers;
    await first!.start();
    await Promise.all(others.map((server) => server.start(first!.peer.status().addresses)));
    this.#bootstrap = this.servers.map((server) => server.webSocket);
    await Promise.all(this.servers.map((server) => server.peer.ready({ timeoutMs: withinMs })));
    [this.#browser, this.#host] = await pages;
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
    await this.#host?.close();
    await Promise.all(this.servers.map((server) => server.stop()));
    await this.#folder?.remove();
  }

  get first(): MeshPeer {
    return this.servers[0]!.peer;
  }

  /** Starts a server again that was stopped; it finds the others by what it remembers. */
  async restart(server: Server): Promise<void> {
    await server.start(this.#bootstrap);
  }

  /** A browser profile of its own: cookies, storage and locks. */
  async profile(): Promise<BrowserContext> {
    const context = await this.#browser!.newContext();
    await context.grantPermissions(['camera', 'microphone'], { origin: this.#host!.url });
    return context;
  }

  async page(profile: BrowserContext): Promise<Page> {
    const page = await profile.newPage();
    page.on('pageerror', (error) => console.error('page:', error));
    await page.goto(this.#host!.url);
    return page;
  }

  /** A page of a profile of its own that nobody watches. */
  async plainPage(): Promise<PlainPage> {
    const page = await PlainPage.open(this.#browser!, this.#host!.url);
    await until('the page is there', () => page.evaluate(() => globalThis.ringmesh !== undefined), withinMs);
    return page;
  }

  async tab(profile: BrowserContext, options: BrowserPeerOptions = {}): Promise<Tab> {
    return this.tabIn(await this.page(profile), options);
  }

  /** With which a tab joins. */
  get options(): BrowserPeerOptions {
    return { cluster: this.cluster, bootstrap: this.#bootstrap };
  }

  async tabIn(page: Page, options: BrowserPeerOptions = {}): Promise<Tab> {
    const peer = await page.evaluateHandle((all) => globalThis.ringmesh.createPeer(all), { ...this.options, ...options });
    return { page, peer, id: await peer.evaluate((one) => one.id) };
  }

  /** Waits until the tabs own their part of the ring: before that they copy it. */
  async own(tabs: readonly Tab[]): Promise<void> {
    await until(
      'the tabs own their parts',
      () => this.servers.every(({ peer }) => tabs.every(({ id }) => peer.ring().members.some((member) => member.peer === id))),
      withinMs,
    );
    await this.agree(tabs);
  }

  /** Waits until tabs and running servers have one ring with all tabs in it. */
  async agree(tabs: readonly Tab[], servers = this.servers): Promise<void> {
    await until(
      'the tabs and the servers have one ring',
      async () => {
        const digests = await Promise.all(tabs.map(({ peer }) => peer.evaluate((one) => one.status().ringDigest)));
        const all = [...digests, ...servers.map(({ peer }) => peer.status().ringDigest)];
        const members = servers.map(({ peer }) => peer.members().map((member) => member.peer));
        const known = members.every((ids) => tabs.every(({ id }) => ids.includes(id)));
        if (known && new Set(all).size === 1) return true;
        throw new Error(`${new Set(all).size} rings`);
      },
      withinMs,
    );
  }
}

export const put = (
  tab: Tab,
  key: string,
  value: string,
  options: { w?: number; mode?: 'strict' | 'sloppy' | 'any'; context?: string } = {},
) =>
  tab.peer.evaluate((peer, [name, text, { mode = 'strict', ...rest }]) => peer.bucket('notes').put(name, text, { w: 2, mode, ...rest }), [
    key,
    value,
    { timeoutMs, ...options },
  ] as const);

export const texts = (tab: Tab, key: string, mode: 'strict' | 'sloppy' = 'strict'): Promise<string[]> =>
  tab.peer.evaluate(
    async (peer, [name, options]) => {
      const { siblings } = await peer.bucket('notes').get(name, { r: 2, ...options });
      return siblings.map((sibling) => new TextDecoder().decode(sibling.value)).sort();
    },
    [key, { mode, timeoutMs }] as const,
  );

export async function textsAt(peer: MeshPeer, key: string, mode: 'strict' | 'sloppy' = 'strict'): Promise<string[]> {
  const { siblings } = await peer.bucket('notes').get(key, { r: 2, mode, timeoutMs });
  return siblings.map((sibling) => new TextDecoder().decode(sibling.value)).sort();
}

/** How the frames of a tab go to another peer now. */
export const pathTo = (tab: Tab, to: string): Promise<string> =>
  tab.peer.evaluate((peer, id) => {
    const path = peer.connections().find((connection) => connection.peer === id);
    if (path === undefined) return 'none';
    return path.relay === undefined ? path.transport : 'relayed';
  }, to);

export const eventually = (what: string, condition: () => unknown): Promise<unknown> => until(what, condition, withinMs);

export const expectOk = (receipt: { outcome: string }): void => expect(receipt.outcome).toBe('ok');
