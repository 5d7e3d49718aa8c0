/**
 * One peer in the simulated world: the very `Peer` that Node and the browser run, driven as src/runtime.ts drives it, with a life that can be ended, paused and
 * begun again. Its storage and its identity outlast its lives.
 */

import type { Reply, Request } from '../core/coordinator.ts';
import type { MeshError } from '../core/errors.ts';
import type { CoreEvent } from '../core/events.ts';
import type { Identity } from '../core/identity.ts';
import type { Instant, PeerId } from '../core/ids.ts';
import { type Output, Peer, type PeerOptions } from '../core/peer.ts';
import type { SeededRandom } from '../core/random.ts';
import type { News } from '../core/watching.ts';
import { between } from './chance.ts';
import { simIdentity } from './identity.ts';
import type { SimNetwork } from './network.ts';
import type { SimStorage } from './storage.ts';
import { describeMessage, describeReply, describeRequest } from './transcript.ts';
import type { World } from './world.ts';

type PeerSettings = Omit<PeerOptions, 'identity' | 'random' | 'durable'>;

export interface SimPeerOptions {
  readonly index: number;
  readonly id: PeerId;
  readonly world: World;
  readonly network: SimNetwork;
  readonly storage: SimStorage;
  readonly settings: PeerSettings;
  readonly bootstrap: readonly PeerId[];
  readonly event: (peer: number, event: CoreEvent) => void;
}

/** `undefined`: the peer is gone, and with it whoever could have answered. */
export type OnReply = (reply: Reply | undefined) => void;

type Input = (core: Peer, now: Instant) => void;

/** When the simulated world begins, in Unix milliseconds. */
const epochMs = 1_700_000_000_000;
const restartMs = 1000;

export class SimPeer {
  readonly index: number;
  readonly id: PeerId;
  readonly storage: SimStorage;
  readonly #options: SimPeerOptions;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #identity: Identity;
  readonly #monoOffsetMs: number;
  readonly #skewMs: number;
  #jumpedMs = 0;
  #lives = 0;
  #core: Peer | undefined;
  #paused = false;
  #backlog: Input[] = [];
  #pumping = false;
  #armedFor = Infinity;
  #wakeOrder = 0;
  #nextRequest = 1;
  readonly #replies = new Map<number, OnReply>();
  readonly #watches = new Map<number, (news: News) => void>();
  /** Why it could not start, if so. */
  startError: MeshError | undefined;

  constructor(options: SimPeerOptions) {
    this.#options = options;
    this.index = options.index;
    this.id = options.id;
    this.storage = options.storage;
    this.#world = options.world;
    this.#random = options.world.stream(`peer/${options.index}`);
    this.#identity = simIdentity(options.id);
    // Nobody's monotonic clock begins where another's does, and no two wall clocks agree.
    this.#monoOffsetMs = this.#random.below(1_000_000);
    this.#skewMs = between(this.#random, -200, 200);
  }

  /** Undefined while it is down. */
  get core(): Peer | undefined {
    return this.#core;
  }

  get up(): boolean {
    return this.#core !== undefined;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Up, running, and done with reading its storage. */
  get serving(): boolean {
    return this.#core?.started === true && !this.#paused;
  }

  now(): Instant {
    const { nowMs } = this.#world;
    return { mono: nowMs + this.#monoOffsetMs, wall: epochMs + nowMs + this.#skewMs + this.#jumpedMs };
  }

  start(): void {
    if (this.#core !== undefined) return;
    this.#lives++;
    this.startError = undefined;
    const { settings, network, bootstrap, world } = this.#options;
    const random = world.stream(`peer/${this.index}/${this.#lives}`);
    const { mayHaveForgotten } = this.storage;
    const firstCallId = 1 + world.stream(`calls/${this.index}/${this.#lives}`).u32();
    this.#core = new Peer({ ...settings, identity: this.#identity, random, firstCallId, durable: true, mayHaveForgotten });
    this.#armedFor = Infinity;
    world.trace?.(world.nowMs, `${this.id} starts`);
    network.attach(this.index, {
      message: (from, message) => {
        world.trace?.(world.nowMs, `${from} → ${this.id}: ${describeMessage(message)}`);
        this.#turn((core, now) => core.receive(now, from, message));
      },
      gossip: (from, rumors) => this.#turn((core, now) => (from === this.id ? undefined : core.gossiped(now, rumors))),
      up: (peer) => this.#turn((core, now) => core.linkUp(now, peer)),
      down: (peer) => this.#turn((core, now) => core.linkDown(now, peer)),
    });
    for (const peer of bootstrap) network.connect(this.index, peer);
    this.#turn((core, now) => core.start(now, [`/sim/${this.id}`]));
  }

  /** The process is gone. What its disk had not acknowledged may be gone too. */
  kill(options: { silent?: boolean } = {}): void {
    if (this.#core === undefined) return;
    this.#world.trace?.(this.#world.nowMs, `${this.id} is killed`);
    this.#core = undefined;
    this.#paused = false;
    this.#backlog = [];
    this.#armedFor = Infinity;
    this.#wakeOrder++;
    this.storage.crash();
    this.#options.network.detach(this.index, options.silent ?? false);
    const replies = [...this.#replies.values()];
    this.#replies.clear();
    this.#watches.clear();
    for (const reply of replies) reply(undefined);
  }

  /** Says goodbye as `close` of the public handle does; the caller kills it a little later. */
  announcePause(): void {
    this.#turn((core, now) => core.announcePause(now));
  }

  /** Stands still, as a stopped process or a frozen tab: its timers do not fire, and what arrives waits. */
  pause(): void {
    if (this.#core === undefined) return;
    this.#world.trace?.(this.#world.nowMs, `${this.id} stands still`);
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#world.trace?.(this.#world.nowMs, `${this.id} goes on`);
    this.#paused = false;
    const backlog = this.#backlog;
    this.#backlog = [];
    // Whether overdue timers or what has arrived comes first is the platform's choice.
    const timersFirst = this.#random.below(2) === 0;
    if (timersFirst) this.#turn((core, now) => core.tick(now));
    for (const input of backlog) this.#turn(input);
    this.#turn((core, now) => core.tick(now));
  }

  jumpClock(byMs: number): void {
    this.#world.trace?.(this.#world.nowMs, `${this.id}'s wall clock jumps by ${Math.round(byMs)} ms`);
    this.#jumpedMs += byMs;
  }

  /** The wall clock is set right again. */
  setClock(): void {
    this.#jumpedMs = 0;
  }

  request(request: Request, reply: OnReply, tell?: (news: News) => void): number {
    const id = this.#nextRequest++;
    if (this.#core === undefined) {
      reply(undefined);
      return id;
    }
    this.#world.trace?.(this.#world.nowMs, `${this.id} is asked: ${describeRequest(request)}`);
    this.#replies.set(id, reply);
    if (tell !== undefined) this.#watches.set(id, tell);
    this.#turn((core, now) => core.request(now, id, request));
    return id;
  }

  abort(id: number): void {
    this.#turn((core, now) => core.abort(now, id));
  }

  /** Lets a checker ask the machines inside, as one more event of this peer. */
  inspect(look: (core: Peer, now: Instant) => void): void {
    this.#turn(look);
  }

  #turn(input: Input): void {
    const core = this.#core;
    if (core === undefined) return;
    if (this.#paused) {
      this.#backlog.push(input);
      return;
    }
    input(core, this.now());
    this.#pump(core);
  }

  #pump(core: Peer): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let outputs = core.drain(); outputs.length > 0; outputs = core.drain()) {
      for (const output of outputs) {
        // A reply's receiver may have killed the peer.
        if (this.#core !== core) break;
        this.#carryOut(core, output);
      }
    }
    this.#pumping = false;
    if (this.#core === core) this.#arm(core);
  }

  #carryOut(core: Peer, output: Output): void {
    const { network, event } = this.#options;
    switch (output.type) {
      case 'send':
        if (!network.send(this.index, output.to, output.message)) core.unsent(this.now(), output.to, output.message);
        return;
      case 'gossip':
        return network.publish(this.index, output.rumors);
      case 'disk':
        return this.storage.submit(output.request, (answer) => this.#turn((peer, now) => peer.stored(now, answer)));
      case 'connect':
        return network.connect(this.index, output.peer);
      case 'reply': {
        const reply = this.#replies.get(output.id);
        this.#replies.delete(output.id);
        this.#watches.delete(output.id);
        this.#world.trace?.(this.#world.nowMs, `${this.id} answers: ${describeReply(output.reply)}`);
        return reply?.(output.reply);
      }
      case 'news':
        return this.#watches.get(output.id)?.(output.news);
      case 'started':
        this.startError = output.error;
        if (output.error !== undefined) this.#startAgain(core);
        return;
      case 'evicted':
        return this.#startAgain(core);
      case 'event':
        return event(this.index, output.event);
    }
  }

  /** A program that cannot read its disk ends, and whoever looks after it starts it again. */
  #startAgain(core: Peer): void {
    this.#world.after(restartMs, 'life', this.index, () => {
      if (this.#core !== core) return;
      this.kill();
      this.start();
    });
  }

  #arm(core: Peer): void {
    const { wakeAt = Infinity } = core;
    if (wakeAt >= this.#armedFor) return;
    this.#armedFor = wakeAt;
    const order = ++this.#wakeOrder;
    const delayMs = Math.ceil(Math.max(0, wakeAt - this.now().mono) * 1000) / 1000;
    this.#world.after(delayMs, 'wake', this.index, () => {
      if (order !== this.#wakeOrder || this.#core !== core) return;
      this.#armedFor = Infinity;
      if (!this.#paused) this.#turn((peer, now) => peer.tick(now));
    });
  }
}
