/**
 * Drives one Peer over real ports: the only bridge between the synchronous core and promises. It hands in what happens, carries out what the peer wants,
 * and sleeps until the peer's next timer. It decides nothing.
 */

import { decodeMessage, encodeMessage } from './core/codec.ts';
import type { Request, Reply } from './core/coordinator.ts';
import { MeshError } from './core/errors.ts';
import type { CoreEvent, MeshEvent } from './core/events.ts';
import type { Instant, PeerId } from './core/ids.ts';
import { decodeRumors, encodeRumors } from './core/member-codec.ts';
import { type Output, Peer, type PeerOptions } from './core/peer.ts';
import { Waiting } from './core/waiting.ts';
import type { News } from './core/watching.ts';
import { DiskDriver } from './disk-driver.ts';
import type { Clock, Network, Path, Storage } from './ports.ts';

/** Takes requests to a peer, which may run elsewhere. */
export interface Requester {
  now(): Instant;
  onEvent(listener: (event: MeshEvent) => void): () => void;
  /** Ends with a reply of the request's type, or rejects with a MeshError. A watch tells news until it is aborted. */
  request(request: Request, signal?: AbortSignal, tell?: (news: News) => void): Promise<Exclude<Reply, { type: 'failed' }>>;
}

/** A driven peer, as the public handle needs it. */
export interface Driver extends Requester {
  readonly peer: Peer;
  paths(): Path[];
  until(condition: () => boolean, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<void>;
  readonly ended: Promise<MeshError>;
  close(): Promise<void>;
}

export interface RuntimeOptions {
  readonly peer: Omit<PeerOptions, 'durable' | 'mayHaveForgotten'>;
  readonly network: Network;
  readonly storage: Storage;
  readonly clock: Clock;
}

const addressCheckMs = 10_000;
const quietMs = 50;
const evictedText = 'this peer was removed from the cluster: started again, it joins anew with an empty store';
/** How long a stop waits for its own announcement to leave. */
const farewellMs = 100;

export class Runtime implements Driver {
  readonly peer: Peer;
  readonly #network: Network;
  readonly #storage: Storage;
  readonly #disk: DiskDriver;
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: MeshEvent) => void>();
  readonly #replies = new Waiting<number, (reply: Reply) => void>();
  readonly #watches = new Map<number, (news: News) => void>();
  #nextRequest = 1;
  #pumpIsDue = false;
  #instant: Instant | undefined;
  #closed = false;
  #armedFor = Infinity;
  /** Since a link was up. */
  #lastFailure: string | undefined;
  #cancelWake: () => void = () => {};
  #cancelAddressCheck: () => void = () => {};
  #started: (error: MeshError | undefined) => void = () => {};
  #ended: (reason: MeshError) => void = () => {};
  /** Resolves when the peer is closed, with the reason: code `CLOSED`, or `REMOVED` when the cluster did it. */
  readonly ended: Promise<MeshError> = new Promise((resolve) => {
    this.#ended = resolve;
  });

  constructor(options: RuntimeOptions) {
    this.#network = options.network;
    this.#storage = options.storage;
    this.#disk = new DiskDriver(options.storage, (answer) => {
      if (!this.#closed) this.peer.stored(this.now(), answer);
    });
    this.#clock = options.clock;
    const { durable, mayHaveForgotten = false } = options.storage;
    const firstCallId = 1 + options.peer.random.u32() * 2 ** 16;
    this.peer = new Peer({ ...options.peer, firstCallId, durable, mayHaveForgotten });
    this.peer.watched = false;
  }

  /** One instant for all that happens within a turn of the event loop's microtasks. */
  now(): Instant {
    this.#instant ??= { mono: this.#clock.mono(), wall: this.#clock.wall() };
    this.#pumpSoon();
    return this.#instant;
  }

  /** Resolves when the peer serves requests. Rejects when the network cannot listen or the storage cannot be read. */
  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => {
      this.#started = (error) => (error === undefined ? resolve() : reject(error));
    });
    await this.#network.start({
      message: (from, frame) => this.#received(from, frame),
      gossip: (from, frame) => this.#gossiped(from, frame),
      up: (peer) => {
        this.#lastFailure = undefined;
        this.#turn((now) => this.peer.linkUp(now, peer));
      },
      down: (peer) => this.#turn((now) => this.peer.linkDown(now, peer)),
      addressesChanged: () => this.#announceAddresses(),
    });
    this.#turn((now) => this.peer.start(now, this.#network.addresses()));
    await started.catch(async (error: unknown) => {
      await this.#network.close();
      throw error;
    });
    this.#watchAddresses();
  }

  /** Addresses can change while a peer runs: another network, a relay. */
  #watchAddresses(): void {
    this.#cancelAddressCheck = this.#clock.after(addressCheckMs, () => {
      this.#announceAddresses();
      this.#watchAddresses();
    });
  }

  #announceAddresses(): void {
    this.#turn((now) => this.peer.announceAddresses(now, this.#network.addresses()));
  }

  paths(): Path[] {
    return this.#network.paths();
  }

  onEvent(listener: (event: MeshEvent) => void): () => void {
    this.#listeners.add(listener);
    this.peer.watched = true;
    return () => {
      this.#listeners.delete(listener);
      this.peer.watched = this.#listeners.size > 0;
    };
  }

  request(request: Request, signal?: AbortSignal, tell?: (news: News) => void): Promise<Exclude<Reply, { type: 'failed' }>> {
    if (this.#closed) return Promise.reject(new MeshError('CLOSED', 'the peer is closed'));
    if (signal?.aborted === true) return Promise.reject(new MeshError('ABORTED', 'the request was aborted before it began'));
    return new Promise((resolve, reject) => {
      const id = this.#nextRequest++;
      const abort = signal && ((): void => this.#turn((now) => this.peer.abort(now, id)));
      if (abort !== undefined) signal?.addEventListener('abort', abort, { once: true });
      if (tell !== undefined) this.#watches.set(id, tell);
      this.#replies.set(id, (reply) => {
        if (tell !== undefined) this.#watches.delete(id);
        if (abort !== undefined) signal?.removeEventListener('abort', abort);
        if (reply.type === 'failed') reject(reply.error);
        else resolve(reply);
      });
      this.peer.request(this.now(), id, request);
    });
  }

  /** Resolves when the condition holds, which is looked at after every event. */
  async until(condition: () => boolean, options: { timeoutMs?: number; signal?: AbortSignal }): Promise<void> {
    const { timeoutMs = 30_000, signal } = options;
    const deadline = this.#clock.mono() + timeoutMs;
    while (!condition()) {
      if (this.#closed) throw new MeshError('CLOSED', 'the peer was closed');
      if (signal?.aborted === true) throw new MeshError('ABORTED', 'the wait was aborted');
      if (this.#clock.mono() > deadline)
        throw new MeshError(
          'TIMEOUT',
          `not ready after ${timeoutMs} ms: ${this.#lastFailure ?? 'are the bootstrap addresses right, and their peers running?'}`,
        );
      await this.#nextEvent();
    }
  }

  /** The next event, or a short while without one. */
  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.onEvent(() => done());
      const cancel = this.#clock.after(quietMs, () => done());
      const done = (): void => {
        stop();
        cancel();
        resolve();
      };
    });
  }

  /** A try to reach a peer or an address failed. That is worth a word while nobody else is reached. */
  notReached(where: string, reason: string): void {
    if (this.#closed || this.paths().length > 0) return;
    this.#lastFailure = `${where}: ${reason}`;
    this.#emit({ type: 'alone', where, reason });
  }

  /** This peer stops for a while, as far as it knows: the others keep what is for it. */
  pause(): void {
    this.#turn((now) => this.peer.announcePause(now));
  }

  resume(): void {
    this.#turn((now) => this.peer.announceReturn(now));
  }

  /** Says goodbye, then closes network and storage. `reason`: what ends the requests that are still open. */
  async close(reason = new MeshError('CLOSED', 'the peer was closed')): Promise<void> {
    if (this.#closed) return;
    this.#turn((now) => this.peer.announcePause(now));
    await new Promise<void>((resolve) => void this.#clock.after(farewellMs, resolve));
    this.#closed = true;
    this.#cancelWake();
    this.#cancelAddressCheck();
    for (const id of [...this.#replies.keys()]) this.#replies.take(id)?.({ type: 'failed', error: reason });
    await this.#network.close();
    await this.#storage.close();
    this.#ended(reason);
  }

  #received(from: PeerId, frame: Uint8Array): void {
    if (this.#closed) return;
    const message = this.#decoded(from, frame, decodeMessage);
    if (message !== undefined) this.peer.receive(this.now(), from, message);
  }

  #gossiped(from: PeerId, frame: Uint8Array): void {
    if (this.#closed) return;
    const rumors = this.#decoded(from, frame, decodeRumors);
    if (rumors !== undefined) this.peer.gossiped(this.now(), rumors);
  }

  #decoded<T>(from: PeerId, frame: Uint8Array, decode: (frame: Uint8Array) => T): T | undefined {
    try {
      return decode(frame);
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      this.#emit({ type: 'badFrame', peer: from, reason: error.message });
      return undefined;
    }
  }

  #turn(input: (now: Instant) => void): void {
    if (!this.#closed) input(this.now());
  }

  /** A chunk of the network brings many frames: what they lead to is carried out together. */
  #pumpSoon(): void {
    if (this.#pumpIsDue) return;
    this.#pumpIsDue = true;
    queueMicrotask(() => this.#pump());
  }

  #pump(): void {
    if (this.#closed) return;
    for (let outputs = this.peer.drain(); outputs.length > 0; outputs = this.peer.drain()) {
      for (const output of outputs) this.#carryOut(output);
    }
    this.#disk.flush();
    this.#pumpIsDue = false;
    this.#instant = undefined;
    this.#arm();
  }

  #arm(): void {
    const { wakeAt = Infinity } = this.peer;
    if (wakeAt >= this.#armedFor) return;
    this.#cancelWake();
    this.#armedFor = wakeAt;
    this.#cancelWake = this.#clock.after(Math.max(0, wakeAt - this.#clock.mono()), () => {
      this.#armedFor = Infinity;
      this.#turn((now) => this.peer.tick(now));
    });
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case 'send':
        if (!this.#network.send(output.to, encodeMessage(output.message))) this.peer.unsent(this.now(), output.to, output.message);
        return;
      case 'gossip':
        return this.#network.publish(encodeRumors(output.rumors));
      case 'disk':
        return this.#disk.ask(output.request);
      case 'connect':
        return this.#network.connect(output.peer, output.addresses);
      case 'reply':
        this.#replies.take(output.id)?.(output.reply);
        return;
      case 'news':
        return this.#watches.get(output.id)?.(output.news);
      case 'started':
        return this.#started(output.error);
      case 'evicted':
        return void this.close(new MeshError('REMOVED', evictedText));
      case 'event':
        return this.#emit(output.event);
    }
  }

  #emit(event: CoreEvent): void {
    // What fails here meets the next commit, too, which tells of it.
    if (event.type === 'cleared') void this.#storage.compact?.().catch(() => undefined);
    const timed: MeshEvent = { ...event, at: this.#clock.wall() };
    for (const listener of this.#listeners) {
      try {
        listener(timed);
      } catch (error) {
        // The listener's mistake is told as one of its own: the peer goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
