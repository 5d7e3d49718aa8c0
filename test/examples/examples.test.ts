/** The examples run as their readers would run them: the Vite app with the installed package, the plain page with the built module, both under a strict policy. */

import { once } from 'node:events';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright';
import type { MeshPeer } from 'ringmesh';
import { createPeer } from 'ringmesh/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { build } from 'vite';
import { browserTimeoutMs, launchBrowser } from '../e2e/helpers/browser.ts';
import { projectFolder, temporaryFolder } from '../e2e/helpers/processes.ts';

const example = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };
const policy = "default-src 'none'; script-src 'self'; connect-src 'self' ws:";
let browser: Browser;
let folder: { path: string; remove: () => Promise<void> };
const peers: MeshPeer[] = [];

beforeAll(async () => {
  [browser, folder] = await Promise.all([launchBrowser(), temporaryFolder()]);
  peers.push(await createPeer({ cluster: 'examples' }));
  peers.push(await createPeer({ cluster: 'examples', bootstrap: peers[0]!.status().addresses }));
  await Promise.all(peers.map((peer) => peer.ready({ timeoutMs: 60_000 })));
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await Promise.all(peers.map((peer) => peer.close()));
  await folder?.remove();
});

/** Opens the pages of a folder, one after the other, and answers what each of them shows at last. */
async function shown(root: string, times: number): Promise<string[]> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = join(root, path === '/' ? 'index.html' : path);
    readFile(file).then(
      (content) => response.writeHead(200, { 'Content-Type': types[extname(file)] ?? '', 'Content-Security-Policy': policy }).end(content),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bootstrap = peers.flatMap((peer) => peer.status().addresses).filter((address) => address.includes('/ws'));
  const context = await browser.newContext();
  const texts: string[] = [];
  for (let i = 0; i < times; i++) {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?bootstrap=${bootstrap.join()}`);
    await page.waitForFunction(() => document.querySelector('output')?.textContent !== '', undefined, { timeout: 60_000 });
    texts.push((await page.textContent('output')) ?? '');
    await page.close();
  }
  await context.close();
  server.close();
  return texts;
}

it('a Vite app imports ringmesh/browser in one line', { timeout: 150_000 }, async () => {
  const app = join(folder.path, 'app');
  await cp(example('vite-app'), app, { recursive: true });
  await mkdir(join(app, 'node_modules'));
  await symlink(projectFolder, join(app, 'node_modules/ringmesh'));
  await build({ configFile: false, root: app, logLevel: 'error', build: { target: 'es2022', modulePreload: false } });
  expect(await shown(join(app, 'dist'), 2)).toEqual(['visit 1', 'visit 2']);
});

it('a plain page imports the built module', { timeout: 150_000 }, async () => {
  const page = join(folder.path, 'page');
  await cp(example('plain-page'), page, { recursive: true });
  await cp(join(projectFolder, 'dist/browser/ringmesh.js'), join(page, 'ringmesh.js'));
  expect(await shown(page, 1)).toEqual(['hello from a plain page']);
});
