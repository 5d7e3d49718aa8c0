/**
 * The demo page on `ringmesh demo`, driven as a person would: the guided tour with real processes, the tab as a peer, what can be broken, the board of notes, and the simulated
 * mesh behind the same view. Screenshots of it are kept in test-results/page.
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Locator, Page } from 'playwright';
import type { MemberView } from 'ringmesh';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSimulation } from '../../../src/sim/run.ts';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { freePort, startDemo, supervise } from '../helpers/demo.ts';
import { http, jsonOf } from '../helpers/mesh.ts';
import { projectFolder, temporaryFolder, until, type Running } from '../helpers/processes.ts';

const peers = 4;
const shots = join(projectFolder, 'test-results/page');

let browser: Browser;
let folder: { path: string; remove: () => Promise<void> };
let demo: Running;
let url = '';
const pageErrors: string[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(shots, { recursive: true });
  const launched = launchBrowser();
  const port = await freePort(peers + 1);
  url = `http://127.0.0.1:${port}`;
  demo = await startDemo(port, peers, join(folder.path, 'data'));
  browser = await launched;
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  demo?.child.kill('SIGINT');
  await demo?.finished;
  await folder?.remove();
});

interface Look {
  readonly path?: string;
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
}

async function open({ path = '/', width = 1280, height = 860, scheme = 'light' }: Look = {}): Promise<Page> {
  // Axe wants a context of its own.
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => pageErrors.push(error.message));
  await page.goto(`${url}${path}`);
  return page;
}

const press = (page: Page, name: string | RegExp): Promise<void> => page.getByRole('button', { name, exact: true }).click();
const story = (page: Page, title: string): Promise<void> => page.getByRole('heading', { name: title }).waitFor();
const seen = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();
const answered = (page: Page, title: string | RegExp): Promise<void> =>
  page.getByRole('status', { name: 'Answer' }).getByRole('heading', { name: title }).waitFor();
const tabNamed = (page: Page, name: string): Locator => page.getByRole('tab', { name });
const shoot = (page: Page, name: string): Promise<unknown> => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });

/** What axe calls serious or worse, in a few words. */
async function seriousProblems(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`));
}

async function tellAllStories(page: Page): Promise<void> {
  await press(page, 'Take the tour');
  await story(page, 'Story 1 of 6: Write and read with a quorum');
  await press(page, 'Write “tea”');
  await answered(page, 'Written');
  await press(page, 'Read it');
  await answered(page, 'One value');
  await page.getByRole('list', { name: 'The race for the quorum' }).getByText('made the quorum').waitFor();
  await press(page, 'Next story');

  await story(page, 'Story 2 of 6: A peer dies');
  await press(page, /^Kill peer-\d+$/);
  await seen(page, 'Nobody had to say so');
  await press(page, 'Write “tea with milk”');
  await answered(page, 'Written');
  await press(page, 'Show the X-ray');
  await page
    .getByRole('row', { name: /stand-in ?a hint waits for peer-\d/ })
    .first()
    .waitFor();
  await press(page, 'Next story');

  await story(page, 'Story 3 of 6: Conflict');
  await press(page, 'Let Ada and Grace write');
  await answered(page, 'Conflict: 2 values');
  await press(page, 'Keep one of them');
  await answered(page, 'Written');
  await press(page, 'Next story');

  await story(page, 'Story 4 of 6: It comes back');
  await press(page, /^Start peer-\d+ again$/);
  await seen(page, 'The hints have drained');
  await seen(page, /handed over/);
  await press(page, 'Show the X-ray');
  await seen(page, '3 of 3 owners can be looked at, and they hold the same.');
  await press(page, 'Next story');

  await story(page, 'Story 5 of 6: A peer joins');
  await page
    .getByRole('region', { name: /^Story/ })
    .getByRole('button', { name: 'Add a peer' })
    .click();
  await seen(page, 'Few keys got another owner');
  const moves = await page
    .getByRole('region', { name: 'How many keys move' })
    .getByText(/^[\d,]+ move$/)
    .allTextContents();
  const [onRing = 0, modulo = 0] = moves.map((text) => Number(text.replace(/\D/g, '')));
  expect(onRing).toBeGreaterThan(0);
  expect(onRing).toBeLessThan(modulo / 2);
  await press(page, 'Next story');

  await story(page, 'Story 6 of 6: A tab goes offline');
  await press(page, 'Take one offline');
  await seen(page, 'takes a write all the same');
  await press(page, /^Write at /);
  await answered(page, 'Written');
  await press(page, 'Heal the split');
  await seen(page, 'the write was blind');
  const get = page.getByRole('button', { name: 'Get', exact: true });
  await until('the write has arrived', async () => {
    await get.click();
    return page.getByRole('status', { name: 'Answer' }).getByText('written while offline').isVisible();
  });
  await press(page, 'Read it');
  await press(page, 'Finish');
}

describe('the page of the demo', { timeout: 240_000 }, () => {
  it('[RG4] makes its tab a peer, whose weight can be set', async () => {
    const page = await open();
    const own = page.getByRole('region', { name: 'This tab' });
    await own.getByText(/is a peer, connected with 4 others/).waitFor();
    await page.getByText(`${peers + 1} alive`).waitFor();
    await own.getByRole('slider', { name: /Its weight/ }).fill('20');
    await own.getByRole('button', { name: 'Take this weight' }).click();
    await page
      .getByRole('region', { name: 'Peers' })
      .getByRole('button', { name: /^this tab/ })
      .click();
    await seen(page, /by 20 places on the ring/);
    await own.getByRole('slider', { name: /Its weight/ }).fill('0');
    await own.getByRole('button', { name: 'Take this weight' }).click();
    await seen(page, /by 0 places on the ring/);
    await own.getByRole('button', { name: 'Leave' }).click();
    await seen(page, `${peers} alive, 1 dead`);
    await page.context().close();
  });

  it('tells its six stories with real processes', async () => {
    const page = await open();
    await seen(page, /is a peer, connected with/);
    await tellAllStories(page);
    await shoot(page, 'live-light-1280');
    await page.context().close();
  });

  it('weighs less than 300 KB', async () => {
    const assets = join(projectFolder, 'dist/web/assets');
    const scripts = (await readdir(assets)).filter((name) => name.endsWith('.js') && !name.startsWith('board'));
    const sizes = await Promise.all(scripts.map(async (name) => gzipSync(await readFile(join(assets, name))).length));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300_000);
  });

  it('lets nobody break anything without the token', async () => {
    const { url: supervisor } = jsonOf<{ url: string; token: string }>(await http(url, 'GET', '/v1/demo'));
    const refused = await http(supervisor, 'POST', '/v1/demo/peers/peer-1/kill', { headers: { Authorization: 'Bearer nonsense' } });
    expect(refused.status).toBe(403);
    const strange = await http(supervisor, 'GET', '/v1/demo', { headers: { Origin: 'http://evil.example' } });
    expect(strange.status).toBe(403);
  });

  it('[HH1] [VR1] keeps a board of notes with pictures, offline too, and shows its conflicts', async () => {
    const ada = await open({ path: '/board.html' });
    await seen(ada, /In touch with/);
    await ada.getByLabel('A new note').fill('Buy milk');
    const picture = await ada.screenshot();
    await ada.getByLabel('A picture').setInputFiles({ name: 'picture.png', mimeType: 'image/png', buffer: picture });
    await press(ada, 'Pin it');
    await ada.getByRole('article').getByRole('img').waitFor();
    // The peers of the demo have nothing to do with her tab for a while.
    const members = jsonOf<{ members: MemberView[] }>(await http(url, 'GET', '/v1/members')).members;
    const [tabs, others] = [true, false].map((isTab) =>
      members.filter((member) => (member.class === 'tab') === isTab).map(({ peer }) => peer),
    );
    await supervise(url, '/split', { sides: [others, tabs] });
    await seen(ada, 'Alone for now');
    const noteOf = (page: Page): Locator => page.getByRole('article').getByRole('textbox', { name: 'Text of the note' });
    const change = async (page: Page, text: string): Promise<void> => {
      await noteOf(page).fill(text);
      await noteOf(page).blur();
    };
    await change(ada, 'Buy oat milk');
    await until('she sees what she has written', async () => (await noteOf(ada).inputValue()) === 'Buy oat milk');
    const grace = await open({ path: '/board.html' });
    await grace.getByRole('article').getByRole('img').waitFor();
    await change(grace, 'Buy two bottles of milk');
    await supervise(url, '/heal');
    const conflict = grace.getByRole('article', { name: 'Note with a conflict' });
    await conflict.waitFor();
    await shoot(grace, 'board-conflict');
    expect(await seriousProblems(grace)).toEqual([]);
    await conflict.getByRole('button', { name: 'Keep this one' }).first().click();
    await ada.getByRole('article', { name: 'Note', exact: true }).waitFor();
    await Promise.all([ada.context().close(), grace.context().close()]);
  });

  it.each([
    { scheme: 'light', width: 360 },
    { scheme: 'dark', width: 360 },
    { scheme: 'light', width: 1280 },
    { scheme: 'dark', width: 1280 },
    { scheme: 'light', width: 2560 },
    { scheme: 'dark', width: 2560 },
  ] as const)('fits $width pixels in $scheme, without a serious problem for axe', async ({ scheme, width }) => {
    const page = await open({ width, scheme, path: '/#sim?seed=3&peers=12', height: width > 2000 ? 1300 : 860 });
    await seen(page, '12 alive');
    await press(page, 'Put');
    await answered(page, 'Written');
    await shoot(page, `simulated-${scheme}-${width}`);
    for (const name of ['Key X-ray', 'Break things', 'Repair', 'R and W', 'Time']) {
      await tabNamed(page, name).click();
      await tabNamed(page, name).and(page.locator('[aria-selected="true"]')).waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth), name).toBeLessThanOrEqual(width);
      if (width === 1280) {
        await shoot(page, `${name.toLowerCase().replaceAll(' ', '-')}-${scheme}`);
        expect(await seriousProblems(page), name).toEqual([]);
      }
    }
    await page.context().close();
  });
});

describe('the simulated mesh on the page', { timeout: 120_000 }, () => {
  it('tells the same six stories', async () => {
    const page = await open({ path: '/#sim?seed=7&peers=7', scheme: 'dark' });
    await seen(page, '7 alive');
    await tellAllStories(page);
    await page.context().close();
  });

  it('[QR1] measures what R and W cost, and what they miss', async () => {
    const page = await open({ path: '/#sim?seed=5&peers=9' });
    await seen(page, '9 alive');
    await tabNamed(page, 'Time').click();
    await page.getByRole('slider', { name: /Speed/ }).fill('4');
    await tabNamed(page, 'R and W').click();
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

  it('[IN] replays a seed from its link: the same run as in Node.js, event by event', async () => {
    const options = { seed: 11, peers: 5, ops: 120, clients: 10, faults: ['kill', 'halves', 'delay'], modes: 'strict' } as const;
    const page = await open({ path: '/#replay?seed=11&peers=5&ops=120&faults=kill,halves,delay' });
    await tabNamed(page, 'Time').click();
    await page.getByRole('slider', { name: /Speed/ }).fill('4');
    await page.getByText('Every check holds.').waitFor();
    expect(await page.getByRole('region', { name: 'The run of a seed' }).textContent()).toContain(runSimulation(options).eventHash);
    await page.context().close();
  });

  it('can be stopped, and go on by single steps', async () => {
    const page = await open({ path: '/#sim?seed=2&peers=5' });
    await seen(page, '5 alive');
    await tabNamed(page, 'Time').click();
    await press(page, 'Stop time');
    const clock = page.getByRole('status', { name: 'Virtual time' });
    await seen(page, 'stands still');
    const before = Number.parseFloat((await clock.textContent()) ?? '');
    for (let step = 0; step < 60; step++) await press(page, 'One step');
    await until('time has moved', async () => Number.parseFloat((await clock.textContent()) ?? '') > before, 10_000);
    await page.context().close();
  });

  it('holds a thousand peers in one tab', async () => {
    const page = await open({ path: '/#sim?seed=4&peers=1000' });
    await seen(page, '1000 alive');
    await press(page, 'Put');
    await answered(page, 'Written');
    await shoot(page, 'thousand-peers');
    await page.context().close();
    expect(pageErrors).toEqual([]);
  });
});
