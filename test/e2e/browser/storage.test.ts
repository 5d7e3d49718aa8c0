/** The storage contract on the real IndexedDB of a real browser, and the frozen placement answers there. */

import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storageCases } from '../../contract/storage-suite.ts';
import type { FrozenPlacement } from '../../unit/support/frozen-placement.ts';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { type PageHost, servePage } from './support/page-host.ts';

let browser: Browser;
let host: PageHost;
let page: Page;

beforeAll(async () => {
  [browser, host] = await Promise.all([launchBrowser(), servePage()]);
  page = await browser.newPage();
  await page.goto(host.url);
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await host?.close();
});

describe('IndexedDB in Chromium', () => {
  for (const { title } of storageCases) {
    it(title, { timeout: 60_000 }, async () => {
      expect(await page.evaluate((name) => globalThis.ringmesh.storageFailure(name), title)).toBe('');
    });
  }
});

describe('placement in Chromium', () => {
  it('[RG1] 10,000 keys live where they do in Node.js, for ever', async () => {
    const frozen = JSON.parse(await readFile(new URL('../../unit/frozen/placement.json', import.meta.url), 'utf8')) as FrozenPlacement;
    expect(await page.evaluate((answers) => globalThis.ringmesh.placementDifferences(answers), frozen)).toEqual([]);
  });
});
