/** What only the libp2p network can get wrong: addresses, bootstrap, discovery, clusters, and hostile peers (SE3). */

import '../../src/adapters/polyfill.ts';
import { noise } from '@libp2p/noise';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { tcp } from '@libp2p/tcp';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { afterEach, expect, test } from 'vitest';
import { createIdentity } from '../../src/adapters/identity.ts';
import type { NetworkEvent } from '../../src/adapters/libp2p-events.ts';
import { nodeTransports } from '../../src/adapters/libp2p-node.ts';
import type { Libp2pNetworkOptions } from '../../src/adapters/libp2p.ts';
import { clusterDht } from '../../src/adapters/libp2p-dht.ts';
import { createLibp2pNetwork } from '../../src/adapters/libp2p.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { Network } from '../../src/ports.ts';
import type { Witness } from './network-suite.ts';
import { linked, numbered, until, witness } from './network-suite.ts';

const tcpAddress = '/ip4/127.0.0.1/tcp/0';
const wsAddress = '/ip4/127.0.0.1/tcp/0/ws';
const protocol = '/ringmesh/libp2p%20tests/peer/1.0.0';
const mebibyte = 1024 * 1024;

let networks: Network[] = [];
let outsiders: Libp2p[] = [];
let events: NetworkEvent[] = [];

afterEach(async () => {
  await Promise.all([...networks.map((network) => network.close()), ...outsiders.map((outsider) => outsider.stop())]);
  networks = [];
  outsiders = [];
  events = [];
});

function create(seed: number, options: Partial<Libp2pNetworkOptions> = {}): Network {
  const network = createLibp2pNetwork({
    cluster: 'libp2p tests',
    privateKey: createIdentity(new SeededRandom(seed).bytes(32)).privateKey,
    transports: nodeTransports(),
    listen: [tcpAddress],
    dht: clusterDht,
    onEvent: (event) => void events.push(event),
    ...options,
  });
  networks.push(network);
  return network;
}

const start = (seed: number, options: Partial<Libp2pNetworkOptions> = {}): Promise<Witness> => witness(create(seed, options));

/** A libp2p peer that speaks no ringmesh: the test makes it do what an honest peer would not. */
async function outsider(): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp(), webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  });
  outsiders.push(node);
  return node;
}

async function exchange(a: Witness, b: Witness): Promise<void> {
  const before = b.frames.length;
  expect(a.network.send(b.network.self, numbered(1, 1000))).toBe(true);
  await until(() => b.frames.length === before + 1, 'the frame arrived');
}

test('a port in use is one clear line', async () => {
  const a = await start(1);
  for (const suffix of ['', '/ws']) {
    const b = create(2, { listen: [a.network.addresses()[0]! + suffix] });
    const error = await witness(b).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ADDRESS_IN_USE' });
    expect((error as Error).message).toMatch(/^cannot listen on 127\.0\.0\.1:\d+: another program uses the port$/);
  }
});

test('addresses that mean nothing are refused at once', () => {
  expect(() => create(1, { listen: ['127.0.0.1:80'] })).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  expect(() => create(1, { bootstrap: ['/ip4/1.2.3/tcp/80'] })).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }));
  expect(() => create(1, { cluster: '' })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  expect(() => create(1, { cluster: '\ud800' })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
});

test('addresses are those of the interfaces, and announced ones replace them', async () => {
  const a = await start(1, { listen: ['/ip4/0.0.0.0/tcp/0'] });
  const loopback = a.network.addresses().filter((address) => address.startsWith('/ip4/127.'));
  expect(a.network.addresses().join()).not.toContain('0.0.0.0');
  expect(loopback.length === 0 || loopback.length === a.network.addresses().length).toBe(true);
  const b = await start(2, { announce: ['/dns4/mesh.example/tcp/443/wss'] });
  expect(b.network.addresses()).toEqual(['/dns4/mesh.example/tcp/443/wss']);
});

test('a bootstrap address may carry the peer id, be our own, or come up later', async () => {
  const a = await start(1);
  const [address = ''] = a.network.addresses();
  const b = await start(2, { bootstrap: [`${address}/p2p/${a.network.self}`] });
  await linked(a, b);
  await a.network.close();
  await until(() => !b.isUp(a.network.self), 'down');
  // A link of its own, so that only the bootstrap list brings the two together again.
  const c = await start(3, { bootstrap: [address, ...b.network.addresses()] });
  await linked(b, c);
  const again = await start(1, { listen: [address], bootstrap: [address] });
  await linked(again, c);
});

test('a peer that lost its last link goes back to its bootstrap addresses', async () => {
  const a = await start(1);
  const [address = ''] = a.network.addresses();
  const b = await start(2, { bootstrap: [address] });
  await linked(a, b);
  await a.network.close();
  await until(() => !b.isUp(a.network.self), 'down');
  await linked(await start(1, { listen: [address] }), b);
});

test('peers of other clusters never link', async () => {
  const a = await start(1);
  const b = await start(2, { cluster: 'libp2p tests/peer', bootstrap: a.network.addresses() });
  await until(() => events.some(({ type }) => type === 'dial-failed'), 'the link was refused');
  expect(a.told).toEqual([]);
  expect(b.told).toEqual([]);
});

test('peers find each other through the DHT of the cluster', async () => {
  const a = await start(1);
  const others = [await start(2, { bootstrap: a.network.addresses() }), await start(3, { bootstrap: a.network.addresses() })] as const;
  await linked(...others);
  await exchange(...others);
});

test('a peer reachable over TCP and WebSocket gets one link', async () => {
  const a = await start(1, { listen: [tcpAddress, wsAddress] });
  const b = await start(2, { bootstrap: a.network.addresses() });
  await linked(a, b);
  await exchange(a, b);
  await exchange(b, a);
  expect([a.told.length, b.told.length]).toEqual([1, 1]);
});

for (const [name, listen] of [
  ['TCP', tcpAddress],
  ['WebSocket', wsAddress],
] as const) {
  test(`[SE3] garbage in place of a length ends the connection, over ${name}`, async () => {
    const [a, b, connection] = await attacked(listen);
    // It takes our stream, or its connection would be ended for that before anything is read.
    await outsiders.at(-1)?.handle(protocol, (taken) => void taken.send(Uint8Array.of(1)));
    const stream = await connection.newStream(protocol);
    stream.send(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
    await until(() => connection.status !== 'open', 'the connection was ended');
    await until(() => events.some(({ type }) => type === 'hostile'), 'it was reported');
    expect(a.frames).toEqual([]);
    await exchange(b, a);
  });
}

test('[SE3] half a frame is never delivered', async () => {
  const [a, b, connection] = await attacked(tcpAddress);
  const stream = await connection.newStream(protocol);
  stream.send(Uint8Array.from([0, 0, 0, 10, 1, 2, 3]));
  await exchange(b, a);
  connection.abort(new Error('gone'));
  await exchange(b, a);
  expect(a.frames.length).toBe(2);
});

test('[SE3] a thousand streams of one peer are not kept, and the others go on', async () => {
  const [a, b, connection] = await attacked(tcpAddress);
  const opened: Promise<Stream | undefined>[] = [];
  for (let i = 0; i < 1000; i++) opened.push(connection.newStream(protocol, { maxOutboundStreams: 5000 }).catch(() => undefined));
  await exchange(b, a);
  await until(() => connection.status !== 'open', 'the connection was ended');
  await Promise.all(opened);
  await exchange(b, a);
});

test('[SE3] a frame of the multiplexer that never ends is cut off', async () => {
  const [a, b, connection] = await attacked(tcpAddress);
  const raw = (connection as unknown as { muxer: { send(bytes: Uint8Array): boolean; maConn: { onDrain(): Promise<void> } } }).muxer;
  // A data frame of 4 GiB, for a stream that does not exist.
  raw.send(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 99, 0xff, 0xff, 0xff, 0xff]));
  const before = process.memoryUsage().arrayBuffers;
  const junk = new Uint8Array(64 * 1024);
  let sent = 0;
  while (connection.status === 'open' && sent < 64 * mebibyte) {
    raw.send(junk);
    sent += junk.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sent).toBeLessThan(64 * mebibyte);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * mebibyte);
  await exchange(b, a);
});

test('[SE3] a peer that never reads costs a bounded queue and is given up', async () => {
  const a = await start(1, { stallTimeoutMs: 300, sendQueueMaxBytes: 8 * mebibyte });
  const b = await start(2, { bootstrap: a.network.addresses() });
  await linked(a, b);
  const mute = await outsider();
  await mute.handle(protocol, (stream) => {
    stream.send(Uint8Array.of(1));
    stream.pause();
  });
  const connection = await mute.dial(multiaddr(a.network.addresses()[0]));
  await connection.newStream(protocol);
  const peer = mute.peerId.toString() as Network['self'];
  await until(() => a.isUp(peer), 'the mute peer is up');
  let taken = 0;
  const frame = new Uint8Array(256 * 1024);
  while (taken < 1000 && a.network.send(peer, frame)) {
    taken++;
    if (taken % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(taken * frame.length).toBeLessThan(24 * mebibyte);
  await exchange(b, a);
  await until(() => !a.isUp(peer), 'the mute peer was given up');
  await exchange(b, a);
});

/** Two honest peers, and the connection of a hostile one to the first of them. */
async function attacked(listen: string): Promise<[Witness, Witness, Connection]> {
  const a = await start(1, { listen: [listen] });
  const b = await start(2, { bootstrap: a.network.addresses() });
  await linked(a, b);
  const hostile = await outsider();
  return [a, b, await hostile.dial(multiaddr(a.network.addresses()[0]))];
}
