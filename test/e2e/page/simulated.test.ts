/**
 * The simulated mesh on the page, where everything can be tried: the tour, breaking peers, measuring R and W, time, the run of a seed; and how the page looks: at three widths, in
 * light and dark, to axe. Screenshots of it are kept in test-results/page.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSimulation } from '../../../src/sim/run.ts';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { projectFolder, startPeer, until, type PeerProcess } from '../helpers/processes.ts';
import { answered, expectAccessible, inRing, layoutShiftOf, openPage, pageErrors, press, seen, shoot, turnTo } from './support/page.ts';
import { expectFewMoves, tellAllStories } from './support/tour.ts';

let browser: Browser;
/** Serves the page, and is not looked at. */
let peer: PeerProcess;

beforeAll(async () => {
  const launched = launchBrowser();
  peer = await startPeer();
  browser = await launched;
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await peer?.kill();
});

async function open(path: string, alive: number): Promise<Page> {
  const page = await openPage(browser, peer.url, { path });
  await seen(page, `${alive} alive`);
  return page;
}

/** Virtual time at 16 times the real one: what can be waited for comes soon. */
async function hurry(page: Page): Promise<void> {
  await turnTo(page, 'Time');
  await page.getByRole('slider', { name: /Speed/ }).fill('4');
}

const panels = ['Write and read', 'Key X-ray', 'Break things', 'Repair', 'R and W', 'Time'];

describe('how the page looks', { timeout: 240_000 }, () => {
  it.each([360, 1280, 2560])('fits %i pixels in light and dark, to axe too, and nothing jumps', async (width) => {
    const path = '/#sim?seed=3&peers=12';
    const page = await openPage(browser, peer.url, { width, path, height: width > 2000 ? 1300 : 860 });
    await seen(page, '12 alive');
    await press(page, 'Put');
    await answered(page, 'Written');
    await hurry(page);
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const name of panels) {
        await turnTo(page, name);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(width);
        if (name === panels[0] || width === 1280) await shoot(page, `${name.toLowerCase().replaceAll(' ', '-')}-${scheme}-${width}`);
        // The rest of the page is the same whichever panel is open, and colours are the same in each window.
        const colours = width === 360;
        if (colours || scheme === 'light') await expectAccessible(page, { colours, ...(name === panels[0] ? {} : { where: '#try' }) });
      }
    }
    expect(await layoutShiftOf(page)).toBeLessThan(0.02);
    await page.context().close();
  });

  it('weighs less than 300 KB', async () => {
    const assets = join(projectFolder, 'dist/web/assets');
    const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js') && !name.startsWith('board'));
    const sizes = await Promise.all(scripts.map(async (name) => gzipSync(await readFile(join(assets, name))).length));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
  });
});

describe('the simulated mesh on the page', { timeout: 120_000 }, () => {
  it('tells the six stories', async () => {
    const page = await open('/#sim?seed=7&peers=7', 7);
    await hurry(page);
    await tellAllStories(page);
    await page.context().close();
  });

  it('breaks peers, and counts the keys that move', async () => {
    const page = await open('/#sim?seed=8&peers=6', 6);
    await hurry(page);
    await turnTo(page, 'Break things');
    await page.getByRole('combobox', { name: 'Which' }).selectOption('peer-3');
    await press(page, 'Pause');
    await seen(page, 'peer-3 stands still, and the others take it for dead');
    await press(page, 'Resume');
    await seen(page, 'peer-3 runs, and the others take it for alive');
    await press(page, 'Kill');
    await inRing(page, /^peer-3: dead/).waitFor();
    await press(page, 'Start again');
    await inRing(page, /^peer-3: alive/).waitFor();
    await press(page, 'Split in halves');
    await seen(page, /^Split: peer-1, peer-2, peer-3 {2}\| {2}peer-4, peer-5, peer-6$/);
    await seen(page, '3 alive, 3 dead');
    await press(page, 'Heal the split');
    await seen(page, '6 alive');
    await press(page, 'Cut off peer-3');
    await inRing(page, /^peer-3: dead/).waitFor();
    await press(page, 'Heal the split');
    await seen(page, '6 alive');
    await press(page, 'Add a peer');
    await inRing(page, /^peer-7: alive, holds [1-9]/).waitFor();
    await expectFewMoves(page);
    await page.getByRole('combobox', { name: 'Which' }).selectOption('peer-7');
    await press(page, 'Remove');
    await inRing(page, /^peer-7/).waitFor({ state: 'detached' });
    await expectFewMoves(page);
    await page.context().close();
  });

  it('[QR1] measures what R and W cost, and what they miss', async () => {
    const page = await open('/#sim?seed=5&peers=9', 9);
    await hurry(page);
    await turnTo(page, 'R and W');
    await press(page, 'Measure');
    const chart = page.getByRole('table', { name: /Median time/ });
    await until('all nine are measured', async () => (await chart.getByText(/missed$/).count()) === 9, 60_000);
    // Where R + W > N the sets of peers meet: no read may miss.
    for (const [w, r] of [
      [1, 3],
      [2, 2],
      [2, 3],
      [3, 1],
      [3, 2],
      [3, 3],
    ] as const)
      expect(
        await chart
          .getByRole('row', { name: `W = ${w}` })
          .getByRole('cell')
          .nth(r - 1)
          .textContent(),
      ).toContain('none missed');
    await page.context().close();
  });

  it('[IN] replays a seed from the link that `ringmesh sim` tells: the same run as in Node.js, event by event', async () => {
    const { eventHash, link } = runSimulation({
      seed: 11,
      ops: 120,
      clients: 7,
      watchers: 2,
      faults: ['kill', 'halves', 'delay'],
      codec: true,
    });
    const page = await openPage(browser, peer.url, { path: `/${link}` });
    await hurry(page);
    await page.getByText('Every check holds.').waitFor();
    expect(await page.getByRole('region', { name: 'The run of a seed' }).textContent()).toContain(eventHash);
    await page.context().close();
  });

  it('can be stopped, and go on by single steps', async () => {
    const page = await open('/#sim?seed=2&peers=5', 5);
    await turnTo(page, 'Time');
    await press(page, 'Stop time');
    const clock = page.getByRole('status', { name: 'Virtual time' });
    await seen(page, 'stands still');
    const now = async (): Promise<number> => Number.parseFloat((await clock.textContent()) ?? '');
    const before = await now();
    await until('time has moved', async () => {
      await press(page, 'One step');
      return (await now()) > before;
    });
    await page.context().close();
  });

  it('holds a thousand peers in one tab, and tells of each', async () => {
    const page = await open('/#sim?seed=4&peers=1000', 1000);
    await press(page, 'Put');
    await answered(page, 'Written');
    await page.getByRole('textbox', { name: 'Find a peer' }).fill('peer-777');
    await page.getByRole('button', { name: /^peer-777 / }).click();
    await seen(page, 'directly over a simulated link');
    await shoot(page, 'thousand-peers');
    await page.context().close();
    expect(pageErrors).toEqual([]);
  });
});
