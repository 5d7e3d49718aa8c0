/** A tab's life in a mesh: it freezes, loses its storage, works alone, and is one of many. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { eventually, expectOk, MixedMesh, patienceMs, put, type Tab, texts, textsAt } from './support/mixed-mesh.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

const stateOf = (id: string): string | undefined => mesh.first.members().find((member) => member.peer === id)?.state;

/** Fires the event that the browser gives a page before it stops running it, or after. */
const fire = (tab: Tab, type: 'freeze' | 'resume'): Promise<unknown> =>
  tab.page.evaluate((name) => document.dispatchEvent(new Event(name)), type);

describe('a tab', { timeout: patienceMs }, () => {
  it('[MB3] that freezes announces a pause, keeps its place on the ring, and comes back', async () => {
    const profile = await mesh.profile();
    const tab = await mesh.tab(profile);
    await mesh.agree([tab]);
    const digest = mesh.first.status().ringDigest;
    await fire(tab, 'freeze');
    await eventually('the others know that it paused', () => stateOf(tab.id) === 'dead');
    expect(mesh.first.status().ringDigest).toBe(digest);
    await fire(tab, 'resume');
    await eventually('the others see it again', () => stateOf(tab.id) === 'alive');
    expectOk(await put(tab, 'after the pause', 'written'));
    expect(await textsAt(mesh.first, 'after the pause')).toEqual(['written']);
    await profile.close();
  });

  it('[QR8] that is alone takes writes of mode any, and delivers them when the mesh is back', async () => {
    const profile = await mesh.profile();
    const tab = await mesh.tab(profile);
    await mesh.agree([tab]);
    await Promise.all(mesh.servers.map((server) => server.stop()));
    await eventually('it is alone', () =>
      tab.peer.evaluate((peer) => peer.members().every((member) => member.self || member.state !== 'alive')),
    );
    const receipt = await put(tab, 'alone', 'kept here', { mode: 'any' });
    expect(receipt).toMatchObject({ outcome: 'ok' });
    await Promise.all(mesh.servers.map((server) => mesh.restart(server)));
    await eventually('a server has it', async () => (await textsAt(mesh.first, 'alone').catch(() => [])).join() === 'kept here');
    await profile.close();
  });

  it('[ST4] [VR3] whose IndexedDB is wiped says so, begins with another actor, and gets back what it lost', async () => {
    const profile = await mesh.profile();
    const tab = await mesh.tab(profile);
    await mesh.agree([tab]);
    const { actor } = await tab.peer.evaluate((peer) => peer.status());
    for (let i = 0; i < 10; i++) expectOk(await put(tab, `wiped-${i}`, 'before'));
    await tab.peer.evaluate((peer) => peer.close());
    // The records are gone, the identity is not.
    await tab.page.evaluate(async (name) => {
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = resolve;
        request.onerror = reject;
      });
    }, `ringmesh/${mesh.cluster}/default`);
    const again = await mesh.tabIn(tab.page);
    expect(again.id).toBe(tab.id);
    await mesh.agree([again]);
    const status = await again.peer.evaluate((peer) => peer.status());
    expect(status.actor).not.toBe(actor);
    expect(status.warnings).toContainEqual(expect.stringContaining('the browser deleted what this peer had stored'));
    for (let i = 0; i < 10; i++) expect(await texts(again, `wiped-${i}`)).toEqual(['before']);
    const { context } = await again.peer.evaluate((peer) => peer.bucket('notes').get('wiped-0'));
    expectOk(await put(again, 'wiped-0', 'after', { context }));
    expect(await textsAt(mesh.first, 'wiped-0')).toEqual(['after']);
    await profile.close();
  });
});

describe('many tabs', { timeout: 280_000 }, () => {
  it('[RG3] [RG5] twenty of one profile, which all are closed: nothing that was acknowledged is lost', async () => {
    const profile = await mesh.profile();
    const tabs: Tab[] = [];
    for (let i = 0; i < 20; i++) tabs.push(await mesh.tab(profile));
    expect(new Set(tabs.map(({ id }) => id)).size).toBe(1);
    await Promise.all(tabs.map(async (tab, index) => expectOk(await put(tab, `many-${index}`, `tab ${index}`))));
    await profile.close();
    for (let i = 0; i < 20; i++) expect(await textsAt(mesh.first, `many-${i}`, 'sloppy')).toEqual([`tab ${i}`]);
  });
});
