/** Two tabs of two profiles edit one note at the same time. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { eventually, expectOk, MixedMesh, patienceMs, put, type Tab, texts, textsAt } from './support/mixed-mesh.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

const contextAt = (tab: Tab, key: string): Promise<string> =>
  tab.peer.evaluate(async (peer, name) => (await peer.bucket('notes').get(name, { mode: 'strict', r: 2 })).context, key);

describe('concurrent edits from two tabs', { timeout: patienceMs }, () => {
  it('[VR1] are siblings in both, and settled in one for both', async () => {
    const profiles = [await mesh.profile(), await mesh.profile()] as const;
    const [one, two] = await Promise.all([mesh.tab(profiles[0]), mesh.tab(profiles[1])]);
    await mesh.own([one, two]);
    expectOk(await put(one, 'note', 'first draft'));
    const seen = await Promise.all([one, two].map((tab) => contextAt(tab, 'note')));
    const edits = await Promise.all([one, two].map((tab, i) => put(tab, 'note', `edit ${i}`, { context: seen[i] ?? '' })));
    for (const edit of edits) expectOk(edit);
    for (const tab of [one, two]) expect(await texts(tab, 'note')).toEqual(['edit 0', 'edit 1']);
    expectOk(await put(two, 'note', 'both edits', { context: await contextAt(two, 'note') }));
    for (const tab of [one, two]) expect(await texts(tab, 'note')).toEqual(['both edits']);
    await eventually('every server says the same', async () => {
      const found = await Promise.all(mesh.servers.map(({ peer }) => textsAt(peer, 'note')));
      return found.every((values) => values.join() === 'both edits');
    });
    await Promise.all(profiles.map((profile) => profile.close()));
  });
});
