/**
 * The faults of a run: which there are, and the driver that lets them strike again and again until the healing. Each one is a name that can be chosen; how
 * often and how hard it strikes is drawn from the seed.
 */

import type { SeededRandom } from '../core/random.ts';
import { renewalMs } from '../core/renewal.ts';
import { between, happens, pick, shuffled, skewed, waiting } from './chance.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';
import { Movers } from './movers.ts';
import { crossings, type SplitShape, splitShapes } from './splits.ts';
import type { StorageSnapshot } from './storage.ts';

/** Faults of single frames: a probability, from the beginning to the healing. */
const frameFaultNames = ['loss', 'delay', 'gossip'] as const;
/** The same, beyond what the network promises: peers bear them, and are not asked to unless somebody names them. */
const beyondFaultNames = ['duplicate', 'reorder', 'replay'] as const;
/** Faults that strike now and then. */
const eventFaultNames = ['reset', 'oneWay', ...splitShapes, 'flap', 'clog', 'kill', 'killAll', 'pause', 'clock', 'slowDisk'] as const;
/** Members come and go. */
export const moverFaultNames = ['leave', 'remove'] as const;
/** Faults of the disk, after which a peer may have forgotten what it said. */
export const diskFaultNames = ['ioError', 'diskFull', 'tornWrite', 'bitFlip', 'wipe', 'rollback', 'silentRollback'] as const;
/** A younger snapshot may come back unnoticed when no store is told to be newer: peers renew what the others remember once in a while. */
const snapshotAge = 1.5;
/** After these a copy of what was acknowledged is gone. */
export const forgettingFaultNames = ['tornWrite', 'wipe', 'rollback', 'silentRollback', 'remove'] as const;
type ForgettingFaultName = Exclude<(typeof forgettingFaultNames)[number], 'remove'>;

/** What peers do not get over by themselves: a damaged record gives errors, and is mended when it is read or scrubbed. */
const unmendedFaultNames = ['bitRot'] as const;

type FrameFaultName = (typeof frameFaultNames)[number] | (typeof beyondFaultNames)[number];
type StrikeName =
  | (typeof eventFaultNames)[number]
  | (typeof moverFaultNames)[number]
  | (typeof diskFaultNames)[number]
  | (typeof unmendedFaultNames)[number];
export type FaultName = FrameFaultName | StrikeName;

/** All that the ports allow to happen, and that peers get over by themselves. */
export const allFaultNames: readonly FaultName[] = [...frameFaultNames, ...eventFaultNames, ...moverFaultNames, ...diskFaultNames];
export const knownFaultNames: readonly FaultName[] = [...allFaultNames, ...unmendedFaultNames, ...beyondFaultNames];

/** Mean pause between two strikes. */
const pauseMs: Record<StrikeName, number> = {
  reset: 800,
  oneWay: 4000,
  halves: 15_000,
  isolate: 15_000,
  bridge: 15_000,
  majorities: 15_000,
  scatter: 15_000,
  flap: 6000,
  clog: 3000,
  kill: 5000,
  killAll: 25_000,
  pause: 6000,
  clock: 4000,
  slowDisk: 5000,
  leave: 12_000,
  remove: 25_000,
  ioError: 6000,
  diskFull: 12_000,
  tornWrite: 20_000,
  bitFlip: 8000,
  bitRot: 15_000,
  wipe: 20_000,
  rollback: 20_000,
  silentRollback: 20_000,
};

/** Random combinations, of a few faults in one run and of many in another, and never of none. */
export function drawFaults(random: SeededRandom, from: readonly FaultName[]): FaultName[] {
  const share = between(random, 0.1, 0.6);
  const chosen = from.filter(() => happens(random, share));
  return chosen.length > 0 ? chosen : [pick(random, from)];
}

export class FaultDriver {
  /** How often each fault struck. */
  readonly strikes = new Map<FaultName, number>();
  readonly #cluster: Cluster;
  readonly #names: readonly FaultName[];
  readonly #random: SeededRandom;
  /** Who has said goodbye at some time: it must not be left in that state. */
  readonly #leaving = new Set<SimPeer>();
  readonly #snapshots = new Map<number, { readonly rows: StorageSnapshot; readonly takenAtMs: number }>();
  /** The one peer whose disk forgets in this run, or that is removed: two that forget together can take acknowledged writes with them, and no store can help that. */
  readonly #forgetful: number;
  readonly #movers: Movers | undefined;
  #stopped = false;
  #splits = 0;

  constructor(cluster: Cluster, names: readonly FaultName[]) {
    this.#cluster = cluster;
    this.#names = names;
    this.#random = cluster.world.stream('faults');
    this.#forgetful = this.#random.below(cluster.peers.length);
    const hasMovers = moverFaultNames.some((name) => names.includes(name));
    this.#movers = hasMovers ? new Movers(cluster, cluster.world.stream('movers'), (delayMs, act) => this.#later(delayMs, act)) : undefined;
  }

  /** Gossip promises nothing, not even while the mesh comes together. */
  spoilGossip(): void {
    if (!this.#names.includes('gossip')) return;
    const { faults } = this.#cluster.network;
    faults.gossipLoss = happens(this.#random, 0.3) ? 1 : between(this.#random, 0.1, 0.8);
    faults.gossipDuplicate = between(this.#random, 0, 0.3);
  }

  start(): void {
    const random = this.#random;
    const { faults } = this.#cluster.network;
    for (const name of this.#names) {
      switch (name) {
        case 'gossip':
          break;
        case 'loss':
          faults.loss = between(random, 0.0002, 0.005);
          break;
        case 'delay':
          faults.delay = between(random, 0.005, 0.05);
          faults.delayMaxMs = between(random, 50, 1500);
          break;
        case 'duplicate':
        case 'reorder':
        case 'replay':
          faults[name] = between(random, 0.005, 0.1);
          break;
        default:
          this.#again(name, pauseMs[name] * skewed(random, 0.15, 2.5));
      }
    }
  }

  /** Ends all faults and lets everybody live again. */
  heal(): void {
    this.#stopped = true;
    this.#movers?.heal();
    const { network, peers } = this.#cluster;
    Object.assign(network.faults, { loss: 0, delay: 0, duplicate: 0, reorder: 0, replay: 0, gossipLoss: 0, gossipDuplicate: 0 });
    network.mendAll();
    for (const peer of peers) {
      if (this.#leaving.has(peer)) peer.kill();
      peer.storage.mend();
      peer.setClock();
      peer.resume();
      peer.start();
    }
  }

  #again(name: StrikeName, meanMs: number): void {
    this.#later(waiting(this.#random, meanMs), () => {
      if (this.#strike(name)) {
        this.strikes.set(name, (this.strikes.get(name) ?? 0) + 1);
        this.#tell(`the fault ${name} strikes`);
      }
      this.#again(name, meanMs);
    });
  }

  #tell(line: string): void {
    const { world } = this.#cluster;
    world.trace?.(world.nowMs, line);
  }

  #later(delayMs: number, act: () => void): void {
    this.#cluster.world.after(delayMs, 'fault', 0, () => {
      if (!this.#stopped) act();
    });
  }

  #anyPeer(fits: (peer: SimPeer) => boolean = () => true): SimPeer | undefined {
    const fitting = this.#cluster.peers.filter(fits);
    return fitting.length === 0 ? undefined : pick(this.#random, fitting);
  }

  /** False when there was nothing to strike at. */
  #strike(name: StrikeName): boolean {
    switch (name) {
      case 'reset':
      case 'oneWay':
      case 'flap':
      case 'clog':
        return this.#strikeLink(name);
      case 'kill':
        return this.#kill();
      case 'killAll':
        return this.#killAll();
      case 'pause':
        return this.#pause();
      case 'clock':
        return this.#jumpClock();
      case 'leave':
        return this.#movers?.leave() ?? false;
      case 'remove':
        return this.#movers?.remove(this.#cluster.peer(this.#forgetful)) ?? false;
      case 'slowDisk':
      case 'ioError':
      case 'diskFull':
      case 'bitFlip':
        return this.#strikeDisk(name);
      case 'bitRot':
        return this.#cluster.peer(this.#forgetful).storage.rot();
      case 'tornWrite':
      case 'wipe':
      case 'rollback':
      case 'silentRollback':
        return this.#forget(name);
      default:
        return this.#split(name);
    }
  }

  #strikeLink(name: 'reset' | 'oneWay' | 'flap' | 'clog'): boolean {
    const random = this.#random;
    const { network, peers } = this.#cluster;
    const [a = 0, b = 1, ...others] = shuffled(
      random,
      peers.map((peer) => peer.index),
    );
    switch (name) {
      case 'reset':
        network.reset(a, b);
        break;
      case 'oneWay':
        network.cut(a, b);
        this.#later(between(random, 500, 12_000), () => network.mend(a, b));
        break;
      case 'flap':
        for (let i = 0; i < 10; i++) this.#later(i * between(random, 100, 700), () => network.reset(a, b));
        break;
      case 'clog':
        // One direction after the other fills up, and one after the other comes free.
        for (const to of [b, ...others].slice(0, 1 + random.below(peers.length - 1))) {
          this.#later(between(random, 0, 1000), () => {
            network.cut(a, to, true);
            this.#later(between(random, 200, 3000), () => network.mend(a, to));
          });
        }
    }
    return true;
  }

  #split(shape: SplitShape): boolean {
    if (this.#splits > 0) return false;
    const random = this.#random;
    const cluster = this.#cluster;
    const order = shuffled(
      random,
      cluster.peers.map((peer) => peer.index),
    );
    const patient = happens(random, 0.5);
    const pairs = crossings(shape, order);
    if (pairs.length === 0) return false;
    this.#tell(`apart: ${pairs.map(([a, b]) => `${cluster.peer(a).id}|${cluster.peer(b).id}`).join(' ')}`);
    for (const [a, b] of pairs) cluster.cutBoth(a, b, patient);
    this.#splits++;
    this.#later(between(random, 1000, 15_000), () => {
      this.#splits--;
      this.#tell(`the fault ${shape} ends`);
      for (const [a, b] of pairs) {
        cluster.network.mend(a, b);
        cluster.network.mend(b, a);
      }
    });
    return true;
  }

  #kill(): boolean {
    const random = this.#random;
    const down = this.#cluster.peers.filter((peer) => !peer.up).length;
    const peer = down >= (this.#cluster.peers.length - 1) / 2 ? undefined : this.#anyPeer((candidate) => candidate.up);
    if (peer === undefined) return false;
    const silent = happens(random, 0.3);
    if (happens(random, 0.2)) {
      peer.announcePause();
      this.#leaving.add(peer);
      this.#later(100, () => peer.kill());
    } else peer.kill({ silent });
    this.#later(skewed(random, 100, 15_000), () => peer.start());
    return true;
  }

  #killAll(): boolean {
    for (const peer of this.#cluster.peers) {
      peer.kill({ silent: happens(this.#random, 0.3) });
      this.#later(between(this.#random, 100, 3000), () => peer.start());
    }
    return true;
  }

  #pause(): boolean {
    const peer = this.#anyPeer((candidate) => candidate.up && !candidate.paused);
    if (peer === undefined) return false;
    peer.pause();
    this.#later(between(this.#random, 100, 10_000), () => peer.resume());
    return true;
  }

  #jumpClock(): boolean {
    const hour = 3_600_000;
    const far = happens(this.#random, 0.5) ? hour : 5000;
    this.#anyPeer()?.jumpClock(between(this.#random, -far, far));
    return true;
  }

  #strikeDisk(name: 'slowDisk' | 'ioError' | 'diskFull' | 'bitFlip'): boolean {
    const random = this.#random;
    const storage = this.#anyPeer()?.storage;
    if (storage === undefined) return false;
    if (name === 'slowDisk') storage.faults.slowness = between(random, 3, 60);
    if (name === 'diskFull') storage.faults.full = true;
    if (name === 'bitFlip') storage.faults.flippedBit = between(random, 0.01, 0.3);
    if (name === 'ioError') {
      storage.faults.readError = between(random, 0, 0.3);
      storage.faults.commitError = between(random, 0, 0.3);
    }
    this.#later(between(random, 500, 6000), () => storage.mend());
    return true;
  }

  /** A peer comes back with an empty disk, or with what its disk held some time ago. */
  #forget(name: ForgettingFaultName): boolean {
    const random = this.#random;
    const peer = this.#cluster.peer(this.#forgetful);
    if (!peer.up) return false;
    const { nowMs } = this.#cluster.world;
    const snapshot = this.#snapshots.get(peer.index);
    if (name.endsWith('ollback') && snapshot === undefined) {
      this.#snapshots.set(peer.index, { rows: peer.storage.snapshot(), takenAtMs: nowMs });
      return false;
    }
    if (name === 'silentRollback' && nowMs - (snapshot?.takenAtMs ?? 0) < snapshotAge * renewalMs(this.#cluster.peers.length)) return false;
    peer.kill();
    if (name === 'tornWrite') peer.storage.tear();
    else if (name === 'wipe' || snapshot === undefined) peer.storage.wipe();
    else peer.storage.rollback(snapshot.rows, name === 'silentRollback');
    this.#snapshots.delete(peer.index);
    this.#later(between(random, 100, 5000), () => peer.start());
    return true;
  }
}
