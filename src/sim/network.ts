/**
 * The simulated network: links between peers that keep the contract of `Network` in ports.ts, and ways to break them.
 *
 * A link is dialled by whoever wants it, comes up at both ends, carries frames in order and loses what is on its way only when it breaks. A cut direction holds
 * frames back, as TCP does, until it is mended or the link is given up for dead. Beyond the contract, single frames can be repeated or overtaken (see
 * `FrameFaults`). Gossip floods to whoever a chain of links leads to and promises nothing.
 */

import type { PeerId } from '../core/ids.ts';
import type { Message, Rumors } from '../core/messages.ts';
import type { SeededRandom } from '../core/random.ts';
import { between, happens, skewed } from './chance.ts';
import {
  type Direction,
  type FrameFaults,
  type Link,
  type NetworkCounters,
  type NetworkOptions,
  newCounters,
  noFrameFaults,
  openLink,
  sideOf,
} from './links.ts';
import { messageName, nameNumber, openMessage, packMessage, packRumors, type Parcel, sizeOf } from './wire.ts';
import type { World } from './world.ts';

/** A peer as the network sees it. */
export interface Endpoint {
  message(from: PeerId, message: Message): void;
  gossip(from: PeerId, rumors: Rumors): void;
  up(peer: PeerId): void;
  down(peer: PeerId): void;
}

interface Frame {
  readonly parcel: Parcel<Message>;
  readonly name: string;
  readonly generation: number;
}

/** To how many peers each one passes gossip on where there are too many links to walk along all of them. */
const fanOut = 6;
const backoffMinMs = 100;
const backoffMaxMs = 5000;

export class SimNetwork {
  /** Probabilities per frame; change them at any time. */
  readonly faults: FrameFaults = { ...noFrameFaults };
  readonly counters: NetworkCounters = newCounters();
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #options: NetworkOptions;
  readonly #names: readonly PeerId[];
  readonly #indexes: ReadonlyMap<PeerId, number>;
  readonly #endpoints: (Endpoint | undefined)[];
  readonly #links = new Map<number, Link<Frame>>();
  /** By peer, in the order of the others. */
  readonly #linksOf: Link<Frame>[][];
  /** Whom gossip reaches from a peer, and over how many links; forgotten when a link changes. */
  readonly #reached = new Map<number, ReadonlyMap<number, number>>();
  /** These peers were all linked at once; most of their links are made as objects only when something happens to them. */
  #formed: ReadonlySet<number> | undefined;

  constructor(world: World, names: readonly PeerId[], options: NetworkOptions) {
    this.#world = world;
    this.#random = world.stream('network');
    this.#options = options;
    this.#names = names;
    this.#indexes = new Map(names.map((name, index) => [name, index]));
    this.#endpoints = names.map(() => undefined);
    this.#linksOf = names.map(() => []);
  }

  /** Whether messages go through the codec. */
  get codec(): boolean {
    return this.#options.codec;
  }

  /** The peer listens from now on. */
  attach(who: number, endpoint: Endpoint): void {
    this.#endpoints[who] = endpoint;
  }

  /** The peer is gone. `silent`: as with a power cut, the others notice only when the link is given up for dead. */
  detach(who: number, silent: boolean): void {
    if (this.#formed !== undefined) for (let other = 0; other < this.#names.length; other++) if (other !== who) this.#link(who, other);
    this.#endpoints[who] = undefined;
    this.#reached.clear();
    for (const link of this.#linksOf[who] ?? []) {
      const own = sideOf(link, who);
      own.wanted = false;
      own.dialling = false;
      own.up = false;
      this.#break(link, silent ? this.#keepAliveMs() : undefined);
    }
  }

  /** Links all peers that are there, at once and without a word to them. */
  form(): void {
    this.#formed = new Set([...this.#endpoints.keys()].filter((who) => this.#endpoints[who] !== undefined));
  }

  connect(who: number, peer: PeerId): void {
    const other = this.#indexes.get(peer);
    if (other === undefined || other === who) return;
    const link = this.#link(who, other);
    const own = sideOf(link, who);
    if (own.wanted) return;
    own.wanted = true;
    own.failures = 0;
    this.#dial(link, own, 0);
  }

  /** False when there is surely no way to this peer now. */
  send(who: number, peer: PeerId, message: Message): boolean {
    const other = this.#indexes.get(peer);
    if (other === undefined) return false;
    const link = this.#formed !== undefined ? this.#link(who, other) : this.#links.get(this.#pair(who, other));
    if (link === undefined) return false;
    const own = sideOf(link, who);
    if (!own.up || own.held.length >= this.#options.heldMax) return false;
    const parcel = packMessage(message, this.#options.codec);
    const frame: Frame = { parcel, name: messageName(message), generation: own.generation };
    this.counters.sent++;
    this.counters.sentBytes += sizeOf(parcel);
    this.counters.byName.set(frame.name, (this.counters.byName.get(frame.name) ?? 0) + 1);
    if (!link.open || link.generation !== own.generation) this.counters.lostWithLink++;
    else this.#transmit(link, own, frame);
    return true;
  }

  #transmit(link: Link<Frame>, own: Direction<Frame>, frame: Frame): void {
    const { faults, counters } = this;
    const random = this.#random;
    if (happens(random, faults.loss)) {
      counters.lost++;
      return this.#break(link);
    }
    const [least, most] = this.#options.latencyMs;
    let latency = skewed(random, least, most);
    if (happens(random, faults.delay)) {
      counters.delayed++;
      latency += between(random, 20, faults.delayMaxMs);
    }
    const now = this.#world.nowMs;
    if (happens(random, faults.reorder)) {
      counters.reordered++;
      this.#arriveAt(link, own, frame, Math.max(own.readyAt, now + latency + between(random, 0, 50)));
    } else {
      own.lastAt = Math.max(own.lastAt, own.readyAt, now + latency);
      this.#arriveAt(link, own, frame, own.lastAt);
    }
    if (happens(random, faults.duplicate)) {
      counters.duplicated++;
      this.#arriveAt(link, own, frame, Math.max(own.lastAt, now + between(random, 0, 20)));
    }
    if (happens(random, faults.replay)) {
      counters.replayed++;
      this.#arriveAt(link, own, frame, Math.max(own.lastAt, now + between(random, 50, 3000)));
    }
  }

  #arriveAt(link: Link<Frame>, own: Direction<Frame>, frame: Frame, atMs: number): void {
    const detail = (nameNumber(frame.name) << 20) ^ sizeOf(frame.parcel);
    this.#world.after(atMs - this.#world.nowMs, 'message', own.to, () => this.#arrive(link, own, frame), detail);
  }

  #arrive(link: Link<Frame>, own: Direction<Frame>, frame: Frame): void {
    if (!link.open || link.generation !== frame.generation) {
      this.counters.lostWithLink++;
      return;
    }
    if (own.cuts > 0) {
      this.counters.held++;
      own.held.push(frame);
      return;
    }
    const endpoint = this.#endpoints[own.to];
    if (endpoint === undefined || !sideOf(link, own.to).up) {
      this.counters.lostWithLink++;
      return;
    }
    this.counters.delivered++;
    endpoint.message(this.#name(own.from), openMessage(frame.parcel));
  }

  /** Floods to all that a chain of sound links leads to. */
  publish(who: number, rumors: Rumors): void {
    const parcel = packRumors(rumors, this.#options.codec);
    if (this.#formed !== undefined) return this.#forward(parcel, who, who, new Set([who]));
    for (const [to, hops] of this.#reachable(who))
      this.#gossip(parcel, to, hops, () => this.#endpoints[to]?.gossip(this.#name(who), parcel.content));
  }

  /** From each peer that it reaches to some others, as long as it is new to them. */
  #forward(parcel: ReturnType<typeof packRumors>, origin: number, by: number, reached: Set<number>): void {
    for (const to of this.#someLinked(by)) {
      this.#gossip(parcel, to, 1, () => {
        if (reached.has(to)) return;
        reached.add(to);
        this.#endpoints[to]?.gossip(this.#name(origin), parcel.content);
        this.#forward(parcel, origin, to, reached);
      });
    }
  }

  #gossip(parcel: Parcel<Rumors>, to: number, hops: number, arrive: () => void): void {
    const [least, most] = this.#options.latencyMs;
    this.counters.gossipSent++;
    this.counters.gossipBytes += sizeOf(parcel);
    if (happens(this.#random, this.faults.gossipLoss)) {
      this.counters.gossipLost++;
      return;
    }
    const copies = happens(this.#random, this.faults.gossipDuplicate) ? 2 : 1;
    this.counters.gossipDuplicated += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      // A second copy may come much later, after newer gossip.
      const late = copy > 0 || happens(this.#random, this.faults.delay) ? between(this.#random, 20, 2000) : 0;
      const latency = skewed(this.#random, least, most) * hops + late;
      this.#world.after(latency, 'gossip', to, arrive, sizeOf(parcel));
    }
  }

  #reachable(who: number): ReadonlyMap<number, number> {
    let hops = this.#reached.get(who);
    if (hops === undefined) this.#reached.set(who, (hops = this.#walk(who)));
    return hops;
  }

  #walk(who: number): Map<number, number> {
    const hops = new Map([[who, 0]]);
    for (const [from, distance] of hops) {
      for (const link of this.#linksOf[from] ?? []) {
        const { to, cuts, up } = sideOf(link, from);
        if (link.open && up && cuts === 0 && !hops.has(to)) hops.set(to, distance + 1);
      }
    }
    hops.delete(who);
    return hops;
  }

  #someLinked(who: number): Set<number> {
    const some = new Set<number>();
    for (let i = 0; i < fanOut; i++) {
      const to = this.#random.below(this.#names.length);
      if (to === who) continue;
      const link = this.#link(who, to);
      const { up, cuts } = sideOf(link, who);
      if (link.open && up && cuts === 0) some.add(to);
    }
    return some;
  }

  /** Holds back all frames of one direction until as many `mend`s. Without `patient` the link is given up for dead after a while. */
  cut(from: number, to: number, patient = false): void {
    const link = this.#link(from, to);
    const own = sideOf(link, from);
    own.cuts++;
    this.#reached.clear();
    const { cutCount } = own;
    if (patient) return;
    this.#world.after(this.#keepAliveMs(), 'fault', from, () => {
      if (own.cuts > 0 && own.cutCount === cutCount && link.open) this.#break(link);
    });
  }

  mend(from: number, to: number): void {
    const link = this.#link(from, to);
    const own = sideOf(link, from);
    if (own.cuts === 0) return;
    own.cuts--;
    this.#reached.clear();
    if (own.cuts > 0) return;
    own.cutCount++;
    this.#release(link, own);
  }

  #release(link: Link<Frame>, own: Direction<Frame>): void {
    const held = own.held;
    own.held = [];
    if (held.length === 0) return;
    // At once, so that frames still on their way come after those that were held back.
    this.#world.after(0, 'message', own.to, () => held.forEach((frame) => this.#arrive(link, own, frame)), held.length);
  }

  /** Breaks the link of two peers; whoever wants it dials again. */
  reset(a: number, b: number): void {
    const link = this.#link(a, b);
    if (link.open) this.counters.resets++;
    this.#break(link);
  }

  /** All cuts are mended. */
  mendAll(): void {
    for (const link of this.#links.values()) {
      for (const own of link.sides) {
        own.cuts = Math.min(own.cuts, 1);
        this.mend(own.from, own.to);
      }
    }
  }

  linked(a: number, b: number): boolean {
    const link = this.#link(a, b);
    return link.open && link.sides[0].up && link.sides[1].up;
  }

  #break(link: Link<Frame>, noticedAfterMs?: number): void {
    if (!link.open) return;
    link.open = false;
    this.#reached.clear();
    const { generation } = link;
    for (const own of link.sides) {
      this.counters.lostWithLink += own.held.length;
      own.held = [];
      const noticed = (): void => {
        if (own.generation !== generation || !own.up) return this.#redial(link, own);
        own.up = false;
        this.#reached.clear();
        this.#endpoints[own.from]?.down(this.#name(own.to));
        this.#redial(link, own);
      };
      this.#world.after(noticedAfterMs ?? skewed(this.#random, 0, this.#options.latencyMs[1]), 'down', own.from, noticed, own.to);
    }
  }

  #redial(link: Link<Frame>, own: Direction<Frame>): void {
    if (own.wanted && !link.open && !own.dialling) this.#dial(link, own, 20);
  }

  #dial(link: Link<Frame>, own: Direction<Frame>, delayMs: number): void {
    own.dialling = true;
    const [, most] = this.#options.latencyMs;
    const endpoint = this.#endpoints[own.from];
    const dialled = (): void => {
      // A later run of the same peer dials for itself.
      if (this.#endpoints[own.from] !== endpoint || !own.wanted) return;
      own.dialling = false;
      if (link.open) return;
      const back = sideOf(link, own.to);
      if (this.#endpoints[own.to] !== undefined && own.cuts === 0 && back.cuts === 0) return this.#establish(link, own);
      const step = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(own.failures++, 10));
      this.#dial(link, own, between(this.#random, step / 2, step));
    };
    this.#world.after(delayMs + skewed(this.#random, 1, 3 * most), 'dial', own.from, dialled, own.to);
  }

  #establish(link: Link<Frame>, dialler: Direction<Frame>): void {
    link.open = true;
    this.#reached.clear();
    link.generation++;
    this.counters.links++;
    const now = this.#world.nowMs;
    for (const own of link.sides) {
      const delay = own === dialler ? skewed(this.#random, ...this.#options.latencyMs) : 0;
      own.failures = 0;
      // Frames towards this end come after it has heard that the link is up.
      const back = sideOf(link, own.to);
      back.readyAt = now + delay;
      back.lastAt = now + delay;
      const { generation } = link;
      this.#world.after(delay, 'up', own.from, () => this.#sideUp(link, own, generation), own.to);
    }
  }

  #sideUp(link: Link<Frame>, own: Direction<Frame>, generation: number): void {
    if (!link.open || link.generation !== generation) return;
    this.#reached.clear();
    const endpoint = this.#endpoints[own.from];
    const name = this.#name(own.to);
    // The link before this one broke, and this end has not heard of it yet.
    if (own.up) {
      own.up = false;
      endpoint?.down(name);
    }
    own.up = true;
    own.generation = generation;
    endpoint?.up(name);
  }

  #keepAliveMs(): number {
    return between(this.#random, ...this.#options.keepAliveMs);
  }

  #name(index: number): PeerId {
    return this.#names[index] as PeerId;
  }

  #pair(a: number, b: number): number {
    return a < b ? a * this.#names.length + b : b * this.#names.length + a;
  }

  #link(a: number, b: number): Link<Frame> {
    const pair = this.#pair(a, b);
    let link = this.#links.get(pair);
    if (link === undefined) {
      this.#links.set(pair, (link = openLink(Math.min(a, b), Math.max(a, b))));
      this.#addLink(a, b, link);
      this.#addLink(b, a, link);
      const belongs = (who: number): boolean => this.#formed?.has(who) === true && this.#endpoints[who] !== undefined;
      if (belongs(a) && belongs(b)) this.#openAtOnce(link);
    }
    return link;
  }

  #openAtOnce(link: Link<Frame>): void {
    link.open = true;
    this.#reached.clear();
    link.generation = 1;
    for (const own of link.sides) Object.assign(own, { up: true, wanted: true, generation: 1 });
  }

  #addLink(who: number, other: number, link: Link<Frame>): void {
    const links = this.#linksOf[who] ?? [];
    let at = links.length;
    while (at > 0 && otherEnd(links[at - 1], who) > other) at--;
    links.splice(at, 0, link);
  }
}

const otherEnd = (link: Link<Frame> | undefined, who: number): number => (link === undefined ? -1 : sideOf(link, who).to);
