/** The page as the dashboard of three peers that `ringmesh serve` runs, in a real browser: roles and texts, not class names. */

import type { Browser, Locator, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { http, startMesh } from '../helpers/mesh.ts';
import { type PeerProcess, temporaryFolder } from '../helpers/processes.ts';
import {
  answer as answerOf,
  answered as answeredOn,
  inRing as inRingOf,
  layoutShiftOf,
  openPage,
  pageErrors,
  part as partOf,
  press as pressOn,
  turnTo,
} from './support/page.ts';

let browser: Browser;
let folder: { path: string; remove: () => Promise<void> };
let peers: PeerProcess[] = [];
let page: Page;

const peer = (number: number): PeerProcess => peers[number - 1] as PeerProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  const launched = launchBrowser();
  peers = await startMesh(folder.path, 3);
  browser = await launched;
}, browserTimeoutMs);

afterAll(async () => {
  await browser?.close();
  await Promise.all(peers.map((one) => one.kill()));
  await folder?.remove();
});

beforeEach(async () => {
  page = await openPage(browser, peer(1).url);
});

afterEach(async () => {
  await page.context().close();
  expect(pageErrors).toEqual([]);
});

const part = (name: string): Locator => partOf(page, name);
const inRing = (name: string | RegExp): Locator => inRingOf(page, name);
const inList = (name: string | RegExp): Locator => part('Peers').getByRole('button', { name });
const answer = (): Locator => answerOf(page);
const press = (name: string): Promise<void> => pressOn(page, name);
const answered = (title: string | RegExp): Promise<void> => answeredOn(page, title);

async function type(key: string, value?: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Key' }).fill(key);
  if (value !== undefined) await page.getByRole('textbox', { name: 'Value' }).fill(value);
}

/** On a busy machine an owner may be taken for dead for a moment: then only strict reads surely meet the last write (QR3). */
const onlyOwners = (): Promise<string[]> => page.getByLabel('Who may answer').selectOption('strict');

describe('the dashboard', { timeout: 90_000 }, () => {
  it('shows the peers, on the ring and in a list', async () => {
    await page.getByText('3 alive').waitFor();
    for (const name of ['host-1', 'host-2', 'host-3']) {
      await inList(new RegExp(`^${name}.* alive `)).waitFor();
      await inRing(new RegExp(`^${name}: alive, holds \\d+ %`)).waitFor();
    }
    expect(await inRing(/the page looks through its eyes/).count()).toBe(1);
    expect(await layoutShiftOf(page)).toBeLessThan(0.02);
  });

  it('breaks nothing', async () => {
    await turnTo(page, 'Break things');
    await page.getByText('This is a real mesh, so nothing can be broken from here.').waitFor();
    expect((await http(peer(1).url, 'GET', '/v1/demo')).status).toBe(204);
  });

  it('opens a peer with the keyboard', async () => {
    await inRing(/^host-2/).focus();
    await page.keyboard.press('Enter');
    await part('Peers').getByText(peer(2).id).waitFor();
    await part('Peers').getByText('server: keeps its data on disk').waitFor();
    expect(await inList(/^host-2/).getAttribute('aria-expanded')).toBe('true');
    // Only the gateway of host-1 lets this page in: what the others keep is asked over the mesh.
    for (const fact of [/^\d+ keys?, /, /^\d+ writes? kept for others/, /^directly over TCP/])
      await part('Peers').getByText(fact).waitFor();
  });

  it('[QR4] writes and reads, and says which peer said what', async () => {
    await onlyOwners();
    await type('a key/with ünusual parts?', 'first value');
    await part('The ring')
      .getByText(/“a key\/with ünusual parts\?” is [\d.]+ % of the way round/)
      .waitFor();
    await press('Put');
    await answered('Written');
    expect(
      await answer()
        .getByRole('row', { name: /host-\d owner stored, survives a crash/ })
        .count(),
    ).toBeGreaterThanOrEqual(2);
    await press('Get');
    await answered('One value');
    await answer().getByText('first value').waitFor();
    await turnTo(page, 'Key X-ray');
    await page.getByText('3 of 3 owners can be looked at, and they hold the same.').waitFor();
    await turnTo(page, 'Write and read');
    const elsewhere = await http(
      peer(2).url,
      'GET',
      `/v1/buckets/demo/keys/${encodeURIComponent('a key/with ünusual parts?')}?mode=strict`,
    );
    expect(elsewhere.body.toString()).toBe('first value');

    await type('a key/with ünusual parts?', 'second value');
    await press('Put');
    await answered('Written');
    await press('Get');
    await answer().getByText('second value').waitFor();
    await press('Delete');
    await answered('Deleted');
    await press('Get');
    await answered('No value');
    await page
      .getByRole('log')
      .getByText(/^get in demo: absent/)
      .first()
      .waitFor();
  });

  it('[VR1] shows a conflict side by side, and settles it', async () => {
    await onlyOwners();
    await type('contested', 'tea');
    await press('Make a conflict');
    await answered('Conflict: 2 values');
    await answer().getByText('tea (says Ada)').waitFor();
    const keep = answer().getByRole('article').filter({ hasText: 'tea (says Grace)' }).getByRole('button', { name: 'Keep this one' });
    await keep.click();
    await answered('Written');
    await press('Get');
    await answered('One value');
    await answer().getByText('tea (says Grace)').waitFor();
  });

  it('[QR1] says what R and W promise', async () => {
    await page.getByText('2 + 2 > 3: a read meets the last write, unless').waitFor();
    await page.getByLabel('Writing').selectOption('1');
    await page.getByText('2 + 1 ≤ 3: quick, but a read may miss the last write').waitFor();
  });

  it('fits on a telephone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.getByText('3 alive').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  });

  it('[MB2] shows a killed peer as dead, and goes on writing', async () => {
    await page.getByText('3 alive').waitFor();
    await peer(3).kill();
    await inRing(/^host-3: dead/).waitFor();
    await inList(/^host-3.* dead /).waitFor();
    await page.getByText('2 alive, 1 dead').waitFor();
    await page.getByRole('log').getByText('host-3 is dead').waitFor();
    await type('after the kill', 'still there');
    await press('Put');
    await answered('Written');
    await press('Get');
    await answered('One value');
  });
});
