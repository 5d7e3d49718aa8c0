/** Twenty tabs of twenty browser profiles that come at the same moment: each is a whole peer. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { until } from '../helpers/processes.ts';
import { MixedMesh, textsAt } from './support/mixed-mesh.ts';
import type { PlainPage } from './support/plain-pages.ts';

const tabCount = 20;
/** Twenty-three peers on the cores of one machine, which may do something else beside. */
const agreeWithinMs = 200_000;
const answerWithinMs = 120_000;

const mesh = new MixedMesh();
/** Leaks, as Node.js thinks, when very many listen to one thing. */
const leaks: string[] = [];
const warned = ({ name, message }: Error): void => void (name === 'MaxListenersExceededWarning' && leaks.push(message));
beforeAll(() => {
  process.on('warning', warned);
  return mesh.start();
}, browserTimeoutMs);
afterAll(() => {
  process.off('warning', warned);
  return mesh.stop();
});

/** What the page keeps its peer as. */
declare global {
  var peer: Awaited<ReturnType<typeof globalThis.ringmesh.createPeer>>;
}

const digestOf = (tab: PlainPage): Promise<string> => tab.evaluate(() => globalThis.peer.status().ringDigest);

const put = async (index: number): Promise<boolean> => {
  const options = { w: 2, mode: 'sloppy', timeoutMs: 30_000 } as const;
  return (await globalThis.peer.bucket('notes').put(`many-${index}`, `tab ${index}`, options)).outcome === 'ok';
};

const reads = async (index: number): Promise<boolean> => {
  const { siblings } = await globalThis.peer.bucket('notes').get(`many-${index}`, { r: 2, mode: 'sloppy', timeoutMs: 30_000 });
  const texts = siblings.map(({ value }) => new TextDecoder().decode(value));
  return texts.length > 0 && texts.every((text) => text === `tab ${index}`);
};

describe('twenty tabs', { timeout: 560_000 }, () => {
  it('[RG1] [RG3] of twenty profiles that join at the same moment make one ring with three Node.js peers, and each puts and reads', async () => {
    const tabs = await Promise.all(Array.from({ length: tabCount }, () => mesh.plainPage()));
    const began = performance.now();
    await Promise.all(
      tabs.map((tab) =>
        tab.evaluate(async (options) => void (globalThis.peer = await globalThis.ringmesh.createPeer(options)), mesh.options),
      ),
    );
    await until(
      'one ring with all in it',
      async () => {
        const rings = mesh.servers.map(({ peer }) => peer.ring());
        const sizes = rings.map(({ members }) => members.length);
        if (sizes.some((size) => size < tabCount + rings.length)) throw new Error(`the servers know rings of ${sizes.join()} members`);
        const digests = new Set([...(await Promise.all(tabs.map(digestOf))), ...mesh.servers.map(({ peer }) => peer.status().ringDigest)]);
        if (digests.size > 1) throw new Error(`${digests.size} rings`);
        return true;
      },
      agreeWithinMs,
    );
    console.log(`${tabCount} tabs at once: one ring after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    // Members that starve suspect each other now and then: an operation may have to be repeated.
    await Promise.all(tabs.map((tab, index) => until(`tab ${index} has put`, () => tab.evaluate(put, index), answerWithinMs)));
    await Promise.all(
      tabs.map((tab, index) => {
        const next = (index + 1) % tabCount;
        return until(`tab ${index} has read what tab ${next} put`, () => tab.evaluate(reads, next), answerWithinMs);
      }),
    );
    await until(
      'a Node.js peer has read what a tab put',
      async () => new Set(await textsAt(mesh.first, 'many-0', 'sloppy')).has('tab 0'),
      answerWithinMs,
    );
    expect(leaks).toEqual([]);
  });
});
