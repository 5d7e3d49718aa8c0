/** How tabs reach each other: by WebRTC, through a Node.js peer where that cannot be, and again after a relay was away. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserTimeoutMs } from '../helpers/browser.ts';
import { eventually, expectOk, MixedMesh, pathTo, patienceMs, put, type Tab, texts, textsAt } from './support/mixed-mesh.ts';

const mesh = new MixedMesh();
beforeAll(() => mesh.start(), browserTimeoutMs);
afterAll(() => mesh.stop());

/** For a page's first script: counts the WebRTC connections that are begun. */
function countCalls(): void {
  const Native = globalThis.RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Native {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      Object.assign(globalThis, { calls: ((globalThis as { calls?: number }).calls ?? 0) + 1 });
    }
  };
}

const calls = ({ page }: Tab): Promise<number> => page.evaluate(() => (globalThis as { calls?: number }).calls ?? 0);

/** Two tabs of two browser profiles, in which scripts have run first. */
async function twoTabs(...scripts: (() => void)[]): Promise<{ one: Tab; two: Tab; close: () => Promise<unknown> }> {
  const profiles = [await mesh.profile(), await mesh.profile()] as const;
  for (const profile of profiles) for (const script of scripts) await profile.addInitScript(script);
  const [one, two] = await Promise.all([mesh.tab(profiles[0]), mesh.tab(profiles[1])]);
  await mesh.agree([one, two]);
  return { one, two, close: () => Promise.all(profiles.map((profile) => profile.close())) };
}

const reach = (one: Tab, two: Tab, transport: string): Promise<unknown> =>
  eventually(`${transport} in both directions`, async () => {
    const paths = [await pathTo(one, two.id), await pathTo(two, one.id)];
    if (paths.every((path) => path === transport)) return true;
    throw new Error(paths.join());
  });

const relayOf = (tab: Tab, to: string): Promise<string | undefined> =>
  tab.peer.evaluate((peer, id) => peer.connections().find((connection) => connection.peer === id)?.relay, to);

const reservations = (tab: Tab): Promise<number> =>
  tab.peer.evaluate((peer) => new Set(peer.status().addresses.map((address) => address.split('/p2p-circuit')[0]?.split('/p2p/')[1])).size);

describe('tabs', { timeout: patienceMs }, () => {
  it('go on among themselves while all Node.js peers are down, and bring what they took back to them', async () => {
    const { one, two, close } = await twoTabs();
    await mesh.own([one, two]);
    await reach(one, two, 'webrtc');
    for (const server of mesh.servers) await server.stop();
    await eventually('both tabs see that the servers are gone', async () => {
      const views = await Promise.all([one, two].map(({ peer }) => peer.evaluate((it) => it.members())));
      const alive = views.map((members) => members.filter(({ state }) => state === 'alive').map((member) => member.peer));
      if (alive.every((peers) => peers.length === 2 && peers.includes(one.id) && peers.includes(two.id))) return true;
      throw new Error(views.map((members) => members.map(({ peer, state }) => `${peer.slice(-5)} ${state}`).join()).join(' | '));
    });
    const receipt = await put(one, 'without servers', 'kept by two tabs', { mode: 'sloppy' });
    expect(receipt).toMatchObject({ outcome: 'ok', sloppy: true });
    expect(await texts(two, 'without servers', 'sloppy')).toEqual(['kept by two tabs']);
    for (const server of mesh.servers) await mesh.restart(server);
    await eventually('the servers have it', async () => {
      const found = await Promise.all(mesh.servers.map(({ peer }) => textsAt(peer, 'without servers').catch(() => [])));
      return found.every((values) => values.join() === 'kept by two tabs');
    });
    await close();
  });

  it('reach each other by WebRTC, and Node.js peers by WebSocket', async () => {
    const { one, two, close } = await twoTabs();
    await reach(one, two, 'webrtc');
    expect(await pathTo(one, mesh.first.id)).toBe('websocket');
    expectOk(await put(one, 'by way of', 'one'));
    expect(await texts(two, 'by way of')).toEqual(['one']);
    const views = await one.peer.evaluate((peer) => peer.connections());
    expect(views).toContainEqual({
      peer: two.id,
      transport: 'webrtc',
      relay: undefined,
      direction: expect.stringMatching(/bound$/) as string,
      roundTripMs: expect.any(Number) as number,
    });
    await close();
  });

  it('reach each other by the first call for WebRTC, however busy the one is that calls', async () => {
    const { one, two, close } = await twoTabs(countCalls, () => {
      // What a page that does much else comes to do late: here after the other side has begun to use the connection.
      const Native = globalThis.RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Native {
        override async addIceCandidate(candidate?: RTCIceCandidateInit | null): Promise<void> {
          await super.addIceCandidate(candidate);
          await new Promise((resolve) => setTimeout(resolve, 1000));
        }
      };
    });
    await reach(one, two, 'webrtc');
    expect(await Promise.all([calls(one), calls(two)])).toEqual([1, 1]);
    expectOk(await put(one, 'in the end', 'one'));
    expect(await texts(two, 'in the end')).toEqual(['one']);
    await close();
  });

  it('without WebRTC reach each other through a Node.js peer, through another one when that stops, and are reserved with it again when it is back', async () => {
    const { one, two, close } = await twoTabs(() => Reflect.deleteProperty(globalThis, 'RTCPeerConnection'));
    await reach(one, two, 'relayed');
    await eventually('two reservations', async () => (await reservations(one)) === 2);
    const relay = await relayOf(one, two.id);
    const stopped = mesh.servers.find((server) => server.peer.id === relay)!;
    await stopped.stop();
    await eventually('another relay', async () => {
      const now = [await relayOf(one, two.id), await relayOf(two, one.id)];
      return now.every((id) => id !== undefined && id !== relay);
    });
    const others = mesh.servers.filter((server) => server !== stopped);
    for (const server of others.slice(0, 1)) await server.stop();
    await eventually('one reservation is left', async () => (await reservations(one)) === 1);
    for (const server of [stopped, ...others.slice(0, 1)]) await mesh.restart(server);
    await eventually('two reservations again', async () => (await reservations(one)) === 2);
    await eventually('a strict write through the mesh that is whole again', async () => (await put(one, 'healed', 'yes')).outcome === 'ok');
    expect(await texts(two, 'healed')).toEqual(['yes']);
    await close();
  });

  it('whose networks let no WebRTC through stay on the relayed path, and lose nothing by trying', async () => {
    const { one, two, close } = await twoTabs(countCalls, () => {
      // Only candidates of a TURN server, of which there is none: what a browser behind a strict firewall is left with.
      const Native = globalThis.RTCPeerConnection;
      globalThis.RTCPeerConnection = class extends Native {
        constructor(configuration?: RTCConfiguration) {
          super({ ...configuration, iceTransportPolicy: 'relay' });
        }
      };
    });
    await reach(one, two, 'relayed');
    await eventually('they have tried', async () => (await calls(one)) > 0 && (await calls(two)) > 0);
    for (let i = 0; i < 20; i++) {
      expectOk(await put(one, `blocked-${i}`, 'one'));
      expect(await texts(two, `blocked-${i}`)).toEqual(['one']);
    }
    await reach(one, two, 'relayed');
    await close();
  });
});
