/**
 * How long it takes until so many tabs, each of a browser profile of its own, are one mesh with three Node.js peers: opened one after another, each when the one before
 * is ready. Then each tab puts a key (W=2) and gets that of the next one (R=2).
 *
 *   npm run build && node test/bench/tabs.mjs [tabs]
 */

import { join } from 'node:path';
import { createPeer } from 'ringmesh/node';

import { listen, openBrowser, patienceMs, until, webSockets } from './fixtures/tab-pages.mjs';

const tabCount = Number(process.argv[2] ?? 20);
const agreeWithinMs = 300_000;
const cluster = 'bench-tabs';
const began = performance.now();
const say = (text) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`);

const { folder, openTab, close } = await openBrowser();
const options = (name) => ({ cluster, folder: join(folder, name), listen });
const first = await createPeer(options('one'));
const others = await Promise.all(['two', 'three'].map((name) => createPeer({ ...options(name), bootstrap: first.status().addresses })));
const servers = [first, ...others];
await Promise.all(servers.map((peer) => peer.ready({ timeoutMs: patienceMs })));

const tabs = [];
for (let i = 1; i <= tabCount; i++) {
  const tab = await openTab({ cluster, bootstrap: webSockets(servers) });
  await tab.evaluate((timeoutMs) => globalThis.peer.ready({ timeoutMs }), patienceMs);
  tabs.push(tab);
  say(`${i} ${i === 1 ? 'tab is' : 'tabs are'} ready`);
}

await until(
  'one ring',
  async () => {
    const seen = await Promise.all(tabs.map((tab) => tab.evaluate(() => globalThis.peer.status().ringDigest)));
    const isWhole = servers.every((peer) => peer.ring().members.length === tabCount + servers.length);
    return isWhole && new Set([...seen, ...servers.map((peer) => peer.status().ringDigest)]).size === 1;
  },
  agreeWithinMs,
);
say(`one ring of ${tabCount + servers.length} peers`);

await Promise.all(
  tabs.map((tab, index) =>
    tab.evaluate(async (key) => {
      const { outcome } = await globalThis.peer.bucket('bench', { n: 3, w: 2 }).put(key, `by tab ${key}`);
      if (outcome !== 'ok') throw new Error(`put: ${outcome}`);
    }, `${index}`),
  ),
);
say('each has put a key');
await Promise.all(
  tabs.map((tab, index) =>
    tab.evaluate(
      async (key) => {
        const { siblings } = await globalThis.peer.bucket('bench', { n: 3, r: 2 }).get(key);
        const [text, ...more] = siblings.map(({ value }) => new TextDecoder().decode(value));
        if (text !== `by tab ${key}` || more.length > 0) throw new Error(`get: ${text}, and ${more.length} more`);
      },
      `${(index + 1) % tabCount}`,
    ),
  ),
);
say('each has read the key of the next one');

await close();
await Promise.all(servers.map((peer) => peer.close()));
process.exit(0);
