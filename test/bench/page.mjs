/**
 * What the demo page weighs, and how soon it is there: `node test/bench/page.mjs`. Sizes are of all scripts that the page may load, gzipped; the first view is
 * Chromium's first contentful paint on loopback, and when the peers are on the ring.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { servePage } from './fixtures/served-page.mjs';

const assets = new URL('../../dist/web/assets/', import.meta.url);
const rounds = 5;

const sizes = readdirSync(assets)
  .filter((name) => name.endsWith('.js') && !name.startsWith('board'))
  .map((name) => [name, gzipSync(readFileSync(new URL(name, assets))).length]);
for (const [name, bytes] of sizes) console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB  ${name}`);
console.log(`${(sizes.reduce((sum, [, bytes]) => sum + bytes, 0) / 1000).toFixed(1).padStart(7)} kB  in all (limit 300)`);

const { url, browser, close } = await servePage();
for (let round = 0; round < rounds; round++) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.getByText('1 alive').waitFor();
  const [paintMs, ringMs] = await page.evaluate(() => [
    performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
    performance.now(),
  ]);
  console.log(`first view ${paintMs.toFixed(0)} ms, peers on the ring by ${ringMs.toFixed(0)} ms`);
  await context.close();
}
await close();
