/**
 * Requests and answers between two processes over loopback: the libp2p network against bare `node:net` with the same framing, in one run.
 *
 * Usage: node test/bench/messages.mjs [--rounds 5] [--seconds 1] [--json]   (after `npm run build`; RINGMESH_DIST names another build)
 * Prints medians: requests a second, CPU microseconds a request in the client, and the ratio of the two networks.
 */

import { fork } from 'node:child_process';
import net from 'node:net';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const dist = process.env.RINGMESH_DIST ? pathToFileURL(`${process.env.RINGMESH_DIST}/`) : new URL('../../dist/', import.meta.url);
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    server: { type: 'string' },
  },
});
const sizes = [100, 1024];
const concurrencies = [1, 64];

const networks = { libp2p: { serve: serveLibp2p, open: openLibp2p }, net: { serve: serveNet, open: openNet } };

if (values.server === undefined) await main();
else await networks[values.server].serve();

async function createNetwork(bootstrap, handlers) {
  await import(new URL('src/adapters/polyfill.js', dist));
  const { createLibp2pNetwork } = await import(new URL('src/adapters/libp2p.js', dist));
  const { nodeTransports } = await import(new URL('src/adapters/libp2p-node.js', dist));
  const { clusterDht } = await import(new URL('src/adapters/libp2p-dht.js', dist));
  const { createIdentity } = await import(new URL('src/adapters/identity.js', dist));
  const { privateKey } = createIdentity();
  const listen = ['/ip4/127.0.0.1/tcp/0'];
  const network = createLibp2pNetwork({ cluster: 'bench', privateKey, transports: nodeTransports(), listen, bootstrap, dht: clusterDht });
  await network.start({ message() {}, gossip() {}, up() {}, down() {}, addressesChanged() {}, ...handlers(network) });
  return network;
}

async function serveLibp2p() {
  // The first frame tells the client that both directions are open.
  const network = await createNetwork([], (self) => ({
    message: (from, frame) => void self.send(from, frame),
    up: (peer) => void self.send(peer, Uint8Array.of(1)),
  }));
  process.send(network.addresses()[0]);
}

async function openLibp2p(address) {
  let server;
  let resolveHello;
  const hello = new Promise((resolve) => (resolveHello = resolve));
  let onAnswer = resolveHello;
  const network = await createNetwork([address], () => ({ message: () => onAnswer(), up: (peer) => (server = peer) }));
  await hello;
  return {
    listen: (callback) => (onAnswer = callback),
    send(frame) {
      if (!network.send(server, frame)) throw new Error('send was refused');
    },
    close: () => network.close(),
  };
}

/** The same frames on a bare socket, joined per microtask as the adapter does it. */
function frameSocket(socket, onFrame) {
  let rest = Buffer.alloc(0);
  let queue = [];
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUInt32BE(0);
      if (bytes.length < end) break;
      onFrame(new Uint8Array(bytes.subarray(4, end)));
      bytes = bytes.subarray(end);
    }
    rest = bytes;
  });
  socket.on('error', () => undefined);
  return (frame) => {
    if (queue.push(frame) > 1) return;
    queueMicrotask(() => {
      const frames = queue;
      queue = [];
      const out = Buffer.allocUnsafe(frames.reduce((sum, { length }) => sum + 4 + length, 0));
      let at = 0;
      for (const each of frames) {
        at = out.writeUInt32BE(each.length, at);
        out.set(each, at);
        at += each.length;
      }
      socket.write(out);
    });
  };
}

async function serveNet() {
  const server = net.createServer((socket) => {
    const send = frameSocket(socket, (frame) => send(frame));
  });
  server.listen(0, '127.0.0.1', () => process.send(server.address().port));
}

async function openNet(port) {
  let onAnswer;
  const socket = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const send = frameSocket(socket, () => onAnswer());
  return { listen: (callback) => (onAnswer = callback), send, close: () => socket.destroy() };
}

/** Keeps `concurrency` requests under way for the time given. */
function measure(link, size, concurrency, ms) {
  const frame = new Uint8Array(size).fill(7);
  return new Promise((resolve) => {
    const begin = performance.now();
    const cpu = process.cpuUsage();
    let done = 0;
    let underWay = concurrency;
    link.listen(() => {
      done++;
      if (performance.now() - begin < ms) return link.send(frame);
      if (--underWay > 0) return;
      const used = process.cpuUsage(cpu);
      const seconds = (performance.now() - begin) / 1000;
      resolve({ rate: done / seconds, cpuMicros: (used.user + used.system) / done });
    });
    for (let i = 0; i < concurrency; i++) link.send(frame);
  });
}

async function main() {
  const links = {};
  const children = [];
  for (const [name, { open }] of Object.entries(networks)) {
    const child = fork(new URL(import.meta.url), ['--server', name]);
    children.push(child);
    links[name] = await open(await new Promise((resolve) => child.once('message', resolve)));
  }
  // One request at a time would take minutes to get the code compiled.
  for (const link of Object.values(links)) await measure(link, sizes[0], 64, 2000);
  const rows = [];
  for (const size of sizes) {
    for (const concurrency of concurrencies) rows.push(await row(links, size, concurrency));
  }
  for (const link of Object.values(links)) await link.close();
  for (const child of children) child.kill();
  if (values.json) console.log(JSON.stringify(rows));
  else console.table(rows);
}

async function row(links, size, concurrency) {
  const ms = Number(values.seconds) * 1000;
  const results = { libp2p: [], net: [] };
  for (const name of Object.keys(results)) await measure(links[name], size, concurrency, ms / 2);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of Object.keys(results)) results[name].push(await measure(links[name], size, concurrency, ms));
  }
  const of = (name, field) => median(results[name].map((result) => result[field]));
  return {
    bytes: size,
    concurrency,
    'libp2p req/s': Math.round(of('libp2p', 'rate')),
    'net req/s': Math.round(of('net', 'rate')),
    'rate ratio': Number((of('libp2p', 'rate') / of('net', 'rate')).toFixed(2)),
    'libp2p CPU us/req': Number(of('libp2p', 'cpuMicros').toFixed(1)),
    'net CPU us/req': Number(of('net', 'cpuMicros').toFixed(1)),
  };
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
