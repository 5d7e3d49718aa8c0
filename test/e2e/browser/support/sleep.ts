/** Puts a tab to sleep: its process stands still without a word, as on a laptop that is closed, until it is woken. */

import type { Page } from 'playwright';

interface ProcessInfo {
  readonly type: string;
  readonly id: number;
  readonly cpuTime: number;
}

const busyMs = 500;

async function renderers(page: Page): Promise<readonly ProcessInfo[]> {
  const session = await page.context().browser()!.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    return processInfo.filter(({ type }) => type === 'renderer');
  } finally {
    await session.detach();
  }
}

/** The process that grows busy when the page does. */
async function processOf(page: Page): Promise<number> {
  const before = new Map((await renderers(page)).map(({ id, cpuTime }) => [id, cpuTime]));
  await page.evaluate((ms) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }, busyMs);
  const grown = (await renderers(page)).map(({ id, cpuTime }) => ({ id, seconds: cpuTime - (before.get(id) ?? 0) }));
  const busiest = grown.sort((a, b) => b.seconds - a.seconds)[0];
  if (busiest === undefined) throw new Error('the page has no process');
  return busiest.id;
}

/** The returned function wakes it. A test that fails half-way leaves no process standing still. */
export async function sleep(page: Page): Promise<() => void> {
  const id = await processOf(page);
  const wake = (): void => void process.kill(id, 'SIGCONT');
  process.kill(id, 'SIGSTOP');
  process.once('exit', wake);
  return () => {
    process.off('exit', wake);
    wake();
  };
}
