/** What the peers count about their repairs, added up over all their lives: a counter that has fallen began anew. */

import { ask } from './gateway.ts';
import type { PeerProcess } from './peer-process.ts';
import { sleep } from './waiting.ts';

const counted = {
  'hints stored': 'ringmesh_hint_actions_total{action="stored"}',
  'hints delivered': 'ringmesh_hint_actions_total{action="delivered"}',
  'read repairs': 'ringmesh_read_repairs_total',
  'new epochs': 'ringmesh_amnesia_total',
} as const;
export type CounterName = keyof typeof counted;
const counterNames = Object.keys(counted) as CounterName[];

const everyMs = 1000;

/** Looks once a second, so that what a peer counted in its last moment before a kill is missing: the figures are lower bounds. */
export class Counters {
  readonly #peers: readonly PeerProcess[];
  readonly #last = new Map<string, number>();
  readonly #totals = new Map<CounterName, number>();
  readonly #looking: Promise<void>;
  #ended = false;

  constructor(peers: readonly PeerProcess[]) {
    this.#peers = peers;
    this.#looking = this.#look();
  }

  async end(): Promise<[CounterName, number][]> {
    this.#ended = true;
    await this.#looking;
    return counterNames.map((name) => [name, this.#totals.get(name) ?? 0]);
  }

  async #look(): Promise<void> {
    while (!this.#ended) {
      await sleep(everyMs);
      await Promise.all(this.#peers.filter((peer) => peer.state === 'up').map((peer) => this.#read(peer).catch(() => {})));
    }
  }

  async #read(peer: PeerProcess): Promise<void> {
    const { text } = await ask(peer.url, { method: 'GET', path: '/metrics', withinMs: everyMs });
    const lines = text.split('\n');
    for (const name of counterNames) {
      const value = Number(lines.find((line) => line.startsWith(`${counted[name]} `))?.split(' ')[1] ?? 0);
      const key = `${peer.name} ${name}`;
      const last = this.#last.get(key) ?? 0;
      this.#last.set(key, value);
      this.#totals.set(name, (this.#totals.get(name) ?? 0) + (value >= last ? value - last : value));
    }
  }
}
