/**
 * Some peers in one simulated world, and what a test or a fault does to them: start, kill, pause, split, ask. Scenarios read like the story they tell;
 * the random workload uses the same door.
 */

import type { CoreEvent } from '../core/events.ts';
import type { HintLimits } from '../core/hint-index.ts';
import { type DurabilityClass, peerId, type PeerId } from '../core/ids.ts';
import { type MemberState, stateOf } from '../core/member-table.ts';
import { Placements } from '../core/placement.ts';
import { defaultProbeTimes, type ProbeTimes } from '../core/prober.ts';
import type { ReaperTimes } from '../core/reaper.ts';
import type { Reply, Request } from '../core/coordinator.ts';
import { defaultNetworkOptions, type NetworkOptions } from './links.ts';
import { SimNetwork } from './network.ts';
import { SimPeer } from './sim-peer.ts';
import { defaultStorageOptions, SimStorage, type StorageOptions } from './storage.ts';
import type { World } from './world.ts';

export interface ClusterOptions {
  readonly peers: number;
  /** Default: letters for up to 26 peers, else numbers. */
  readonly names?: readonly string[];
  readonly partitions?: number;
  /** Tokens of each peer. */
  readonly weight?: number | ((index: number) => number);
  /** By peer. Default: all servers. */
  readonly classes?: readonly DurabilityClass[];
  readonly times?: ProbeTimes;
  readonly reaping?: ReaperTimes;
  readonly hints?: HintLimits;
  readonly network?: Partial<NetworkOptions>;
  readonly storage?: Partial<StorageOptions>;
  /** How many peers, the first ones, every peer dials at its start. */
  readonly bootstrap?: number;
  /** How many peers, the first ones, own their places from the beginning; the others join. Default: none, they agree on one. */
  readonly founders?: number;
}

export type EventListener = (peer: number, event: CoreEvent) => void;

/** Longer than gossip is put off. */
const beginningMs = 300;

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function defaultNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => (count <= letters.length ? (letters[i] ?? '') : `P${String(i).padStart(3, '0')}`));
}

export class Cluster {
  readonly world: World;
  readonly network: SimNetwork;
  readonly peers: readonly SimPeer[];
  readonly #listeners = new Set<EventListener>();
  /** How many have tokens. */
  #placed = 0;

  constructor(world: World, options: ClusterOptions) {
    const { peers: count, partitions = 256, weight = 32, times = defaultProbeTimes, bootstrap = 3, founders = 0 } = options;
    this.world = world;
    const names = (options.names ?? defaultNames(count)).map(peerId);
    this.network = new SimNetwork(world, names, { ...defaultNetworkOptions, ...options.network });
    const placements = new Placements();
    const storage = { ...defaultStorageOptions, ...options.storage };
    this.peers = names.map((id, index) => {
      const tokens = typeof weight === 'number' ? weight : weight(index);
      if (tokens > 0) this.#placed++;
      const self = { host: `host-${id}`, zone: '', class: options.classes?.[index] ?? 'server', weight: tokens, gateway: '' } as const;
      return new SimPeer({
        index,
        id,
        world,
        network: this.network,
        storage: new SimStorage(world, index, storage),
        settings: {
          cluster: 'sim',
          partitions,
          durableMin: 2,
          self,
          times,
          placements,
          founder: index < founders,
          ...(options.reaping === undefined ? {} : { reaping: options.reaping }),
          hints: options.hints,
        },
        bootstrap: names.slice(0, bootstrap).filter((name) => name !== id),
        event: (peer, event) => {
          for (const listener of this.#listeners) listener(peer, event);
        },
      });
    });
  }

  /** The returned function stops it. */
  onEvent(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  peer(index: number): SimPeer {
    const peer = this.peers[index];
    if (peer === undefined) throw new RangeError(`no peer ${index}`);
    return peer;
  }

  indexOf(id: PeerId): number {
    return this.peers.findIndex((peer) => peer.id === id);
  }

  startAll(): void {
    for (const peer of this.peers) peer.start();
  }

  /**
   * Starts all peers as a mesh that has long been together, without the dialling and telling that leads there: a thousand peers in a moment. For clusters of
   * founders without bootstrap peers. Those after the first `count` may come later.
   */
  startFormed(count = this.peers.length): void {
    const starting = this.peers.slice(0, count);
    for (const peer of starting) peer.start();
    this.world.runUntil(() => starting.every((peer) => peer.serving), 10_000);
    // What each gossips of its own beginning is told to nobody yet: a thousand floods through a thousand peers would say what all know in a moment.
    this.world.runFor(beginningMs);
    const [first, ...others] = starting.flatMap((peer) => (peer.core === undefined ? [] : [peer.core]));
    if (first === undefined) return;
    for (const { membership } of others) {
      const own = membership.table.get(membership.self);
      if (own !== undefined) first.membership.table.accept(own.signed);
    }
    this.network.form();
    for (const peer of starting) peer.inspect((core) => core.adopt(first));
  }

  /** What `viewer` believes of `subject`; undefined when it does not know it or is down. */
  view(viewer: number, subject: number): MemberState | undefined {
    const member = this.peer(viewer).core?.membership.table.get(this.peer(subject).id);
    return member === undefined ? undefined : stateOf(member);
  }

  /** Every peer that is up believes this of `subject`, which need not be up itself. */
  allSee(subject: number, state: MemberState): boolean {
    return this.peers.every((peer) => !peer.up || peer.index === subject || this.view(peer.index, subject) === state);
  }

  /** All peers that are up serve, and have one ring with all peers on it that have tokens. */
  get agreed(): boolean {
    const digests = new Set<string>();
    for (const { up, serving, core } of this.peers) {
      if (!up) continue;
      if (!serving || core === undefined || core.membership.placement.ring.members.length !== this.#placed) return false;
      if (!core.membership.placement.isSettled) return false;
      digests.add(core.membership.placement.digest);
    }
    return digests.size === 1;
  }

  /** All peers are up, agree, believe each other to be alive, and are linked. */
  get whole(): boolean {
    const { peers, network } = this;
    if (!this.agreed || !peers.every((peer) => peer.up)) return false;
    return peers.every((a) => peers.every((b) => a === b || (this.view(a.index, b.index) === 'alive' && network.linked(a.index, b.index))));
  }

  /** Asks a peer and runs the world until it answers. Undefined when it did not, or was killed. */
  ask(peer: number, request: Request, withinMs = 20_000): Reply | undefined {
    let answer: { reply: Reply | undefined } | undefined;
    this.peer(peer).request(request, (reply) => {
      answer = { reply };
    });
    this.world.runUntil(() => answer !== undefined, withinMs);
    return answer?.reply;
  }

  /** Cuts every link between peers of different groups, both ways. The links break at once or, when patient, hold frames until they are mended. */
  split(groups: readonly (readonly number[])[], options: { patient?: boolean } = {}): void {
    groups.forEach((group, i) => {
      for (const other of groups.slice(i + 1)) {
        for (const a of group) for (const b of other) this.cutBoth(a, b, options.patient ?? false);
      }
    });
  }

  cutBoth(a: number, b: number, patient = false): void {
    this.network.cut(a, b, patient);
    this.network.cut(b, a, patient);
    if (!patient) this.network.reset(a, b);
  }
}
