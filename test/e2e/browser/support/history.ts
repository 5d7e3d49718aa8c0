/** Clients that work through Node.js peers and tabs alike, and write down what they saw, in the form that the checkers read. */

import type { MeshPeer } from 'ringmesh';
import type { HistoryRow } from 'ringmesh/sim';
import { type OpenOperation, openOperation } from '../../../../src/sim/history.ts';
import type { Tab } from './mixed-mesh.ts';

export interface Found {
  readonly context: string;
  readonly values: readonly { readonly id: string; readonly dot: string }[];
}

/** A peer as a client of the history reaches it; a call rejects when nobody answers. */
export interface Place {
  get(key: string): Promise<Found>;
  put(key: string, value: string, context: string | undefined): Promise<{ outcome: string; dot: string | null }>;
  local(key: string): Promise<Found>;
  root(partition: number): Promise<string>;
  repair(): Promise<unknown>;
}

const options = { mode: 'strict', n: 3, r: 2, w: 2, timeoutMs: 3000 } as const;
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

export const serverPlace = (peer: () => MeshPeer): Place => ({
  async get(key) {
    const { context, siblings } = await peer().bucket('history', options).get(key);
    return { context, values: siblings.map(({ dot, value }) => ({ id: text(value), dot })) };
  },
  put: (key, value, context) =>
    peer()
      .bucket('history', options)
      .put(key, value, context === undefined ? {} : { context }),
  async local(key) {
    const record = await peer().bucket('history', options).local(key);
    return { context: '', values: (record?.siblings ?? []).map(({ dot, value }) => ({ id: text(value), dot })) };
  },
  root: async (partition) => (await peer().partition(partition)).root,
  repair: () => peer().repair(),
});

export const tabPlace = (tab: () => Tab): Place => ({
  get: (key) =>
    tab().peer.evaluate(
      async (peer, [name, how]) => {
        const { context, siblings } = await peer.bucket('history', how).get(name);
        return { context, values: siblings.map(({ dot, value }) => ({ id: new TextDecoder().decode(value), dot })) };
      },
      [key, options] as const,
    ),
  put: (key, value, context) =>
    tab().peer.evaluate(
      async (peer, [name, how, id, seen]) => {
        const { outcome, dot } = await peer.bucket('history', how).put(name, id, seen === undefined ? {} : { context: seen });
        return { outcome, dot };
      },
      [key, options, value, context] as const,
    ),
  local: (key) =>
    tab().peer.evaluate(
      async (peer, [name, how]) => {
        const record = await peer.bucket('history', how).local(name);
        return { context: '', values: (record?.siblings ?? []).map(({ dot, value }) => ({ id: new TextDecoder().decode(value), dot })) };
      },
      [key, options] as const,
    ),
  root: (partition) => tab().peer.evaluate(async (peer, id) => (await peer.partition(id)).root, partition),
  repair: () => tab().peer.evaluate((peer) => peer.repair()),
});

/** One client: reads, read-modify-writes and blind writes through any of the places, until it is stopped. */
export class HistoryClient {
  readonly #name: string;
  readonly #rows: HistoryRow[];
  #written = 0;

  constructor(name: string, rows: HistoryRow[]) {
    this.#name = name;
    this.#rows = rows;
  }

  async act(place: Place, key: string, choice: number): Promise<void> {
    if (choice < 0.15) return this.#put(place, key, undefined);
    const found = await this.#get(place, key);
    if (choice < 0.6 && found !== undefined) await this.#put(place, key, found);
  }

  #open(op: 'get' | 'put', key: string): OpenOperation {
    const row = openOperation(op, this.#name, key, performance.now());
    this.#rows.push(row);
    return row;
  }

  async #get(place: Place, key: string): Promise<Found | undefined> {
    const row = this.#open('get', key);
    const found = await place.get(key).catch(() => undefined);
    row.complete = performance.now();
    if (found === undefined) return undefined;
    row.status = 'ok';
    row.returned = found.values.map(({ id }) => id);
    row.dots = Object.fromEntries(found.values.map(({ id, dot }) => [id, dot]));
    return found;
  }

  /** What fails may have taken effect: the page may have gone away with the answer. */
  async #put(place: Place, key: string, found: Found | undefined): Promise<void> {
    const row = this.#open('put', key);
    const id = `${this.#name}-${this.#written++}`;
    row.valueId = id;
    row.seen = found?.values.map((value) => value.id) ?? [];
    const result = await place.put(key, id, found?.context).catch(() => undefined);
    row.complete = performance.now();
    if (result?.outcome === 'ok') row.status = 'ok';
    if (typeof result?.dot === 'string') row.dots = { [id]: result.dot };
  }
}
