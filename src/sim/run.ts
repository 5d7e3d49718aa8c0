/**
 * One run: a mesh comes together, clients work while faults strike, then all is healed and must be well again, and the history is judged.
 *
 * The seed decides everything that the options leave open. The same options give the same run, event by event, anywhere.
 */

import type { CoreEvent } from '../core/events.ts';
import type { SeededRandom } from '../core/random.ts';
import { happens, pick } from './chance.ts';
import { checkHistory, strictByName } from './checker/check.ts';
import type { Violation } from './checker/violation.ts';
import type { Quorum } from './client.ts';
import { Cluster } from './cluster.ts';
import { allFaultNames, diskFaultNames, drawFaults, FaultDriver, type FaultName, forgettingFaultNames, moverFaultNames } from './faults.ts';
import { defaultFinish, Finish } from './finish.ts';
import type { HistoryRow } from './history.ts';
import { bites, summarize, type Summary } from './summary.ts';
import { checkStrays } from './strays-check.ts';
import { checkTrees } from './trees-check.ts';
import { type TraceLine, World } from './world.ts';
import { Watcher } from './watcher.ts';
import { Workload } from './workload.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly peers?: number;
  /** Operations of clients in all. */
  readonly ops?: number;
  readonly clients?: number;
  /** Who watches keys meanwhile. Default: nobody. */
  readonly watchers?: number;
  /** `default` and `all` draw a combination by the seed; a list takes just these. */
  readonly faults?: 'none' | 'default' | 'all' | readonly FaultName[];
  /** `mixed`: some clients use sloppy and `any`, and quorums that do not overlap. */
  readonly modes?: 'strict' | 'mixed';
  /** Whether messages go through the codec. Default: by the seed. */
  readonly codec?: boolean;
  /** What makes the replicas equal at the end. Default: anti-entropy, by itself. */
  readonly repair?: 'exchange' | 'reads';
  readonly trace?: TraceLine;
}

export interface SimulationResult {
  readonly summary: Summary;
  readonly violations: readonly Violation[];
  readonly history: readonly HistoryRow[];
  readonly eventHash: string;
  /** Versions that watchers were told, and how often they began. */
  readonly watched: { readonly versions: number; readonly beginnings: number };
  /** What runs this again. */
  readonly command: string;
  /** What shows this run on the demo page: the part of its address after the page. */
  readonly link: string;
}

const defaults = { peers: 5, ops: 1000, clients: 10 } as const;
/** Within how long peers that are started at once are one mesh. */
const withGossipMs = 5000;
const withoutGossipMs = 30_000;
const partitions = 128;
const settlingMs = 500;
/** From a fast disk to a poor one. */
const commits = [
  [0.2, 6],
  [2, 80],
] as const;
/** One way, from a machine room to the other side of the world. */
const latencies = [
  [0.1, 4],
  [0.1, 4],
  [1, 40],
  [5, 200],
] as const;
/** A peer compares with one random other each 30 s or so: how long it takes until any two have done so surely. */
const exchangeMs = 100_000;
/** Within how long members that leave have left and joined anew. */
const rejoinMs = 150_000;
/** Within how long a peer has counted the leaves again that it could not count while its disk was ill. */
const recountMs = 60_000;
/** How long the clients work at least, so that faults have time to strike. */
const workMs = 45_000;

/** The whole run at once. */
export function runSimulation(options: SimulationOptions): SimulationResult {
  const simulation = new Simulation(options);
  while (simulation.phase !== 'healing') simulation.advance(60_000);
  return simulation.finish();
}

/**
 * A run in steps of virtual time, for whoever wants to watch it. However it is cut into steps, it is the same run: the event hash is the same.
 * `gathering`: the mesh comes together. `settling`: a moment of rest. `working`: clients work while faults strike. `healing`: all that is left is `finish`.
 */
export class Simulation {
  readonly world: World;
  readonly cluster: Cluster;
  readonly faultNames: readonly FaultName[];
  readonly quorum: Quorum;
  readonly #options: SimulationOptions & { readonly peers: number; readonly ops: number };
  readonly #workload: Workload;
  readonly #faults: FaultDriver;
  readonly #finish: Finish;
  readonly #watchers: readonly Watcher[];
  readonly #forgets: boolean;
  readonly #monotonicAbove: number;
  readonly #peerEvents = new Map<string, number>();
  readonly #violations: Violation[] = [];
  #phase: 'gathering' | 'settling' | 'working' | 'healing' = 'gathering';
  /** When the phase ends at the latest, or is over, in virtual milliseconds. */
  #phaseEnds: number;

  constructor(options: SimulationOptions) {
    const world = new World(options.seed, options.trace);
    const random = world.stream('options');
    const { peers = defaults.peers, ops = defaults.ops, clients = defaults.clients, modes = 'strict' } = options;
    const codec = happens(random, 0.4);
    const latencyMs = pick(random, latencies);
    const commitMs = pick(random, commits);
    const choice = modes === 'mixed' ? random.below(10) : majority;
    const drawn = drawFaults(random, options.faults === 'all' ? allFaultNames : defaultFaultNames);
    const faultNames = options.faults === 'none' ? [] : typeof options.faults === 'object' ? options.faults : drawn;
    const forgets = faultNames.some((name) => (forgettingFaultNames as readonly FaultName[]).includes(name));
    const quorum = forgets ? drawWideQuorum(random, peers) : drawQuorum(choice, Math.min(3, peers));
    const coded = options.codec ?? codec;
    const cluster = new Cluster(world, {
      peers,
      partitions,
      network: { codec: coded, latencyMs },
      storage: { commitMs, copies: coded },
      // Runs are short: tombstones are reaped within them.
      reaping: { intervalMs: 2000, tombstoneAgeMs: 20_000 },
    });
    cluster.onEvent((_, event) => count(this.#peerEvents, event));
    // Nobody can keep what only one copy was asked of, when a disk forgets.
    const weakClients = modes === 'mixed' && !forgets ? Math.ceil(clients / 3) : 0;
    this.world = world;
    this.cluster = cluster;
    this.faultNames = faultNames;
    this.quorum = quorum;
    this.#options = { ...options, peers, ops };
    this.#monotonicAbove = quorum.n + Number(forgets);
    this.#forgets = forgets;
    const hotKeys = (1 + random.below(4)) * Math.ceil(ops / 4000);
    this.#watchers = Array.from({ length: options.watchers ?? 0 }, (_, index) => new Watcher({ index, cluster, n: quorum.n, hotKeys }));
    this.#workload = new Workload(cluster, {
      ops,
      clients,
      weakClients,
      quorum,
      hotKeys,
      wideKeys: 400,
      lastsMs: Math.max(workMs, ops * 10),
      budgetMs: 3000,
    });
    this.#faults = new FaultDriver(cluster, faultNames);
    // Who leaves finishes that, and joins anew.
    const wholeMs = moverFaultNames.some((name) => faultNames.includes(name)) ? rejoinMs : defaultFinish.wholeMs;
    this.#finish = new Finish(cluster, { ...defaultFinish, wholeMs, convergeMs: exchangeMs * (peers + 1), quorum });
    this.#phaseEnds = faultNames.includes('gossip') ? withoutGossipMs : withGossipMs;
    this.#guarded(() => {
      this.#faults.spoilGossip();
      cluster.startAll();
    });
  }

  get phase(): 'gathering' | 'settling' | 'working' | 'healing' {
    return this.#phase;
  }

  /** Operations that clients have begun. */
  get operations(): number {
    return this.#workload.history.length;
  }

  /** The world counts whole microseconds: what is left of a sum of milliseconds beyond them never passes. */
  get #isPhaseOver(): boolean {
    return this.world.nowMs > this.#phaseEnds - 0.0005;
  }

  /** Lets so many whole milliseconds pass, or fewer when a phase ends. */
  advance(ms: number): void {
    this.#guarded(() => {
      const { world } = this;
      const left = this.#phaseEnds - world.nowMs;
      if (this.#phase === 'settling') {
        world.runFor(Math.min(ms, left));
        if (this.#isPhaseOver) this.#work();
        return;
      }
      const isOver = (): boolean => (this.#phase === 'gathering' ? this.cluster.whole : this.#workload.done);
      if (this.#phase === 'healing') return;
      if (!world.runUntil(isOver, Math.min(ms, left)) && !this.#isPhaseOver) return;
      if (this.#phase === 'gathering') this.#settle(isOver());
      else this.#heal(isOver());
    });
  }

  #settle(isWhole: boolean): void {
    const { peers } = this.#options;
    if (!isWhole) this.#violations.push(late(`${peers} peers started at once are no mesh after ${this.#phaseEnds} ms`));
    this.#phase = 'settling';
    this.#phaseEnds = this.world.nowMs + settlingMs;
  }

  #work(): void {
    this.#phase = 'working';
    this.#phaseEnds = this.world.nowMs + this.#options.ops * 1000 + 600_000;
    for (const watcher of this.#watchers) watcher.begin();
    this.#faults.start();
    this.#workload.start();
  }

  #heal(isDone: boolean): void {
    if (!isDone) this.#violations.push(late('the clients do not come to an end'));
    this.#phase = 'healing';
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#phase = 'healing';
      this.#violations.push({
        check: 'exception',
        key: '',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
  }

  /** Heals all faults, waits until all is well again, and judges. Once, at the end. */
  finish(): SimulationResult {
    const { world, cluster, quorum } = this;
    const { seed, peers, repair } = this.#options;
    const workload = this.#workload;
    const finish = this.#finish;
    const broke = this.#violations.some(({ check }) => check === 'exception');
    this.#guarded(() => {
      if (broke) return;
      this.#faults.heal();
      finish.recover();
      finish.deliverHints();
      // A leaf that is still to be counted again hides a difference.
      if (diskFaultNames.some((name) => this.faultNames.includes(name))) world.runFor(recountMs);
      const keys = [...workload.keys, ...cluster.peers.map((peer) => `after-${peer.index}`)];
      if (repair === 'reads') finish.repairByReading(keys);
      else finish.converge(keys);
      finish.readReplicas(keys);
      this.#violations.push(...checkTrees(cluster, keys, partitions, quorum.n), ...checkStrays(cluster));
    });
    const history = [...workload.history, ...finish.rows];
    const violations = [...this.#violations];
    for (const { key, process } of workload.damaged) violations.push({ check: 'values', key, message: `${process} read a damaged value` });
    violations.push(
      ...finish.violations,
      ...checkHistory(history, { isStrict: strictByName, monotonic: 2 * quorum.r > this.#monotonicAbove }),
    );
    const strikes = bites(this.#faults.strikes, cluster.network.counters);
    const operations = history.filter((row) => row.op !== 'root');
    for (const watcher of this.#watchers) violations.push(...watcher.violations(operations, this.#forgets));
    const { faultNames } = this;
    const summary = summarize({ seed, cluster, faultNames, quorum, history: workload.history, strikes, peerEvents: this.#peerEvents });
    const versions = this.#watchers.reduce((sum, watcher) => sum + watcher.versions, 0);
    const beginnings = this.#watchers.reduce((sum, watcher) => sum + watcher.beginnings, 0);
    const watched = { versions, beginnings };
    const again = { ...this.#options, peers };
    const [command, link] = [replayCommand(again), replayLink(again)];
    return { summary, watched, violations, history, eventHash: world.eventHash, command, link };
  }
}

/** How many peers the mesh of this seed has where nobody says how many. */
export const peersOfSeed = (seed: number): number => 5 + new World(seed).stream('peers').below(16);

const defaultFaultNames = allFaultNames.filter((name) => !diskFaultNames.some((disk) => disk === name));

const late = (message: string): Violation => ({ check: 'liveness', key: '', message });

const majority = -1;

/** Mostly majorities; sometimes the other ways in which reads and writes overlap. */
function drawQuorum(choice: number, n: number): Quorum {
  const most = Math.floor(n / 2) + 1;
  if (choice === 0) return { n, r: 1, w: n, mode: 'strict' };
  if (choice === 1) return { n, r: n, w: 1, mode: 'strict' };
  return { n, r: most, w: most, mode: 'strict' };
}

/** Reads and writes meet in two replicas at least, so that they still meet when one of them has forgotten. */
function drawWideQuorum(random: SeededRandom, peers: number): Quorum {
  const n = Math.min(3, peers);
  const most = Math.floor(n / 2) + 1;
  const wide = [{ n, r: n, w: most }, { n, r: most, w: n }, ...(peers > 5 ? [{ n: 5, r: 3, w: 4 }] : [])];
  return { ...pick(random, wide), mode: 'strict' };
}

function count(counts: Map<string, number>, event: CoreEvent): void {
  const name = event.type === 'hint' ? `hint ${event.action}` : event.type === 'member' ? `member ${event.state}` : event.type;
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The command line that runs this again. */
export function replayCommand(options: SimulationOptions): string {
  const {
    seed,
    peers = defaults.peers,
    ops = defaults.ops,
    clients = defaults.clients,
    watchers = 0,
    faults = 'default',
    modes = 'strict',
    codec,
  } = options;
  const words = ['ringmesh sim', `--seed ${seed}`, `--peers ${peers}`, `--ops ${ops}`];
  if (clients !== defaults.clients) words.push(`--clients ${clients}`);
  if (watchers !== 0) words.push(`--watchers ${watchers}`);
  words.push(`--faults ${typeof faults === 'string' ? faults : faults.join(',')}`);
  if (modes !== 'strict') words.push(`--modes ${modes}`);
  if (codec !== undefined) words.push(codec ? '--codec' : '--no-codec');
  return words.join(' ');
}

/** The part of the demo page's address that shows this run. */
export function replayLink(options: SimulationOptions): string {
  const { seed, peers = defaults.peers, ops = defaults.ops, clients = defaults.clients, watchers = 0, modes = 'strict', codec } = options;
  const { faults = 'default' } = options;
  const words = [`seed=${seed}`, `peers=${peers}`, `ops=${ops}`];
  if (clients !== defaults.clients) words.push(`clients=${clients}`);
  if (watchers !== 0) words.push(`watchers=${watchers}`);
  words.push(`faults=${typeof faults === 'string' ? faults : faults.join(',') || 'none'}`);
  if (modes !== 'strict') words.push(`modes=${modes}`);
  if (codec !== undefined) words.push(`codec=${codec}`);
  return `#replay?${words.join('&')}`;
}

/** Runs it twice; true when both runs were the same, event by event. */
export function replaysExactly(options: SimulationOptions): boolean {
  return runSimulation(options).eventHash === runSimulation(options).eventHash;
}
