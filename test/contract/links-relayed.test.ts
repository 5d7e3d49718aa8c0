/** Links through a relay (a real one, of libp2p) move to a better connection, whenever that comes. */

import { setImmediate } from 'node:timers/promises';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { identify } from '@libp2p/identify';
import type { Libp2p, Transport } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p, type Libp2pOptions } from 'libp2p';
import { afterEach, expect, test } from 'vitest';
import { Links } from '../../src/adapters/libp2p-links.ts';
import { isRelayedAddress } from '../../src/adapters/libp2p-paths.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { peerId } from '../../src/core/ids.ts';
import { expectNumbered, numbered, until } from './network-suite.ts';

const protocol = '/ringmesh/relayed-links/peer/1.0.0';
const loopback = '/ip4/127.0.0.1/tcp/0';

type Dial = Transport['dial'];

const stops: (() => unknown)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function libp2p(options: Libp2pOptions): Promise<Libp2p> {
  const node = await createLibp2p({
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { reconnectRetries: 0 },
    connectionGater: { denyDialMultiaddr: () => false },
    ...options,
  });
  stops.push(() => node.stop());
  return node;
}

async function startRelay(): Promise<Libp2p> {
  const services = { identify: identify(), relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) };
  return libp2p({ addresses: { listen: [loopback] }, transports: [tcp()], services });
}

/** A peer that is reached through the relay, and at a port that only the test knows. */
class Relayed {
  readonly frames: Uint8Array[] = [];
  readonly told: string[] = [];
  readonly id: PeerId;
  /** What its dials through the relay wait for when they are through. */
  dialled: Promise<void> = Promise.resolve();
  readonly #node: Libp2p;
  readonly #links: Links;

  static async start(relay: Libp2p): Promise<Relayed> {
    const self: { peer?: Relayed } = {};
    const slowed = (transport: Transport): Transport => {
      const dial: Dial = transport.dial.bind(transport);
      transport.dial = (async (address, options) => {
        const connection = await dial(address, options);
        await self.peer?.dialled;
        return connection;
      }) as Dial;
      return transport;
    };
    const circuit = circuitRelayTransport();
    const node = await libp2p({
      privateKey: await generateKeyPair('Ed25519'),
      addresses: { listen: [loopback, `${relay.getMultiaddrs()[0]!.toString()}/p2p-circuit`] },
      transports: [tcp(), (components) => slowed(circuit(components))],
      services: { identify: identify() },
    });
    return (self.peer = await new Relayed(node).#ready());
  }

  private constructor(node: Libp2p) {
    this.#node = node;
    this.id = peerId(node.peerId.toString());
    this.#links = new Links({
      node,
      protocol,
      handlers: {
        message: (_, frame) => void this.frames.push(frame),
        gossip: () => {},
        up: () => void this.told.push('up'),
        down: () => void this.told.push('down'),
        addressesChanged: () => {},
      },
      report: () => {},
      frameMaxBytes: 1024,
      queueMaxBytes: 64 * 1024 * 1024,
      stallTimeoutMs: 20_000,
      onAlone: () => {},
      webRtc: false,
      relayedLinksMax: 8,
    });
    stops.push(() => this.#links.close());
  }

  async #ready(): Promise<this> {
    await this.#node.handle(protocol, (stream, connection) => this.#links.accept(stream, connection), { runOnLimitedConnection: true });
    this.#node.addEventListener('connection:open', (event) => this.#links.onConnection(event.detail));
    await until(() => this.#node.getMultiaddrs().some(isRelayedAddress), 'it is reserved with the relay');
    return this;
  }

  /** Opens its link through the relay. */
  open(to: Relayed): void {
    this.#links.connect(to.id, to.#node.getMultiaddrs().filter(isRelayedAddress));
    this.#links.touch(to.id);
  }

  dialDirectly(to: Relayed): Promise<unknown> {
    const direct = to.#node.getMultiaddrs().filter((address) => !isRelayedAddress(address));
    return this.#node.dial(direct, { force: true });
  }

  send(to: Relayed, frame: Uint8Array): boolean {
    return this.#links.send(to.id, frame);
  }

  pathTo(to: Relayed): string {
    const path = this.#links.paths().find(({ peer }) => peer === to.id);
    return path === undefined ? 'none' : path.relay === undefined ? 'direct' : 'relayed';
  }
}

async function twoBehindARelay(): Promise<[Relayed, Relayed]> {
  const relay = await startRelay();
  return [await Relayed.start(relay), await Relayed.start(relay)];
}

/** Holds a peer's dials through the relay back until the answer is called. */
function hold(peer: Relayed): () => void {
  let release = (): void => {};
  peer.dialled = new Promise((resolve) => (release = resolve));
  return release;
}

/** Sends as many more numbered frames as are asked for, and answers the lengths of all so far. */
function numbering(from: Relayed, to: Relayed, length: number): (more: number) => readonly number[] {
  const lengths: number[] = [];
  return (more) => {
    for (let i = 0; i < more; i++) expect(from.send(to, numbered(lengths.push(length) - 1, length))).toBe(true);
    return lengths;
  };
}

/** All frames arrived, in order, although some went through the relay and some past it. */
async function expectAll(at: Relayed, lengths: readonly number[]): Promise<void> {
  await until(() => at.frames.length >= lengths.length, 'all frames arrived');
  expectNumbered(at.frames.splice(0), lengths);
}

async function expectBothDirect(one: Relayed, two: Relayed): Promise<void> {
  await until(() => one.pathTo(two) === 'direct' && two.pathTo(one) === 'direct', 'both sides have left the relay');
  expect(one.send(two, numbered(1, 100))).toBe(true);
  expect(two.send(one, numbered(2, 100))).toBe(true);
  await until(() => one.frames.length === 1 && two.frames.length === 1, 'the frames arrived');
  expect([one.told, two.told]).toEqual([['up'], ['up']]);
}

test('when the link is up on both sides', async () => {
  const [one, two] = await twoBehindARelay();
  one.open(two);
  await until(() => one.pathTo(two) === 'relayed' && two.pathTo(one) === 'relayed', 'both sides use the relay');
  const burst = numbering(one, two, 1000);
  burst(50);
  void one.dialDirectly(two);
  // In every turn of the event loop, so that some are still with the relay when the next ones go past it.
  for (; one.pathTo(two) !== 'direct'; await setImmediate()) burst(100);
  await expectAll(two, burst(50));
  await expectBothDirect(one, two);
});

test('while the one who is called is still on the way through the relay', async () => {
  const [one, two] = await twoBehindARelay();
  const release = hold(two);
  two.open(one);
  one.open(two);
  await until(() => one.pathTo(two) === 'relayed', 'the caller uses the relay');
  const burst = numbering(one, two, 100);
  burst(10);
  await one.dialDirectly(two);
  await until(() => one.pathTo(two) === 'direct', 'the caller has left the relay');
  burst(10);
  release();
  await expectAll(two, burst(0));
  await expectBothDirect(one, two);
});
