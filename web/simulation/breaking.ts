/** What can be done to simulated peers: the same as to the processes of the demo. */

import { type Cluster, simHandle, type SimPeer } from 'ringmesh/sim';
import { attempt } from '../mesh/through.ts';
import { type Breaking, type Life, MeshProblem } from '../mesh/types.ts';

export class SimulatedBreaking implements Omit<Breaking, 'lives' | 'sides'> {
  lives: ReadonlyMap<string, Life> = new Map();
  sides: readonly (readonly string[])[] | undefined;
  readonly #cluster: Cluster;
  readonly #changed: () => void;
  readonly #removed = new Set<string>();
  /** Pairs of peers that are cut off from each other by `split`. */
  #cuts: (readonly [number, number])[] = [];

  constructor(cluster: Cluster, changed: () => void) {
    this.#cluster = cluster;
    this.#changed = changed;
  }

  kill = (peer: string): Promise<void> => this.#do(peer, (one) => one.kill());
  pause = (peer: string): Promise<void> => this.#do(peer, (one) => one.pause());
  resume = (peer: string): Promise<void> => this.#do(peer, (one) => one.resume());

  start(peer: string): Promise<void> {
    return this.#do(peer, (one) => this.#start(one));
  }

  /** Those that were never started wait for this. */
  async add(): Promise<void> {
    const isFree = (peer: SimPeer): boolean => !peer.up && !this.lives.has(peer.id) && !this.#removed.has(peer.id);
    const spare = this.#cluster.peers.find(isFree);
    if (spare === undefined) throw new MeshProblem('OVERLOADED', 'This simulated mesh has no more peers to add.');
    this.#start(spare);
    this.#changed();
  }

  /** It leaves, or another one removes it when it does not run. */
  async remove(id: string): Promise<void> {
    const { peers } = this.#cluster;
    const one = peers.find((peer) => peer.id === id);
    const asked = one?.serving === true ? one : peers.find((peer) => peer.serving);
    if (one === undefined || asked === undefined) throw new MeshProblem('OFFLINE', 'No peer of the simulated mesh is up.');
    const handle = simHandle(this.#cluster, asked.index);
    await attempt(() => (asked === one ? handle.leave() : handle.remove(id)));
    one.kill();
    this.#removed.add(id);
    this.#changed();
  }

  async split(sides: readonly (readonly string[])[]): Promise<void> {
    await this.heal();
    const indexes = sides.map((side) => side.map((id) => this.#cluster.peers.findIndex((peer) => peer.id === id)));
    indexes.forEach((side, i) => {
      for (const other of indexes.slice(i + 1)) for (const a of side) for (const b of other) this.#cuts.push([a, b]);
    });
    for (const [a, b] of this.#cuts) this.#cluster.cutBoth(a, b);
    this.sides = sides;
    this.#changed();
  }

  async heal(): Promise<void> {
    for (const [a, b] of this.#cuts) {
      this.#cluster.network.mend(a, b);
      this.#cluster.network.mend(b, a);
    }
    this.#cuts = [];
    this.sides = undefined;
    this.#changed();
  }

  /** True when a peer lives another life than at the last look. */
  look(): boolean {
    const known = this.lives;
    const lives = this.#cluster.peers.flatMap((peer): [string, Life][] => {
      return !this.#removed.has(peer.id) && (peer.up || known.has(peer.id)) ? [[peer.id, lifeOf(peer)]] : [];
    });
    if (lives.length === known.size && lives.every(([peer, life]) => known.get(peer) === life)) return false;
    this.lives = new Map(lives);
    return true;
  }

  #start(one: SimPeer): void {
    one.start();
    // A peer that has never been here knows nobody: it is told one address, as with `--bootstrap`.
    const other = this.#cluster.peers.find((peer) => peer.up && peer !== one);
    if (other !== undefined) this.#cluster.network.connect(one.index, other.id);
  }

  async #do(id: string, act: (peer: SimPeer) => void): Promise<void> {
    const peer = this.#cluster.peers.find((candidate) => candidate.id === id);
    if (peer !== undefined) act(peer);
    this.#changed();
  }
}

const lifeOf = (peer: SimPeer): Life => (peer.paused ? 'paused' : peer.serving ? 'running' : peer.up ? 'starting' : 'stopped');
