/**
 * Members that come and go while clients work: a peer leaves, or is removed while it is down, and joins anew a while later.
 */

import type { SeededRandom } from '../core/random.ts';
import { between, pick, skewed } from './chance.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';

const lookMs = 300;

export class Movers {
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  readonly #later: (delayMs: number, act: () => void) => void;
  /** Down, for others are to remove it. */
  readonly #condemned = new Set<SimPeer>();
  #isEnding = false;

  /** `later` runs nothing any more once the faults have ended. */
  constructor(cluster: Cluster, random: SeededRandom, later: (delayMs: number, act: () => void) => void) {
    this.#cluster = cluster;
    this.#random = random;
    this.#later = later;
    this.#startAgain();
  }

  /** Peers with a place of their own, and up. */
  #settled(): SimPeer[] {
    return this.#cluster.peers.filter((peer) => peer.serving && peer.core?.membership.record.status === 'up' && !this.#condemned.has(peer));
  }

  #mayLose(): boolean {
    return this.#settled().length > Math.max(3, Math.ceil(this.#cluster.peers.length / 2));
  }

  leave(): boolean {
    if (!this.#mayLose()) return false;
    pick(this.#random, this.#settled()).request({ type: 'leave' }, () => {});
    return true;
  }

  /** Its copies are gone with it, as with a disk that forgets. */
  remove(peer: SimPeer): boolean {
    if (!this.#mayLose() || this.#condemned.size > 0 || !this.#settled().includes(peer)) return false;
    peer.kill();
    this.#condemned.add(peer);
    this.#later(between(this.#random, 2000, 12_000), () => {
      const other = this.#settled().find(({ index }) => this.#cluster.view(index, peer.index) === 'dead');
      other?.request({ type: 'remove', peer: peer.id }, () => {});
      this.#later(skewed(this.#random, 1000, 15_000), () => this.#release(peer));
    });
    return true;
  }

  #release(peer: SimPeer): void {
    this.#condemned.delete(peer);
    peer.start();
  }

  /** Peers that have left are stopped, and come back as new members after a while. */
  #startAgain(): void {
    this.#cluster.world.after(lookMs, 'mover', 0, () => {
      for (const peer of this.#cluster.peers) {
        if (peer.core?.membership.record.status !== 'left') continue;
        peer.kill();
        if (this.#isEnding) peer.start();
        else this.#later(skewed(this.#random, 500, 12_000), () => peer.start());
      }
      this.#startAgain();
    });
  }

  /** Everyone is to be a member again in the end; who leaves finishes that first. */
  heal(): void {
    this.#isEnding = true;
    this.#condemned.clear();
  }
}
