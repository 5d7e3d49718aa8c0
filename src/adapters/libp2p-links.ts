/**
 * The links of a peer: for each other peer at most one outgoing stream (ours to send on) and one incoming stream (theirs).
 *
 * A link is `up` when the other side has said, with one byte on our outgoing stream, that its handler reads it; it is `down` once when that
 * stream or its connection closes. A link is opened when the peer is wanted (`connect`), when it has opened its own stream to us, and when
 * somebody sends to it. Both sides may dial at the same time: two connections then live side by side, each direction keeps the stream that
 * it has, nothing flaps.
 *
 * A link through a relay moves to a WebRTC connection when there is one, without going down: the sender opens a stream there and closes the old one after its
 * last frame, and the receiver reads the new one when the old one has ended. The relayed connection stays, for the link to fall back on.
 */

import type { Connection, Libp2p, PeerId as Libp2pPeerId, Stream } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { MeshError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import { peerId } from '../core/ids.ts';
import type { NetworkHandlers, Path } from '../ports.ts';
import { Calls } from './libp2p-calls.ts';
import type { Report } from './libp2p-events.ts';
import { backoffMs, errorText } from './libp2p-events.ts';
import { FrameReader } from './libp2p-framing.ts';
import { updateWindowRarely } from './libp2p-muxer.ts';
import { goOn, untilReady, whenEnded } from './libp2p-handover.ts';
import { isRelayed, isRelayedAddress, parsePeerId, pathOf, withPeer } from './libp2p-paths.ts';
import { Turns } from './libp2p-turns.ts';
import { FrameWriter } from './libp2p-writer.ts';

export interface LinksOptions {
  readonly node: Libp2p;
  readonly protocol: string;
  readonly handlers: NetworkHandlers;
  readonly report: Report;
  readonly frameMaxBytes: number;
  readonly queueMaxBytes: number;
  readonly stallTimeoutMs: number;
  /** The last link went down. */
  readonly onAlone: () => void;
  /** Call peers for WebRTC that are reached through a relay. */
  readonly webRtc: boolean;
  /** Links to peers behind a relay beyond which none is opened without need. */
  readonly relayedLinksMax: number;
}

interface Incoming {
  readonly stream: Stream;
  readonly connection: Connection;
}

interface Link {
  readonly peer: PeerId;
  readonly id: Libp2pPeerId;
  addresses: readonly Multiaddr[];
  wanted: boolean;
  /** All of its addresses lead through relays. */
  isRelayedOnly: boolean;
  writer: FrameWriter | undefined;
  /** Incoming streams that wait for the writer. */
  unread: Stream[];
  /** Where the writer's stream lies. */
  connection: Connection | undefined;
  incoming: Incoming | undefined;
  opening: boolean;
  /** From a relayed connection to a better one. */
  moving: boolean;
  /** For its turn to be dialled. */
  waiting: boolean;
  failures: number;
  upSince: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  readonly calls: Calls;
}

const openTimeoutMs = 15_000;
const dialTimeoutMs = 30_000;
/** A link that lived this long was sound: the next dial starts without a penalty. */
const soundAfterMs = 5000;
/** Peers behind relays come and go: they are dialled less and less often. */
const relayedBackoffMaxMs = 60_000;
/** For how long such a peer may be on its way to us before we look for it. */
const relayedPatienceMs = 2000;
const linksMax = 65_536;
const forgottenMax = 4096;
const connectionsPerPeerMax = 4;
const streamsPerConnectionMax = 32;
const ready = Uint8Array.of(1);

export class Links {
  readonly #options: LinksOptions;
  readonly #links = new Map<PeerId, Link>();
  readonly #streamsOpened = new WeakMap<Connection, number>();
  /** Peers that nobody wants any more; libp2p's own parts (the DHT) must not dial them again. */
  readonly #forgotten = new Set<PeerId>();
  /** Each dial through a relay costs it a dozen round trips: when many tabs come at once, they would stifle it. */
  readonly #dialTurns = new Turns(2);
  readonly #callTurns = new Turns(2);
  #upCount = 0;
  #closed = false;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  get upCount(): number {
    return this.#upCount;
  }

  has(peer: PeerId): boolean {
    return this.#links.get(peer)?.writer !== undefined;
  }

  send(to: PeerId, frame: Uint8Array): boolean {
    const link = this.#links.get(to);
    if (link?.writer !== undefined) return link.writer.send(frame);
    // A waiting timer is the pause after a failed dial: senders in a hurry must not shorten it.
    if (link === undefined || link.timer === undefined) this.touch(to);
    return false;
  }

  connect(peer: PeerId, addresses: readonly Multiaddr[]): void {
    const link = this.#link(peer);
    if (link === undefined) return;
    link.wanted = true;
    this.#forgotten.delete(peer);
    if (addresses.length > 0) link.addresses = addresses;
    link.isRelayedOnly = link.addresses.length > 0 && link.addresses.every(isRelayedAddress);
    link.calls.soon();
    if (link.timer !== undefined) return;
    if (link.isRelayedOnly && !this.#dialsFirst(link)) this.#openLater(link, relayedPatienceMs);
    else this.#open(link);
  }

  paths(): Path[] {
    const up = [...this.#links.values()].filter((link) => link.writer !== undefined);
    return up.flatMap(({ peer, connection }) => (connection === undefined ? [] : { peer, ...pathOf(connection) }));
  }

  /** Of two peers behind relays one begins; a peer that can be dialled lets the other one come. */
  #dialsFirst(link: Link): boolean {
    return this.#options.webRtc && this.#options.node.peerId.toString() < link.peer;
  }

  forget(peer: PeerId): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    link.wanted = false;
    this.#forgotten.add(peer);
    if (this.#forgotten.size > forgottenMax) this.#forgotten.delete(first(this.#forgotten));
    this.#hangUp(link);
    this.#retry(link);
  }

  isForgotten(peer: PeerId): boolean {
    return this.#forgotten.has(peer);
  }

  /** Opens a link to a peer that somebody needs, once; it is not kept. */
  touch(peer: PeerId, connection?: Connection): void {
    const link = this.#link(peer);
    if (link === undefined) return;
    this.#forgotten.delete(peer);
    this.#open(link, connection);
  }

  /** The other side opened its stream to us. The newest one counts: an honest peer opens another only when the last is dead. */
  accept(stream: Stream, connection: Connection): void {
    const link = this.#link(peerId(connection.remotePeer.toString()));
    const opened = (this.#streamsOpened.get(connection) ?? 0) + 1;
    this.#streamsOpened.set(connection, opened);
    if (link === undefined || opened > streamsPerConnectionMax) {
      connection.abort(new Error('too many streams'));
      return;
    }
    const replaced = link.incoming;
    link.incoming = { stream, connection };
    stream.pause();
    this.#read(link, stream, connection);
    if (replaced !== undefined && isRelayed(replaced.connection) && !isRelayed(connection)) {
      whenEnded(replaced.stream, () => this.#letCome(link, stream));
    } else {
      if (replaced !== undefined) replaced.stream.abort(new Error('replaced by a newer stream'));
      if (replaced !== undefined && replaced.connection !== connection) this.#abandon(link, replaced.connection);
      this.#letCome(link, stream);
    }
    if (link.writer !== undefined) void this.#move(link);
    else this.#open(link, connection);
  }

  /** What comes may want an answer: it is read when there is a way back. */
  #letCome(link: Link, stream: Stream): void {
    if (link.writer !== undefined) goOn(stream);
    else link.unread.push(stream);
  }

  /** The other side has given up this connection. */
  #abandon(link: Link, connection: Connection): void {
    const { writer } = link;
    connection.abort(new Error('replaced by a newer connection'));
    if (writer !== undefined && link.connection === connection) this.#fall(link, writer);
  }

  onConnection(connection: Connection): void {
    const peer = peerId(connection.remotePeer.toString());
    const connections = this.#options.node.getConnections(connection.remotePeer);
    if (connection.direction === 'inbound' && connections.length > connectionsPerPeerMax) {
      this.#options.report({ type: 'hostile', peer, error: 'too many connections' });
      connection.abort(new Error('too many connections'));
      return;
    }
    const link = this.#links.get(peer);
    if (link === undefined) return;
    if (link.writer !== undefined) void this.#move(link);
    else if (link.wanted || link.incoming !== undefined) this.#open(link, connection);
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) {
      clearTimeout(link.timer);
      link.calls.close();
    }
  }

  #link(peer: PeerId): Link | undefined {
    const known = this.#links.get(peer);
    if (known !== undefined || this.#closed) return known;
    if (this.#links.size >= linksMax || peer === this.#options.node.peerId.toString()) return undefined;
    const id = parsePeerId(peer);
    if (id === undefined) return undefined;
    const link: Link = {
      peer,
      id,
      addresses: [],
      wanted: false,
      isRelayedOnly: false,
      writer: undefined,
      connection: undefined,
      unread: [],
      incoming: undefined,
      opening: false,
      moving: false,
      waiting: false,
      failures: 0,
      upSince: 0,
      timer: undefined,
      calls: new Calls({
        node: this.#options.node,
        report: this.#options.report,
        turns: this.#callTurns,
        reachedBy: () => (link.isRelayedOnly && this.#dialsFirst(link) ? link.connection : undefined),
      }),
    };
    this.#links.set(peer, link);
    return link;
  }

  #open(link: Link, connection?: Connection): void {
    if (link.opening || link.writer !== undefined || this.#closed) return;
    clearTimeout(link.timer);
    link.timer = undefined;
    const isThere = connection !== undefined || this.#options.node.getConnections(link.id).length > 0;
    if (isThere || !link.isRelayedOnly) return void this.#openNow(link, connection);
    if (link.waiting) return;
    link.waiting = true;
    void this.#dialTurns.run(() => {
      link.waiting = false;
      return this.#openNow(link);
    });
  }

  async #openNow(link: Link, connection?: Connection): Promise<void> {
    if (link.opening || link.writer !== undefined || this.#closed || this.#links.get(link.peer) !== link) return;
    link.opening = true;
    const error = await this.#attempt(link, connection);
    link.opening = false;
    if (error !== undefined) this.#options.report({ type: 'dial-failed', peer: link.peer, error });
    if (link.writer === undefined) this.#retry(link);
  }

  /** One try to open our stream. Answers what went wrong, if anything; never rejects. */
  async #attempt(link: Link, offered: Connection | undefined): Promise<string | undefined> {
    let connection: Connection | undefined;
    let stream: Stream | undefined;
    try {
      connection = offered?.status === 'open' ? offered : await this.#dial(link);
      stream = await this.#newStream(connection);
      if (this.#closed) throw new Error('closed');
      this.#raise(link, stream, connection);
      return undefined;
    } catch (error) {
      for (const incoming of link.unread.splice(0)) goOn(incoming);
      const reason = error instanceof Error ? error : new Error(String(error));
      stream?.abort(reason);
      // A connection that cannot carry our stream is of another cluster, or dead without knowing it.
      const useless = reason.name !== 'TimeoutError' && reason.name !== 'AbortError';
      if (connection !== undefined && (useless || link.failures > 1)) connection.abort(reason);
      return this.#closed ? undefined : errorText(error);
    }
  }

  /** A stream that the other side has begun to read. */
  async #newStream(connection: Connection): Promise<Stream> {
    const signal = AbortSignal.timeout(openTimeoutMs);
    const stream = await connection.newStream(this.#options.protocol, { signal, runOnLimitedConnection: true });
    await untilReady(stream, signal).catch((error: unknown) => {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    });
    return stream;
  }

  async #dial(link: Link): Promise<Connection> {
    const { node } = this.#options;
    const signal = AbortSignal.timeout(dialTimeoutMs);
    const open = node.getConnections(link.id).filter((connection) => connection.status === 'open');
    const best = open.find((connection) => !isRelayed(connection)) ?? open[0];
    if (best !== undefined) return best;
    const addresses = link.addresses.map((address) => withPeer(address, link.peer));
    // Every fourth try asks the others where the peer is now.
    if (link.failures % 4 === 3) {
      const found = await node.peerRouting.findPeer(link.id, { signal }).catch(() => undefined);
      for (const address of found?.multiaddrs ?? []) addresses.push(withPeer(address, link.peer));
    }
    return node.dial(addresses.length > 0 ? addresses : link.id, { signal });
  }

  #raise(link: Link, stream: Stream, connection: Connection): void {
    this.#write(link, stream, connection);
    link.upSince = performance.now();
    this.#upCount++;
    this.#options.handlers.up(link.peer);
    for (const incoming of link.unread.splice(0)) goOn(incoming);
    void this.#move(link);
    link.calls.anew();
  }

  #write(link: Link, stream: Stream, connection: Connection): void {
    if (stream.status !== 'open') throw new Error('the stream closed while it was opened');
    const { frameMaxBytes, queueMaxBytes, stallTimeoutMs, report } = this.#options;
    const onStall = (error: Error): void => {
      report({ type: 'hostile', peer: link.peer, error: error.message });
      connection.abort(error);
    };
    const writer = new FrameWriter({ stream, frameMaxBytes, queueMaxBytes, stallTimeoutMs, onStall });
    stream.addEventListener('close', () => this.#fall(link, writer), { once: true });
    const abandoned = (): void => {
      if (link.writer === writer) stream.abort(new Error('the peer closed the stream'));
    };
    stream.addEventListener('remoteCloseWrite', abandoned, { once: true });
    link.writer = writer;
    link.connection = connection;
  }

  /** Takes a link from a relayed connection to a better one, if there is one; also to one that came while the link was opened. */
  async #move(link: Link): Promise<void> {
    if (this.#closed || link.moving || link.connection === undefined || !isRelayed(link.connection)) return;
    const connection = this.#directConnection(link);
    if (connection === undefined) return;
    link.moving = true;
    const moved = await this.#moveTo(link, connection);
    link.moving = false;
    if (moved === undefined) return void this.#move(link);
    if ((await moved.finish()) || this.#closed) return;
    // The relayed connection broke with frames under way.
    this.#options.handlers.down(link.peer);
    if (link.writer !== undefined) this.#options.handlers.up(link.peer);
  }

  /** Answers the writer that is left behind; nothing when the link fell, or when the connection is of no use and was closed. Never rejects. */
  async #moveTo(link: Link, connection: Connection): Promise<FrameWriter | undefined> {
    try {
      const stream = await this.#newStream(connection);
      const old = link.writer;
      if (this.#closed || old === undefined) stream.abort(new Error('the link is down'));
      else this.#write(link, stream, connection);
      return old;
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)));
      if (!this.#closed) this.#options.report({ type: 'dial-failed', peer: link.peer, error: `WebRTC: ${errorText(error)}` });
      return undefined;
    }
  }

  /** Who began a connection opens the first stream on it: both at once would be too much for WebRTC. */
  #directConnection({ id, incoming }: Link): Connection | undefined {
    return this.#options.node
      .getConnections(id)
      .find((one) => one.status === 'open' && !isRelayed(one) && (one.direction === 'outbound' || one === incoming?.connection));
  }

  #fall(link: Link, writer: FrameWriter): void {
    if (link.writer !== writer) return;
    link.writer = undefined;
    link.connection = undefined;
    this.#upCount--;
    if (this.#closed) return;
    if (performance.now() - link.upSince > soundAfterMs) link.failures = 0;
    if (performance.now() - link.upSince > relayedBackoffMaxMs) link.calls.forgive();
    this.#options.handlers.down(link.peer);
    this.#retry(link);
    if (this.#upCount === 0) this.#options.onAlone();
  }

  #retry(link: Link): void {
    if (this.#closed || link.timer !== undefined || link.opening || link.writer !== undefined) return;
    this.#openLater(link, link.isRelayedOnly ? backoffMs(link.failures++ + 4, relayedBackoffMaxMs) : backoffMs(link.failures++));
  }

  #openLater(link: Link, delayMs: number): void {
    link.timer = setTimeout(() => {
      link.timer = undefined;
      if (link.incoming === undefined && link.wanted && link.isRelayedOnly && this.#hasEnoughRelayed())
        this.#openLater(link, relayedBackoffMaxMs);
      else if (link.wanted || link.incoming !== undefined) this.#open(link);
      else this.#links.delete(link.peer);
    }, delayMs);
  }

  #hasEnoughRelayed(): boolean {
    let up = 0;
    for (const link of this.#links.values()) if (link.isRelayedOnly && link.writer !== undefined) up++;
    return up >= this.#options.relayedLinksMax;
  }

  #read(link: Link, stream: Stream, connection: Connection): void {
    const { handlers, report, frameMaxBytes } = this.#options;
    updateWindowRarely(stream);
    const reader = new FrameReader(frameMaxBytes, (frame) => {
      if (!this.#closed) handlers.message(link.peer, frame);
    });
    stream.addEventListener('message', (event) => {
      try {
        if (event.data instanceof Uint8Array) reader.push(event.data);
        else for (const chunk of event.data) reader.push(chunk);
      } catch (error) {
        if (!(error instanceof MeshError) || error.code !== 'FRAME_INVALID') throw error;
        report({ type: 'hostile', peer: link.peer, error: error.message });
        connection.abort(error);
      }
    });
    whenEnded(stream, () => {
      if (link.incoming?.stream === stream) link.incoming = undefined;
      link.unread = link.unread.filter((unread) => unread !== stream);
      stream.close().catch(() => {});
    });
    stream.send(ready);
  }

  #hangUp(link: Link): void {
    for (const connection of this.#options.node.getConnections(link.id)) {
      connection.close().catch((error: unknown) => connection.abort(error instanceof Error ? error : new Error(String(error))));
    }
  }
}

function first(peers: ReadonlySet<PeerId>): PeerId {
  for (const peer of peers) return peer;
  throw new MeshError('INTERNAL', 'bug: first of an empty set');
}
