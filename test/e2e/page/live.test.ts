/**
 * The page of `ringmesh demo`, driven as a person would: the tab as a peer, the guided tour with real processes, breaking them one by one, a conflict from two tabs, and the
 * board of notes. Screenshots of it are kept in test-results/page.
 */

import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright';
import type { MemberView } from 'ringmesh';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs, launchBrowser } from '../helpers/browser.ts';
import { freePort, startDemo, supervise } from '../helpers/demo.ts';
import { http, jsonOf } from '../helpers/mesh.ts';
import { temporaryFolder, until, type Running } from '../helpers/processes.ts';
import {
  answer,
  answered,
  expectAccessible,
  inRing,
  layoutShiftOf,
  openPage,
  pageErrors,
  part,
  press,
  seen,
  shoot,
  turnTo,
} from './support/page.ts';
import { tellAllStories } from './support/tour.ts';

const peers = 4;

let browser: Browser;
let folder: { path: string; remove: () => Promise<void> };
let demo: Running;
let url = '';

beforeAll(async () => {
  folder = await temporaryFolder();
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

/** What a failed test leaves open would be a peer in the next one. */
afterEach(async () => void (await Promise.all(browser.contexts().map((context) => context.close()))));

const open = (path = '/'): Promise<Page> => openPage(browser, url, { path });

async function type(page: Page, key: string, value: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Key' }).fill(key);
  await page.getByRole('textbox', { name: 'Value' }).fill(value);
}

describe('the page of the demo', { timeout: 240_000 }, () => {
  it('[RG4] makes its tab a peer, whose weight can be set, and shows how each peer is reached', async () => {
    const page = await open();
    const own = part(page, 'This tab');
    await own.getByText(/is a peer, connected with 4 others/).waitFor();
    await page.getByText(`${peers + 1} alive`).waitFor();
    await inRing(page, /^peer-2/).hover();
    const tip = page.getByRole('tooltip');
    for (const fact of [/^server: /, /^\d+ keys?, /, /^\d+ writes? kept/, /^directly over TCP, [\d.]+ ms/, /^directly over Web/])
      await tip.getByText(fact).waitFor();
    // What a tab keeps is asked over the mesh.
    await inRing(page, /^this tab/).hover();
    await tip.getByText('0 keys, 0 B').waitFor();
    await own.getByRole('slider', { name: /Its weight/ }).fill('20');
    await own.getByRole('button', { name: 'Take this weight' }).click();
    await part(page, 'Peers')
      .getByRole('button', { name: /^this tab/ })
      .click();
    await part(page, 'Peers').getByText('20 places on the ring').waitFor();
    await own.getByRole('slider', { name: /Its weight/ }).fill('0');
    await own.getByRole('button', { name: 'Take this weight' }).click();
    await part(page, 'Peers').getByText('0 places on the ring', { exact: true }).waitFor();
    await own.getByRole('button', { name: 'Leave' }).click();
    await seen(page, `${peers} alive, 1 dead`);
    expect(await layoutShiftOf(page)).toBeLessThan(0.05);
    await page.context().close();
  });

  it('[VR1] shows a conflict of two tabs side by side in both, and settles it', async () => {
    const [ada, grace] = await Promise.all([open(), open()]);
    for (const page of [ada, grace]) {
      await seen(page, /is a peer, connected with/);
      await type(page, 'contested', 'nothing yet');
      // On a busy machine the owners may be out of reach for a moment.
      await until('it is known that there is nothing', async () => {
        await press(page, 'Get');
        await answered(page, /./);
        return answer(page).getByRole('heading', { name: 'No value' }).isVisible();
      });
    }
    await type(ada, 'contested', 'tea');
    await type(grace, 'contested', 'coffee');
    // Each has seen the same, and not the other one's write.
    for (const page of [ada, grace]) await press(page, 'Put');
    for (const page of [ada, grace]) {
      await answered(page, 'Written');
      await turnTo(page, 'Key X-ray');
      await seen(page, 'they hold the same: 2 values side by side');
      const values = part(page, 'Settle the conflict').getByRole('article');
      // A busy machine may need a second try.
      await until('it is read', async () => {
        await press(page, 'Read it with a quorum');
        return values.filter({ hasText: 'tea' }).isVisible();
      });
      await values.filter({ hasText: 'coffee' }).waitFor();
    }
    await part(ada, 'Settle the conflict')
      .getByRole('article')
      .filter({ hasText: 'coffee' })
      .getByRole('button', { name: 'Keep this one' })
      .click();
    await seen(grace, 'owners can be looked at, and they hold the same.');
    await turnTo(grace, 'Write and read');
    await press(grace, 'Get');
    await answered(grace, 'One value');
    await answer(grace).getByText('coffee').waitFor();
    await Promise.all([ada.context().close(), grace.context().close()]);
  });

  it('tells its six stories with real processes', async () => {
    const page = await open();
    await seen(page, /is a peer, connected with/);
    await tellAllStories(page);
    await shoot(page, 'live-light-1280');
    await page.context().close();
  });

  it('lets a process stand still and go on, and removes the one that was added', async () => {
    const page = await open();
    await turnTo(page, 'Break things');
    const chosen = page.getByRole('combobox', { name: 'Which' });
    await chosen.selectOption('peer-2');
    await press(page, 'Pause');
    await inRing(page, /^peer-2: standing still/).waitFor();
    await seen(page, /peer-2 stands still/);
    await press(page, 'Resume');
    await inRing(page, /^peer-2: alive/).waitFor();
    await chosen.selectOption(`peer-${peers + 1}`);
    await press(page, 'Remove');
    await inRing(page, new RegExp(`^peer-${peers + 1}`)).waitFor({ state: 'detached' });
    await page.context().close();
  });

  it('lets nobody break anything without the token', async () => {
    const { url: supervisor } = jsonOf<{ url: string; token: string }>(await http(url, 'GET', '/v1/demo'));
    const refused = await http(supervisor, 'POST', '/v1/demo/peers/peer-1/kill', { headers: { Authorization: 'Bearer nonsense' } });
    expect(refused.status).toBe(403);
    const strange = await http(supervisor, 'GET', '/v1/demo', { headers: { Origin: 'http://evil.example' } });
    expect(strange.status).toBe(403);
  });

  it('[HH1] [VR1] keeps a board of notes with pictures, offline too, and shows its conflicts', async () => {
    const ada = await open('/board.html');
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
    const grace = await open('/board.html');
    await grace.getByRole('article').getByRole('img').waitFor();
    await change(grace, 'Buy two bottles of milk');
    await supervise(url, '/heal');
    const conflict = grace.getByRole('article', { name: 'Note with a conflict' });
    await conflict.waitFor();
    await shoot(grace, 'board-conflict');
    await expectAccessible(grace);
    await conflict.getByRole('button', { name: 'Keep this one' }).first().click();
    await ada.getByRole('article', { name: 'Note', exact: true }).waitFor();
    // What she is typing stays while a note of somebody else comes in.
    await noteOf(ada).fill('Buy half a');
    await grace.getByLabel('A new note').fill('Water the plants');
    await press(grace, 'Pin it');
    await ada.getByRole('article').nth(1).waitFor();
    expect(await ada.locator(':focus').inputValue()).toBe('Buy half a');
    await Promise.all([ada.context().close(), grace.context().close()]);
    expect(pageErrors).toEqual([]);
  });
});
