/** The page as a person uses it: opened in a window of some size, found by roles and texts, looked at by axe, and watched for jumps of the layout. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Locator, Page } from 'playwright';
import { expect } from 'vitest';
import { projectFolder } from '../../helpers/processes.ts';

const shots = join(projectFolder, 'test-results/page');

/** What scripts of opened pages have thrown. */
export const pageErrors: string[] = [];

interface Look {
  readonly path?: string;
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
}

/** A window of its own; close its context. */
export async function openPage(browser: Browser, url: string, look: Look = {}): Promise<Page> {
  const { path = '/', width = 1280, height = 860, scheme = 'light' } = look;
  // Axe wants a context of its own.
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => pageErrors.push(error.message));
  await page.addInitScript(watchLayout);
  await page.goto(`${url}${path}`);
  return page;
}

interface Shift extends PerformanceEntry {
  readonly value: number;
  readonly hadRecentInput: boolean;
}

declare global {
  // The sum of all layout shifts that no input has led to.
  var layoutShift: number;
}

/** Runs in the page. */
function watchLayout(): void {
  globalThis.layoutShift = 0;
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries() as Shift[]) if (!hadRecentInput) globalThis.layoutShift += value;
  }).observe({ type: 'layout-shift', buffered: true });
}

export const layoutShiftOf = (page: Page): Promise<number> => page.evaluate(() => globalThis.layoutShift);

export const press = (page: Page, name: string | RegExp): Promise<void> => page.getByRole('button', { name, exact: true }).click();
export const seen = (page: Page, text: string | RegExp): Promise<void> => page.getByText(text).first().waitFor();
export const part = (page: Page, name: string | RegExp): Locator => page.getByRole('region', { name });
export const answer = (page: Page): Locator => page.getByRole('status', { name: 'Answer' });
export const answered = (page: Page, title: string | RegExp): Promise<void> => answer(page).getByRole('heading', { name: title }).waitFor();
export const inRing = (page: Page, name: string | RegExp): Locator =>
  page.getByRole('group', { name: 'The ring and its peers' }).getByRole('button', { name });

export async function turnTo(page: Page, name: string): Promise<void> {
  const tab = page.getByRole('tab', { name });
  await tab.click();
  await tab.and(page.locator('[aria-selected="true"]')).waitFor();
}

export async function shoot(page: Page, name: string): Promise<void> {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

interface AxeLook {
  /** A part of the page; default: all of it. */
  readonly where?: string;
  /** Contrast is what takes axe longest, and does not depend on the size of the window. */
  readonly colours?: boolean;
}

/** Axe finds nothing serious, or worse. */
export async function expectAccessible(page: Page, { where, colours = true }: AxeLook = {}): Promise<void> {
  // The page has no frames, for which axe would open a window of its own, and only violations are asked for.
  const builder = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ['violations'], preload: false });
  if (!colours) builder.disableRules('color-contrast');
  const { violations } = await (where === undefined ? builder : builder.include(where)).analyze();
  const problems = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`));
  expect(problems).toEqual([]);
}
