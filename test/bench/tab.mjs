/**
 * How long a put (W=2) and a get (R=2) of 1 KiB take from a tab, one at a time, over WebSocket and over WebRTC, beside the bare round trip of 1 KiB on the same path in
 * the same run: an echo on a plain WebSocket of a Node.js process, and on a plain data channel of another tab.
 *
 *   npm run build && node test/bench/tab.mjs [rounds] [operations]
 *
 * WebSocket: three Node.js peers keep the data on LevelDB, and the tab has weight 0. WebRTC: three tabs of other browser profiles keep the data in IndexedDB, and the one
 * Node.js peer, which has weight 0, only introduces them.
 */

import { join } from 'node:path';
import { createPeer } from 'ringmesh/node';
import { WebSocketServer } from 'ws';

import { listen, median, openBrowser, patienceMs, until, webSockets } from './fixtures/tab-pages.mjs';

const rounds = Number(process.argv[2] ?? 5);
const operations = Number(process.argv[3] ?? 100);
const bytes = 1024;

const { server, url, folder, openTab, close } = await openBrowser();
new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (message) => socket.send(message)));

/** Waits until so many own the ring in the eyes of the tab, and it reaches all of them by this transport. */
const awaitRing = (page, members, transport) =>
  until(`${members} owners by ${transport}`, () =>
    page.evaluate(
      ([count, wanted]) => {
        const owners = globalThis.peer.ring().members.map(({ peer }) => peer);
        const paths = globalThis.peer.connections().filter(({ peer }) => owners.includes(peer));
        return (
          owners.length === count &&
          paths.length === count &&
          paths.every(({ transport, relay }) => transport === wanted && relay === undefined)
        );
      },
      [members, transport],
    ),
  );

/** Milliseconds of each of so many echoes, puts and gets in a page; the page has `echo` and `peer`. */
const measure = (page, count, size) =>
  page.evaluate(
    async ([times, length]) => {
      const value = new Uint8Array(length).fill(7);
      const bucket = globalThis.peer.bucket('bench', { n: 3, r: 2, w: 2, mode: 'strict' });
      const timed = async (act) => {
        const from = performance.now();
        await act();
        return performance.now() - from;
      };
      const found = { echo: [], put: [], get: [] };
      const name = crypto.randomUUID();
      for (let i = 0; i < times; i++) {
        found.echo.push(await timed(() => globalThis.echo(value)));
        found.put.push(
          await timed(async () => {
            const { outcome } = await bucket.put(`${name}-${i}`, value);
            if (outcome !== 'ok') throw new Error(`put: ${outcome}`);
          }),
        );
        found.get.push(
          await timed(async () => {
            const { siblings } = await bucket.get(`${name}-${i}`);
            if (siblings[0]?.value.length !== length) throw new Error('get: wrong value');
          }),
        );
      }
      return found;
    },
    [count, size],
  );

async function report(path, page) {
  await measure(page, 50, bytes);
  const medians = { echo: [], put: [], get: [] };
  for (let round = 0; round < rounds; round++) {
    const found = await measure(page, operations, bytes);
    for (const [name, times] of Object.entries(found)) medians[name].push(median(times));
  }
  const [echo, put, get] = ['echo', 'put', 'get'].map((name) => median(medians[name]));
  const line = (name, ms) =>
    console.log(`${path.padEnd(10)} ${name.padEnd(18)} ${ms.toFixed(2).padStart(7)} ms  ${(ms / echo).toFixed(1).padStart(5)} x`);
  line('bare round trip', echo);
  line('put W=2', put);
  line('get R=2', get);
}

console.log(`medians of ${rounds} rounds of ${operations} operations, ${bytes} bytes each, one at a time`);

{
  const options = (name) => ({ cluster: 'bench-ws', folder: join(folder, name), listen });
  const first = await createPeer(options('one'));
  const others = await Promise.all(['two', 'three'].map((name) => createPeer({ ...options(name), bootstrap: first.status().addresses })));
  const peers = [first, ...others];
  await Promise.all(peers.map((peer) => peer.ready({ timeoutMs: patienceMs })));
  const page = await openTab({ cluster: 'bench-ws', bootstrap: webSockets(peers), weight: 0, memory: true });
  await awaitRing(page, 3, 'websocket');
  await page.evaluate(
    async (at) => {
      const socket = new WebSocket(at);
      socket.binaryType = 'arraybuffer';
      await new Promise((resolve) => (socket.onopen = resolve));
      globalThis.echo = (value) =>
        new Promise((resolve) => {
          socket.onmessage = resolve;
          socket.send(value);
        });
    },
    url.replace('http', 'ws'),
  );
  await report('WebSocket', page);
  await page.context().close();
  await Promise.all(peers.map((peer) => peer.close()));
}

{
  const relay = await createPeer({ cluster: 'bench-rtc', listen, weight: 0 });
  const bootstrap = webSockets([relay]);
  const keepers = await Promise.all(Array.from({ length: 3 }, () => openTab({ cluster: 'bench-rtc', bootstrap })));
  const page = await openTab({ cluster: 'bench-rtc', bootstrap, weight: 0, memory: true });
  await awaitRing(page, 3, 'webrtc');
  await connectEcho(page, keepers[0]);
  await report('WebRTC', page);
  await relay.close();
}

/** A plain data channel from one page to another, which sends back what it gets. The two descriptions go through this process. */
async function connectEcho(from, to) {
  const described = (page) =>
    page.evaluate(async () => {
      const { rtc } = globalThis;
      await rtc.setLocalDescription();
      while (rtc.iceGatheringState !== 'complete') await new Promise((resolve) => void setTimeout(resolve, 20));
      return rtc.localDescription.toJSON();
    });
  await from.evaluate(() => {
    globalThis.rtc = new RTCPeerConnection();
    globalThis.channel = globalThis.rtc.createDataChannel('echo');
  });
  const offer = await described(from);
  await to.evaluate(async (description) => {
    globalThis.rtc = new RTCPeerConnection();
    globalThis.rtc.ondatachannel = ({ channel }) => (channel.onmessage = ({ data }) => channel.send(data));
    await globalThis.rtc.setRemoteDescription(description);
  }, offer);
  const answer = await described(to);
  await from.evaluate(async (description) => {
    const { rtc, channel } = globalThis;
    await rtc.setRemoteDescription(description);
    while (channel.readyState !== 'open') await new Promise((resolve) => void setTimeout(resolve, 20));
    globalThis.echo = (value) =>
      new Promise((resolve) => {
        channel.onmessage = resolve;
        channel.send(value);
      });
  }, answer);
}

await close();
process.exit(0);
