/** [IN] Clients write through three Node.js peers and four tabs while the tabs are reloaded and closed; then the history of what they saw is judged. */

import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, type HistoryRow } from 'ringmesh/sim';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { HistoryClient, type Place, serverPlace, tabPlace } from './support/history.ts';
import { eventually, MixedMesh, type Tab } from './support/mixed-mesh.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

const tabCount = 4;
const clientCount = 5;
/** It goes on until enough has happened, on a slow machine at most for so long. */
const runMaxMs = 75_000;
const enough = { disturbances: 5, acknowledged: 200 } as const;
const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
const any = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!;

it('[IN] tabs that close and reload lose, resurrect and make up nothing', { timeout: 240_000 }, async () => {
  const profiles = await Promise.all(Array.from({ length: tabCount }, () => mesh.profile()));
  const tabs: Tab[] = await Promise.all(profiles.map((profile) => mesh.tab(profile)));
  await mesh.agree(tabs);
  const servers = mesh.servers.map((server): [string, Place] => [server.peer.id, serverPlace(() => server.peer)]);
  const pages = tabs.map((tab, index): [string, Place] => [tab.id, tabPlace(() => tabs[index]!)]);
  const places = new Map([...servers, ...pages]);
  const rows: HistoryRow[] = [];
  const end = performance.now() + runMaxMs;
  const counts = { reloads: 0, closes: 0 };
  const acknowledged = (): number => rows.filter((row) => row.op !== 'root' && row.status === 'ok').length;
  const goesOn = (): boolean =>
    performance.now() < end && (counts.reloads + counts.closes < enough.disturbances || acknowledged() < enough.acknowledged);

  const disturb = async (): Promise<void> => {
    while (goesOn()) {
      await sleep(300 + Math.random() * 700);
      const index = Math.floor(Math.random() * tabCount);
      const { page } = tabs[index]!;
      if (Math.random() < 0.5) {
        counts.reloads++;
        await page.reload();
        tabs[index] = await mesh.tabIn(page);
      } else {
        counts.closes++;
        await page.close();
        tabs[index] = await mesh.tab(profiles[index]!);
      }
    }
  };
  const write = async (name: string): Promise<void> => {
    const client = new HistoryClient(name, rows);
    while (goesOn()) await client.act(any([...places.values()]), any(keys), Math.random());
  };
  await Promise.all([disturb(), ...Array.from({ length: clientCount }, (_, index) => write(`client-${index + 1}`))]);

  await mesh.agree(tabs);
  const primaries = new Map(keys.map((key) => [key, mesh.first.placement('history', key)]));
  const held = async (key: string): Promise<[string, Awaited<ReturnType<Place['local']>>][]> =>
    Promise.all((primaries.get(key)?.primaries ?? []).map(async (id) => [id, await places.get(id)!.local(key)]));
  await eventually('all replicas are equal', async () => {
    await Promise.all([...places.values()].map((place) => place.repair().catch(() => undefined)));
    for (const key of keys) {
      const copies = (await held(key)).map(([, { values }]) =>
        values
          .map(({ id }) => id)
          .toSorted()
          .join(),
      );
      if (new Set(copies).size > 1) throw new Error(`${key}: ${copies.join(' / ')}`);
    }
    return true;
  });
  for (const key of keys) {
    for (const [node, { values }] of await held(key)) {
      const dots = Object.fromEntries(values.map(({ id, dot }) => [id, dot]));
      const now = performance.now();
      const final = { process: 'final', op: 'get', key, valueId: null, seen: [], invoke: now, complete: now, status: 'ok' } as const;
      rows.push({ ...final, returned: values.map(({ id }) => id), dots, node, phase: 'final' });
    }
    const { partition = 0, primaries: owners = [] } = primaries.get(key) ?? {};
    for (const node of owners)
      rows.push({ op: 'root', key: `${partition}`, node, digest: await places.get(node)!.root(partition), phase: 'final' });
  }
  console.info(`${rows.length} rows, ${acknowledged()} of them acknowledged, ${counts.reloads} reloads, ${counts.closes} closed tabs`);
  expect(counts.reloads + counts.closes).toBeGreaterThanOrEqual(enough.disturbances);
  expect(acknowledged()).toBeGreaterThanOrEqual(enough.acknowledged);
  expect(checkHistory(rows)).toEqual([]);
});
