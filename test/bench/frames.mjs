/**
 * Whether the page keeps up 60 frames a second with a hundred peers: `node test/bench/frames.mjs [peers]`. A simulated mesh of that many runs in the page, with requests all the time;
 * the second round kills peers, the third points at them, too, and lets one join. Told for each frame is the processor time of the page's main thread: script, style, layout, and
 * the rest (painting, events), which must stay below 8 of the 16.7 ms that a frame has. Frames that are dropped all the same are those for which the machine had no time: where there
 * is no graphics card the browser draws with the processor, in other threads, whose time is told apart ("all" is the browser as a whole, with the simulation).
 */

import { servePage } from './fixtures/served-page.mjs';

const peers = Number(process.argv[2] ?? 100);
const roundMs = 8000;
const frameMaxMs = 8;
const frameMs = 1000 / 60;

const { url, browser, close } = await servePage();
const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
await page.goto(`${url}/#sim?seed=3&peers=${peers}`);
await page.getByText(`${peers} alive`).waitFor();
await page.getByRole('tab', { name: 'Time' }).click();
const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
const whole = await browser.newBrowserCDPSession();

const metrics = async () =>
  Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value * 1000]));

/** Processor time of all of the browser's processes, in milliseconds. */
const browserMs = async () =>
  (await whole.send('SystemInfo.getProcessInfo')).processInfo.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);

/** Times between frames, in milliseconds. */
const watchFrames = () =>
  page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const begin = performance.now();
        const gaps = [];
        let last = begin;
        const frame = (now) => {
          gaps.push(now - last);
          last = now;
          if (now - begin < ms) requestAnimationFrame(frame);
          else resolve(gaps.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    roundMs,
  );

async function round(name, meanwhile = async () => {}) {
  const [before, browserBefore] = [await metrics(), await browserMs()];
  let over = false;
  const gapsSoon = watchFrames().finally(() => (over = true));
  while (!over) {
    await meanwhile();
    await page.waitForTimeout(250);
  }
  const gaps = (await gapsSoon).toSorted((a, b) => a - b);
  const [after, browserAfter] = [await metrics(), await browserMs()];
  const each = (metric) => (after[metric] - before[metric]) / gaps.length;
  const at = (part) => gaps[Math.floor((gaps.length - 1) * part)].toFixed(1);
  const [task, script, style, layout] = ['Task', 'Script', 'RecalcStyle', 'Layout'].map((part) => each(`${part}Duration`));
  const dropped = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / frameMs) - 1), 0);
  console.log(
    `${name}: ${gaps.length} frames in ${roundMs / 1000} s, ${dropped} dropped; ${at(0.5)} ms apart (95 %: ${at(0.95)}, 99 %: ${at(0.99)})`,
  );
  const parts = { script, style, layout, rest: task - script - style - layout };
  const told = Object.entries(parts).map(([part, ms]) => `${part} ${ms.toFixed(2)}`);
  console.log(
    `  main thread ${task.toFixed(2)} ms a frame (${told.join(', ')}), limit ${frameMaxMs}; all ${((browserAfter - browserBefore) / gaps.length).toFixed(1)} ms`,
  );
  if (task > frameMaxMs) process.exitCode = 1;
}

const slide = (name, value) => page.getByRole('slider', { name }).fill(`${value}`);
await slide(/requests/i, 20);
await round(`${peers} peers, 20 requests a second`);
await slide(/crashes/i, 20);
await round('the same, with kills');
const seats = page.getByRole('group', { name: 'The ring and its peers' }).getByRole('button');
await page.getByRole('tab', { name: 'Break things' }).click();
await page.getByRole('button', { name: 'Add a peer' }).click();
let next = 0;
await round('the same, pointing at peers while one joins', async () => {
  await seats
    .nth((next += 7) % peers)
    .hover({ force: true, timeout: 1000 })
    .catch(() => {});
});
await close();
