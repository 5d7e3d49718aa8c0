/** Watches in tabs of a real Chromium: in the tab that runs the peer, in one that shares it, in one that stores nothing; after a takeover, and after a sleep. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { eventually, expectOk, MixedMesh, patienceMs, put, type Tab } from './support/mixed-mesh.ts';
import { sleep } from './support/sleep.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

type TellingPage = typeof globalThis & { told: string[] };

/** Begins to watch a prefix in a tab; what is told gathers there. */
async function watch(tab: Tab, prefix: string): Promise<void> {
  await tab.peer.evaluate(async (peer, begin) => {
    const told: string[] = ((globalThis as TellingPage).told = []);
    const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
    const changes = peer.bucket('notes').watch({ prefix: begin });
    const follow = async (): Promise<void> => {
      for await (const event of changes) told.push(event.type === 'change' ? `${text(event.key)}=${text(event.value)}` : event.type);
    };
    follow().catch((error: unknown) => told.push(String(error)));
    await changes.ready;
  }, prefix);
}

const told = (tab: Tab): Promise<string[]> => tab.page.evaluate(() => (globalThis as TellingPage).told);

const tellsAll = (tab: Tab, lines: readonly string[]): Promise<unknown> =>
  eventually('all is told', async () => {
    const seen = await told(tab);
    if (lines.every((line) => seen.includes(line))) return true;
    throw new Error(seen.join());
  });

async function putAtServer(key: string, value: string): Promise<void> {
  expectOk(await mesh.first.bucket('notes').put(key, value, { mode: 'strict', w: 2 }));
}

describe('a watch in a tab', { timeout: patienceMs }, () => {
  it('[WA1] tells each version once, in the tab that runs the peer, in its guests, and in one that stores nothing', async () => {
    const [shared, other] = [await mesh.profile(), await mesh.profile()];
    const runner = await mesh.tab(shared);
    const guest = await mesh.tab(shared);
    const idle = await mesh.tab(other, { weight: 0, memory: true });
    await mesh.own([runner]);
    await mesh.agree([idle]);
    for (const tab of [runner, guest, idle]) await watch(tab, 'w/');
    await putAtServer('w/1', 'by a server');
    expectOk(await put(guest, 'w/2', 'by a guest'));
    expectOk(await put(idle, 'w/3', 'by the idle one'));
    await putAtServer('elsewhere', 'unheard');
    const { context } = await mesh.first.bucket('notes').get('w/1');
    expectOk(await put(runner, 'w/1', 'again', { context }));
    const lines = ['w/1=by a server', 'w/2=by a guest', 'w/3=by the idle one', 'w/1=again'];
    for (const tab of [runner, guest, idle]) await tellsAll(tab, lines);
    // What the last replica says of it comes a little later, and must be no news.
    await putAtServer('w/end', '.');
    for (const tab of [runner, guest, idle]) {
      await tellsAll(tab, ['w/end=.']);
      expect((await told(tab)).sort()).toEqual([...lines, 'ready', 'w/end=.'].sort());
    }
    await Promise.all([shared.close(), other.close()]);
  });

  it('[WA2] says resync when another tab takes the peer over, and goes on', async () => {
    const profile = await mesh.profile();
    const runner = await mesh.tab(profile);
    const guest = await mesh.tab(profile);
    await mesh.own([runner]);
    await watch(guest, 't/');
    await putAtServer('t/1', 'before');
    await tellsAll(guest, ['t/1=before']);
    await runner.page.close();
    await tellsAll(guest, ['resync']);
    await eventually('it is ready again', async () => (await told(guest)).at(-1) === 'ready');
    await putAtServer('t/2', 'after');
    await tellsAll(guest, ['t/2=after']);
    const all = await told(guest);
    expect(all.slice(0, 4)).toEqual(['ready', 't/1=before', 'resync', 'ready']);
    expect(all.filter((line) => ['resync', 't/2=after'].includes(line))).toEqual(['resync', 't/2=after']);
    await profile.close();
  });

  it('[WA2] [MB3] has no gap after a sleep', async () => {
    const profile = await mesh.profile();
    const tab = await mesh.tab(profile);
    await mesh.own([tab]);
    await watch(tab, 's/');
    await putAtServer('s/before', '1');
    await tellsAll(tab, ['s/before=1']);
    const wake = await sleep(tab.page);
    await eventually('the others take it for dead', () => mesh.first.members().find(({ peer }) => peer === tab.id)?.state === 'dead');
    for (let i = 0; i < 20; i++) await putAtServer(`s/${i}`, 'while it slept');
    wake();
    await tellsAll(
      tab,
      Array.from({ length: 20 }, (_, i) => `s/${i}=while it slept`),
    );
    await putAtServer('s/after', '2');
    await tellsAll(tab, ['s/after=2']);
    const all = await told(tab);
    expect(all).toHaveLength(new Set(all).size);
    expect(all).not.toContain('resync');
    await profile.close();
  });
});
