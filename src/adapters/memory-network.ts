/**
 * A network inside one process, for tests and demos: every peer of one hub can reach every other, with failures made to order.
 *
 * It keeps the contract of `Network` to the letter: frames arrive later than they are sent, in order, at most once, and only a broken link
 * loses them. Each direction of a link is a queue that is emptied in turns of the event loop, so that a test's own timers always run.
 */

import { MeshError } from '../core/errors.ts';
import type { PeerId } from '../core/ids.ts';
import { peerId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import type { Network, NetworkHandlers, Path } from '../ports.ts';

export interface MemoryNetworkOptions {
  readonly self: PeerId;
  /** Addresses of other peers of the hub, as their `addresses()` tells them. */
  readonly bootstrap?: readonly string[];
  /** What may wait on one link before `send` says no. Default 32 MiB. */
  readonly sendQueueMaxBytes?: number;
}

/** Where the peers of one process meet, and where a test breaks things. */
export interface MemoryHub {
  network(options: MemoryNetworkOptions): Network;
  /** Breaks the link of two peers and keeps it broken until `mend`. What was under way is lost. */
  cut(a: PeerId, b: PeerId): void;
  mend(a: PeerId, b: PeerId): void;
  /** Breaks the link of two peers once; they may find each other again. */
  break(a: PeerId, b: PeerId): void;
  /** True drops this gossiped frame on its way to this peer: gossip promises nothing. */
  dropGossip: (from: PeerId, to: PeerId, frame: Uint8Array) => boolean;
}

interface Direction {
  readonly frames: Uint8Array[];
  bytes: number;
  scheduled: boolean;
  broken: boolean;
}

interface Member {
  readonly self: PeerId;
  readonly handlers: NetworkHandlers;
  readonly wanted: Set<PeerId>;
  /** What this peer has sent to others and they have not got yet, by receiver. */
  readonly links: Map<PeerId, Direction>;
  readonly queueMaxBytes: number;
}

interface Hub extends MemoryHub {
  readonly members: Map<PeerId, Member>;
  readonly cuts: Set<string>;
}

const addressPrefix = '/memory/';
const framesPerTurn = 64;

export function createMemoryHub(): MemoryHub {
  const hub: Hub = {
    members: new Map(),
    cuts: new Set(),
    dropGossip: () => false,
    network: (options) => new MemoryNetwork(hub, options),
    cut(a, b) {
      hub.cuts.add(pairName(a, b));
      breakLink(hub, a, b);
    },
    mend(a, b) {
      hub.cuts.delete(pairName(a, b));
      settle(hub);
    },
    break: (a, b) => breakLink(hub, a, b),
  };
  return hub;
}

class MemoryNetwork implements Network {
  readonly self: PeerId;
  readonly #hub: Hub;
  readonly #options: MemoryNetworkOptions;
  #member: Member | undefined;
  #closed = false;

  constructor(hub: Hub, options: MemoryNetworkOptions) {
    this.#hub = hub;
    this.#options = options;
    this.self = options.self;
  }

  addresses(): string[] {
    return this.#member === undefined ? [] : [`${addressPrefix}${this.self}`];
  }

  paths(): Path[] {
    const up = [...(this.#member?.links ?? [])].filter(([, link]) => !link.broken);
    return up.map(([peer]) => ({ peer, relay: undefined, transport: 'memory', direction: 'outbound' }));
  }

  async start(handlers: NetworkHandlers): Promise<void> {
    await nextTurn();
    if (this.#hub.members.has(this.self)) throw new MeshError('ADDRESS_IN_USE', `peer ${this.self} is already in this hub`);
    const wanted = new Set((this.#options.bootstrap ?? []).map((address) => peerId(address.slice(addressPrefix.length))));
    const queueMaxBytes = this.#options.sendQueueMaxBytes ?? 32 * 1024 * 1024;
    this.#member = { self: this.self, handlers, wanted, links: new Map(), queueMaxBytes };
    this.#hub.members.set(this.self, this.#member);
    settle(this.#hub);
  }

  send(to: PeerId, frame: Uint8Array): boolean {
    const member = this.#member;
    const link = member?.links.get(to);
    if (member === undefined || link === undefined || link.broken) {
      if (member !== undefined && to !== this.self) later(() => join(this.#hub, member, to));
      return false;
    }
    if (frame.length === 0 || frame.length > limits.frameMaxBytes) return false;
    if (link.bytes > 0 && link.bytes + frame.length > member.queueMaxBytes) return false;
    link.frames.push(new Uint8Array(frame));
    link.bytes += frame.length;
    deliver(this.#hub, this.self, to, link);
    return true;
  }

  publish(frame: Uint8Array): void {
    if (this.#member === undefined) return;
    const copy = new Uint8Array(frame);
    for (const to of reachable(this.#hub, this.self)) {
      if (this.#hub.dropGossip(this.self, to, copy)) continue;
      later(() => this.#hub.members.get(to)?.handlers.gossip(this.self, new Uint8Array(copy)));
    }
  }

  connect(peer: PeerId, _addresses: readonly string[]): void {
    if (this.#member === undefined || peer === this.self) return;
    this.#member.wanted.add(peer);
    settle(this.#hub);
  }

  forget(peer: PeerId): void {
    if (this.#member === undefined) return;
    this.#member.wanted.delete(peer);
    breakLink(this.#hub, this.self, peer);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const member = this.#member;
    this.#member = undefined;
    await nextTurn();
    if (member === undefined) return;
    this.#hub.members.delete(this.self);
    for (const peer of member.links.keys()) breakLink(this.#hub, this.self, peer);
  }
}

/** Opens, a turn later, every link that somebody wants and nothing forbids. */
function settle(hub: Hub): void {
  later(() => {
    for (const member of hub.members.values()) {
      for (const peer of member.wanted) join(hub, member, peer);
    }
  });
}

function join(hub: Hub, member: Member, peer: PeerId): void {
  const other = hub.members.get(peer);
  if (other === undefined || hub.members.get(member.self) !== member || hub.cuts.has(pairName(member.self, peer))) return;
  if (member.links.has(peer) || other.links.has(member.self)) return;
  member.links.set(peer, { frames: [], bytes: 0, scheduled: false, broken: false });
  other.links.set(member.self, { frames: [], bytes: 0, scheduled: false, broken: false });
  member.handlers.up(peer);
  other.handlers.up(member.self);
}

function breakLink(hub: Hub, a: PeerId, b: PeerId): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const member = hub.members.get(from);
    const link = member?.links.get(to);
    if (member === undefined || link === undefined || link.broken) continue;
    // It stays in the map until `down` was told, so that no `up` can overtake it.
    link.broken = true;
    later(() => {
      member.links.delete(to);
      if (hub.members.get(from) === member) member.handlers.down(to);
      settle(hub);
    });
  }
}

function deliver(hub: Hub, from: PeerId, to: PeerId, link: Direction): void {
  if (link.scheduled) return;
  link.scheduled = true;
  later(() => {
    link.scheduled = false;
    const receiver = hub.members.get(to);
    for (const frame of link.frames.splice(0, framesPerTurn)) {
      if (link.broken || receiver === undefined) return;
      link.bytes -= frame.length;
      receiver.handlers.message(from, frame);
    }
    if (link.frames.length > 0) deliver(hub, from, to, link);
  });
}

/** All peers that a chain of links leads to. */
function reachable(hub: Hub, from: PeerId): Set<PeerId> {
  const found = new Set([from]);
  for (const peer of found) {
    for (const [next, link] of hub.members.get(peer)?.links ?? []) {
      if (!link.broken) found.add(next);
    }
  }
  found.delete(from);
  return found;
}

const pairName = (a: PeerId, b: PeerId): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

function later(run: () => void): void {
  if (typeof setImmediate === 'function') setImmediate(run);
  else setTimeout(run, 0);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => later(resolve));
