/**
 * How a peer finds its cluster: the bootstrap addresses, and a rendezvous in the cluster's own DHT.
 *
 * A bootstrap address is dialled until it has been reached once, and again whenever this peer has no link at all. The rendezvous is the
 * hash of the cluster's name: members announce themselves as its providers and look for others. Nothing here delays the start, and no
 * failure leaves this file.
 */

import type { Connection, Libp2p } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { sha256 } from '@noble/hashes/sha2.js';
import { CID } from 'multiformats/cid';
import { create as createDigest } from 'multiformats/hashes/digest';
import type { PeerId } from '../core/ids.ts';
import { peerId } from '../core/ids.ts';
import type { Report } from './libp2p-events.ts';
import { backoffMs, errorText } from './libp2p-events.ts';
import type { Links } from './libp2p-links.ts';

const dialTimeoutMs = 30_000;
/** How long a reached peer may take until the link is up. */
const linkPatienceMs = 2000;

interface BootstrapAddress {
  readonly address: Multiaddr;
  reached: boolean;
  /** Who answered there the last time. */
  peer: PeerId | undefined;
  failures: number;
  dialling: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export interface BootstrapOptions {
  readonly node: Libp2p;
  readonly links: Links;
  readonly addresses: readonly Multiaddr[];
  readonly report: Report;
}

export class Bootstrap {
  readonly #options: BootstrapOptions;
  readonly #addresses: BootstrapAddress[];
  #closed = false;

  constructor(options: BootstrapOptions) {
    this.#options = options;
    const fresh = { reached: false, peer: undefined, failures: 0, dialling: false, timer: undefined };
    this.#addresses = options.addresses.map((address) => ({ address, ...fresh }));
  }

  /** Also called when the last link went down: then all addresses count as not reached. */
  start(): void {
    for (const entry of this.#addresses) {
      entry.reached = false;
      if (entry.timer === undefined) this.#dial(entry);
    }
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#addresses) clearTimeout(entry.timer);
  }

  #dial(entry: BootstrapAddress): void {
    if (this.#closed || entry.dialling || entry.reached) return;
    entry.dialling = true;
    const { links, report } = this.#options;
    void this.#connection(entry)
      .then((connection) => {
        entry.reached = true;
        entry.peer = peerId(connection.remotePeer.toString());
        links.touch(entry.peer, connection);
      })
      .catch((error: unknown) => {
        // Our own address in a list that all peers share.
        if (/dial self/i.test(errorText(error))) entry.reached = true;
        else report({ type: 'dial-failed', address: entry.address.toString(), error: errorText(error) });
      })
      .then(() => {
        entry.dialling = false;
        this.#again(entry);
      });
  }

  /** Dialling an address without a peer id makes another connection each time, and libp2p then breaks off the second. */
  async #connection({ address, peer }: BootstrapAddress): Promise<Connection> {
    const { node } = this.#options;
    const known = peer === undefined ? [] : node.getConnections(peerIdFromString(peer));
    return known.find(({ status }) => status === 'open') ?? node.dial(address, { signal: AbortSignal.timeout(dialTimeoutMs) });
  }

  /** Looks again later: after a failure, or to see that a reached address has led to a link. */
  #again(entry: BootstrapAddress): void {
    const { links } = this.#options;
    if (this.#closed || (entry.reached && links.upCount > 0)) return;
    const delayMs = entry.reached ? linkPatienceMs : backoffMs(entry.failures++);
    if (entry.reached) entry.failures = 0;
    entry.timer = setTimeout(() => {
      entry.timer = undefined;
      if (links.upCount === 0) entry.reached = false;
      this.#dial(entry);
    }, delayMs);
  }
}

export interface RendezvousOptions {
  readonly node: Libp2p;
  readonly links: Links;
  readonly cluster: string;
  readonly report: Report;
}

/** Peers that start together announce themselves at the same time: the first rounds follow one another sooner. */
const roundDelaysMs = [1500, 3000, 10_000, 30_000];
const lastRoundDelayMs = 60_000;
const roundTimeoutMs = 15_000;
/** Announcements live for two days; often enough is rarely. */
const roundsPerAnnouncement = 10;
const dialsPerRound = 4;

export class Rendezvous {
  readonly #options: RendezvousOptions;
  readonly #place: CID;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;

  constructor(options: RendezvousOptions) {
    this.#options = options;
    const hash = sha256(new TextEncoder().encode(`ringmesh rendezvous ${options.cluster}`));
    this.#place = CID.createV1(0x55, createDigest(0x12, hash));
  }

  start(): void {
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
  }

  #schedule(): void {
    if (this.#abort.signal.aborted) return;
    const delayMs = (roundDelaysMs[this.#round] ?? lastRoundDelayMs) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => void this.#run().finally(() => this.#schedule()), delayMs);
  }

  async #run(): Promise<void> {
    // Alone there is nobody to ask; the bootstrap addresses come first.
    if (this.#options.links.upCount === 0) return;
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(roundTimeoutMs)]);
    try {
      if (this.#round++ % roundsPerAnnouncement === 0) await this.#options.node.contentRouting.provide(this.#place, { signal });
      await this.#look(signal);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#options.report({ type: 'discovery-failed', error: errorText(error) });
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { node, links } = this.#options;
    let dials = 0;
    for await (const provider of node.contentRouting.findProviders(this.#place, { signal })) {
      const peer = peerId(provider.id.toString());
      if (links.has(peer) || links.isForgotten(peer) || provider.id.equals(node.peerId)) continue;
      await node.peerStore.merge(provider.id, { multiaddrs: provider.multiaddrs }).catch(() => undefined);
      links.touch(peer);
      if (++dials === dialsPerRound) return;
    }
  }
}
