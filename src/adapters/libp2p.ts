/**
 * The network of a peer over libp2p: noise, yamux, identify, ping, gossipsub, a kad-dht of the cluster's own, and the frame protocol of
 * `libp2p-links`.
 *
 * The same file serves Node.js and a browser: the transports are handed in. Peers of different clusters share no protocol name, so they
 * never form a link. Nothing rejects or throws after `start`; what goes wrong on the way is told to `onEvent`.
 */

import type { GossipSub, Message } from '@chainsafe/libp2p-gossipsub';
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import type { Identify } from '@libp2p/identify';
import { identify } from '@libp2p/identify';
import type { Connection, Libp2p, PrivateKey, ServiceMap, Stream } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import type { Ping } from '@libp2p/ping';
import { ping } from '@libp2p/ping';
import type { Multiaddr } from '@multiformats/multiaddr';
import { multiaddr } from '@multiformats/multiaddr';
import type { Libp2pInit, ServiceFactoryMap } from 'libp2p';
import { createLibp2p } from 'libp2p';
import { MeshError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import { peerId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Network, NetworkHandlers, Path } from '../ports.ts';
import type { DhtFactory } from './libp2p-dht.ts';
import { Bootstrap, Rendezvous } from './libp2p-discovery.ts';
import type { Report } from './libp2p-events.ts';
import { errorText } from './libp2p-events.ts';
import { Links } from './libp2p-links.ts';
import { boundedYamux } from './libp2p-muxer.ts';
import { meshNoise } from './libp2p-noise.ts';
import { closeRefused, type Refuse, refusalGates } from './libp2p-refusals.ts';
import type { Reservations } from './libp2p-relayed.ts';

export interface Libp2pNetworkOptions {
  /** Peers of one cluster find and understand each other: its name, and after a slash what else they must agree about; up to 80 characters. */
  readonly cluster: string;
  readonly privateKey: PrivateKey;
  readonly transports: NonNullable<Libp2pInit['transports']>;
  /** Multiaddrs to listen on; none for a peer that only dials. */
  readonly listen?: readonly string[];
  /** Multiaddrs to tell to others instead of those listened on. */
  readonly announce?: readonly string[];
  /** Multiaddrs of peers to start from, with or without `/p2p/<id>`. */
  readonly bootstrap?: readonly string[];
  /** Finds members of unknown address; for peers that can be dialled themselves. */
  readonly dht?: DhtFactory;
  /** For peers that cannot be dialled: where they let others call for them. */
  readonly reservations?: Reservations;
  /** Calls peers for WebRTC that are reached through a relay. Default false. */
  readonly webRtc?: boolean;
  /** To how many peers that are reached through a relay to connect without need. Default: to all. */
  readonly relayedLinksMax?: number;
  /** More libp2p services: a relay, AutoNAT, identify-push. */
  readonly services?: ServiceFactoryMap;
  /** Refuses to dial an address. By default none is refused: local addresses are what a cluster on one host or in a LAN has. */
  readonly denyDial?: (address: Multiaddr) => boolean;
  /** Peers to have no connection with, asked again and again. Default: none. */
  readonly refuse?: Refuse;
  /** What may wait for one peer before `send` says no. Default 32 MiB. */
  readonly sendQueueMaxBytes?: number;
  /** How long a peer may take nothing while frames wait for it. Default 20 s. */
  readonly stallTimeoutMs?: number;
  /** Default 1024. */
  readonly connectionsMax?: number;
  readonly onEvent?: Report;
}

/** Frames for all members are small: member records, not data. */
const gossipMaxBytes = 64 * 1024;

/** Throws `OPTION_INVALID` or `ADDRESS_INVALID` at once; `start` rejects with `ADDRESS_IN_USE` or `ADDRESS_INVALID`. */
export function createLibp2pNetwork(options: Libp2pNetworkOptions): Network {
  return new Libp2pNetwork(options);
}

/** A connection takes half a dozen round trips, each of which may take seconds on a machine that does much else. */
const upgradeTimeoutMs = 20_000;
const pingEveryMs = 20_000;

interface Beating {
  status?: { heartbeatTimeout?: ReturnType<typeof setTimeout> };
}

interface Reconnects {
  stop?(): void;
}

type Services = { identify: Identify; ping: Ping; pubsub: GossipSub } & ServiceMap;

class Libp2pNetwork implements Network {
  readonly self: PeerId;
  readonly #options: Libp2pNetworkOptions;
  readonly #prefix: string;
  readonly #bootstrapAddresses: readonly Multiaddr[];
  readonly #report: Report;
  #node: Libp2p<Services> | undefined;
  #links: Links | undefined;
  #bootstrap: Bootstrap | undefined;
  #rendezvous: Rendezvous | undefined;
  #reconnects: Reconnects | undefined;
  #stopClosing: () => void = () => {};
  #closed = false;

  constructor(options: Libp2pNetworkOptions) {
    this.#options = options;
    this.self = peerId(peerIdFromPrivateKey(options.privateKey).toString());
    this.#prefix = `/ringmesh/${escapedCluster(options.cluster)}`;
    this.#bootstrapAddresses = parsed(options.bootstrap);
    parsed(options.listen);
    parsed(options.announce);
    this.#report = options.onEvent ?? (() => undefined);
  }

  addresses(): string[] {
    const all = this.#node?.getMultiaddrs().map((address) => address.toString().replace(`/p2p/${this.self}`, '')) ?? [];
    // Tabs reach a relay by WebSocket only; and that they can be called for WebRTC goes without saying.
    const distinct = [...new Set(all)].filter(
      (address) => !address.endsWith('/webrtc') && (!isCircuit(address) || /\/wss?\//.test(address)),
    );
    const reachable = distinct.filter((address) => !isLoopback(address));
    return reachable.length > 0 ? reachable : distinct;
  }

  paths(): Path[] {
    return this.#links?.paths() ?? [];
  }

  async start(handlers: NetworkHandlers): Promise<void> {
    const node = (this.#node = await this.#createNode());
    const protocol = `${this.#prefix}/peer/1.0.0`;
    const links = (this.#links = this.#createLinks(node, protocol, handlers));
    const accept = (stream: Stream, connection: Connection): void => links.accept(stream, connection);
    await node.handle(protocol, accept, { maxInboundStreams: 4, maxOutboundStreams: 4, runOnLimitedConnection: true });
    await node.register(protocol, {
      notifyOnLimitedConnection: true,
      onConnect: (id, connection) => links.touch(peerId(id.toString()), connection),
    });
    node.addEventListener('connection:open', (event) => links.onConnection(event.detail));
    node.addEventListener('self:peer:update', () => {
      if (!this.#closed) handlers.addressesChanged();
    });
    try {
      await node.start();
    } catch (error) {
      throw listenError(error);
    }
    if (this.#closed) {
      await node.stop();
      return;
    }
    this.#reconnects?.stop?.();
    this.#listenToGossip(node, handlers);
    if (this.#options.refuse !== undefined) this.#stopClosing = closeRefused(node, this.#options.refuse);
    this.#bootstrap = new Bootstrap({ node, links, addresses: this.#bootstrapAddresses, report: this.#report });
    this.#bootstrap.start();
    this.#options.reservations?.start(node, this.#report);
    if (this.#options.dht === undefined) return;
    this.#rendezvous = new Rendezvous({ node, links, cluster: this.#options.cluster, report: this.#report });
    this.#rendezvous.start();
  }

  send(to: PeerId, frame: Uint8Array): boolean {
    return !this.#closed && this.#links !== undefined && this.#links.send(to, frame);
  }

  publish(frame: Uint8Array): void {
    if (this.#closed || this.#node === undefined) return;
    if (frame.length > gossipMaxBytes) {
      const error = `a frame of ${frame.length} bytes is too large for gossip; the limit is ${gossipMaxBytes}`;
      this.#report({ type: 'publish-failed', error });
      return;
    }
    this.#node.services.pubsub.publish(this.#topic, frame).catch((error: unknown) => {
      if (!this.#closed) this.#report({ type: 'publish-failed', error: errorText(error) });
    });
  }

  connect(peer: PeerId, addresses: readonly string[]): void {
    if (this.#closed) return;
    const dialable: Multiaddr[] = [];
    for (const address of addresses.slice(0, limits.addressesMax)) {
      try {
        dialable.push(multiaddr(address));
      } catch (error) {
        this.#report({ type: 'address-ignored', address, error: errorText(error) });
      }
    }
    this.#links?.connect(peer, dialable);
  }

  forget(peer: PeerId): void {
    this.#links?.forget(peer);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopClosing();
    this.#bootstrap?.close();
    this.#rendezvous?.close();
    this.#options.reservations?.close();
    this.#links?.close();
    // The heartbeat's timer is not cleared by gossipsub itself and would hold the process for a second.
    const heartbeat = (this.#node?.services.pubsub as Beating | undefined)?.status?.heartbeatTimeout;
    await this.#node?.stop();
    clearTimeout(heartbeat);
  }

  get #topic(): string {
    return `${this.#prefix}/gossip/1.0.0`;
  }

  #createLinks(node: Libp2p, protocol: string, handlers: NetworkHandlers): Links {
    return new Links({
      node,
      protocol,
      handlers,
      report: this.#report,
      frameMaxBytes: limits.frameMaxBytes,
      queueMaxBytes: this.#options.sendQueueMaxBytes ?? 32 * 1024 * 1024,
      stallTimeoutMs: this.#options.stallTimeoutMs ?? 20_000,
      onAlone: () => this.#bootstrap?.start(),
      webRtc: this.#options.webRtc ?? false,
      relayedLinksMax: this.#options.relayedLinksMax ?? Infinity,
    });
  }

  #createNode(): Promise<Libp2p<Services>> {
    const {
      privateKey,
      transports,
      listen = [],
      announce = [],
      connectionsMax = 1024,
      webRtc = false,
      refuse = () => false,
    } = this.#options;
    return createLibp2p<Services>({
      start: false,
      privateKey,
      transports,
      addresses: { listen: [...listen], announce: [...announce] },
      streamMuxers: [boundedYamux()],
      connectionEncrypters: [meshNoise()],
      connectionGater: {
        denyDialMultiaddr: this.#options.denyDial ?? (() => false),
        denyDialPeer: (id) => refuse(id.toString()) || (this.#links?.isForgotten(peerId(id.toString())) ?? false),
        ...refusalGates(refuse),
      },
      connectionManager: {
        maxConnections: connectionsMax,
        // Peers of one host all come from one address.
        inboundConnectionThreshold: Infinity,
        maxIncomingPendingConnections: 128,
        inboundUpgradeTimeout: upgradeTimeoutMs,
        // A call for WebRTC takes several round trips through a relay.
        addressDialTimeout: webRtc ? upgradeTimeoutMs : 3000,
      },
      // A peer that is slow to answer is no dead one: a new connection would only cost it more.
      connectionMonitor: { pingInterval: pingEveryMs, pingTimeout: { minTimeout: pingEveryMs } },
      services: this.#services(),
    });
  }

  #services(): ServiceFactoryMap<Services> {
    const { dht, services = {} } = this.#options;
    const own: ServiceFactoryMap<Services> = {
      identify: identify(),
      ping: ping(),
      // libp2p dials peers near us in the DHT again when they go away, also forgotten ones. Links are kept by this adapter alone.
      reconnects: ({ connectionManager }) => (this.#reconnects = (connectionManager as { reconnectQueue?: Reconnects }).reconnectQueue),
      pubsub: gossipsub({
        allowedTopics: [this.#topic],
        globalSignaturePolicy: 'StrictSign',
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        fallbackToFloodsub: false,
        runOnLimitedConnection: true,
        maxInboundDataLength: 16 * gossipMaxBytes,
        maxOutboundBufferSize: 64 * gossipMaxBytes,
        maxTopicBytesPerPeer: 64 * 1024,
      }),
    };
    return { ...services, ...own, ...(dht === undefined ? {} : { dht: dht(this.#prefix) }) };
  }

  #listenToGossip(node: Libp2p<Services>, handlers: NetworkHandlers): void {
    const { pubsub } = node.services;
    pubsub.addEventListener('message', (event: CustomEvent<Message>) => {
      const message = event.detail;
      if (this.#closed || message.type !== 'signed' || message.topic !== this.#topic) return;
      if (message.data.length > gossipMaxBytes || message.from.equals(node.peerId)) return;
      handlers.gossip(peerId(message.from.toString()), new Uint8Array(message.data));
    });
    pubsub.subscribe(this.#topic);
  }
}

function escapedCluster(cluster: string): string {
  if (cluster.length === 0 || cluster.length > 80) throw new MeshError('OPTION_INVALID', 'the cluster name must have 1 to 80 characters');
  try {
    return cluster.split('/').map(encodeURIComponent).join('/');
  } catch (cause) {
    throw new MeshError('OPTION_INVALID', 'the cluster name is not well-formed text', { cause });
  }
}

function parsed(addresses: readonly string[] = []): Multiaddr[] {
  return addresses.map((address) => {
    try {
      return multiaddr(address);
    } catch (cause) {
      const message = `"${address}" is not a multiaddr such as /ip4/127.0.0.1/tcp/7500: ${errorText(cause)}`;
      throw new MeshError('ADDRESS_INVALID', message, { cause });
    }
  });
}

function isLoopback(address: string): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/|ip6\/0:0:0:0:0:0:0:1\/|dns[46]?\/localhost\/)/.test(address);
}

const isCircuit = (address: string): boolean => address.includes('/p2p-circuit');

/** libp2p tells why it cannot listen in a message of many lines, with stacks. */
function listenError(cause: unknown): unknown {
  const text = cause instanceof Error ? cause.message : String(cause);
  const used = /EADDRINUSE[^\n]*?(\S+:\d+)/.exec(text);
  if (used !== null) return new MeshError('ADDRESS_IN_USE', `cannot listen on ${used[1]}: another program uses the port`, { cause });
  const failed = /(EADDRNOTAVAIL|EACCES|ENOTFOUND|EAFNOSUPPORT)[^\n]*/.exec(text);
  if (failed !== null) return new MeshError('ADDRESS_INVALID', `cannot listen: ${failed[0]}`, { cause });
  if (cause instanceof Error && cause.name === 'UnsupportedListenAddressesError') {
    return new MeshError('ADDRESS_INVALID', 'cannot listen: no transport takes the listen addresses', { cause });
  }
  return cause;
}
