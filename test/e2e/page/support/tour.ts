/** The guided tour, told to its end: each step by its button, and on when what the page should show is there. */

import type { Page } from 'playwright';
import { expect } from 'vitest';
import { until } from '../../helpers/processes.ts';
import { answer, answered, part, press, seen, turnTo } from './page.ts';

const story = (page: Page, title: string): Promise<void> => page.getByRole('heading', { name: title }).waitFor();

export async function tellAllStories(page: Page): Promise<void> {
  await press(page, 'Take the tour');
  await writeAndRead(page);
  await die(page);
  await disagree(page);
  await comeBack(page);
  await join(page);
  await goOffline(page);
}

async function writeAndRead(page: Page): Promise<void> {
  await story(page, 'Story 1 of 6: Write and read with a quorum');
  await press(page, 'Write “tea”');
  await answered(page, 'Written');
  await press(page, 'Read it');
  await answered(page, 'One value');
  await page.getByRole('list', { name: 'The race for the quorum' }).getByText('made the quorum').waitFor();
  await press(page, 'Next story');
}

async function die(page: Page): Promise<void> {
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
}

async function disagree(page: Page): Promise<void> {
  await story(page, 'Story 3 of 6: Conflict');
  await press(page, 'Let Ada and Grace write');
  await answered(page, 'Conflict: 2 values');
  await press(page, 'Keep one of them');
  await answered(page, 'Written');
  await press(page, 'Next story');
}

async function comeBack(page: Page): Promise<void> {
  await story(page, 'Story 4 of 6: It comes back');
  await press(page, /^Start peer-\d+ again$/);
  await seen(page, 'The hints have drained');
  await part(page, 'Hints')
    .getByText(/all \d+ handed over/)
    .first()
    .waitFor();
  await press(page, 'Show the X-ray');
  await seen(page, '3 of 3 owners can be looked at, and they hold the same.');
  await press(page, 'Next story');
}

async function join(page: Page): Promise<void> {
  await story(page, 'Story 5 of 6: A peer joins');
  await part(page, /^Story/)
    .getByRole('button', { name: 'Add a peer' })
    .click();
  await seen(page, 'Few keys got another owner');
  await expectFewMoves(page);
  await turnTo(page, 'Repair');
  await part(page, 'Transfers')
    .getByText(/peer-\d+ has \d+ keys?, /)
    .waitFor();
  await part(page, 'Transfers')
    .getByText(/^([\d,]+) of \1 partitions$/)
    .waitFor();
  await press(page, 'Next story');
}

/** Where the owner is `hash mod n`, most keys move when n changes; on the ring a share of them. */
export async function expectFewMoves(page: Page): Promise<void> {
  const moves = part(page, 'How many keys move').getByText(/^[\d,]+ move$/);
  await moves.nth(1).waitFor();
  const [onRing = 0, modulo = 0] = (await moves.allTextContents()).map((text) => Number(text.replace(/\D/g, '')));
  expect(onRing).toBeGreaterThan(0);
  expect(onRing).toBeLessThan(modulo / 2);
}

async function goOffline(page: Page): Promise<void> {
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
    return answer(page).getByText('written while offline').isVisible();
  });
  await press(page, 'Read it');
  await press(page, 'Finish');
}
