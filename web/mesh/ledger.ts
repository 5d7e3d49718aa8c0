/** What peers owe each other and how they make it good: hints that wait, by holder and owner, and exchanges of Merkle trees. Counted from what the peers tell. */

import type { MeshEvent } from 'ringmesh';
import type { Told } from './types.ts';

type CompareEvent = Extract<MeshEvent, { type: 'compare' }>;
export type Level = CompareEvent['level'];
type TransferEvent = Extract<MeshEvent, { type: 'transfer' }>;
type HintEvent = Extract<MeshEvent, { type: 'hint' }>;

export interface HintPile {
  readonly holder: string;
  readonly owner: string;
  readonly waiting: number;
  readonly delivered: number;
}

export interface Exchange {
  readonly id: number;
  readonly by: string;
  readonly with: string;
  readonly at: number;
  readonly steps: readonly Pick<CompareEvent, 'level' | 'compared' | 'different' | 'nodes'>[];
}

/** What a peer copies before it owns it. */
export interface Transfer extends Pick<TransferEvent, 'partitions' | 'partitionsDone' | 'keys' | 'bytes' | 'waitsFor'> {
  readonly by: string;
}

const exchangesMax = 6;

export class Ledger {
  readonly #piles = new Map<string, HintPile>();
  readonly #transfers = new Map<string, Transfer>();
  #exchanges: Exchange[] = [];
  #next = 1;

  get piles(): readonly HintPile[] {
    return [...this.#piles.values()];
  }

  /** Those that found differences first, the newest of each kind before the others. */
  get exchanges(): readonly Exchange[] {
    return this.#exchanges;
  }

  get transfers(): readonly Transfer[] {
    return [...this.#transfers.values()];
  }

  /** True when something has changed that is shown. */
  hear({ by, event }: Told): boolean {
    if (event.type === 'hint') this.#hint(by, event);
    else if (event.type === 'transfer') this.#transfers.set(by, { ...event, by });
    else if (event.type === 'compare') this.#compare(by, event);
    else return false;
    return true;
  }

  /** `held` is what the holder keeps for all owners: a key that was written twice has two events and one hint. */
  #hint(holder: string, { owner, action, held }: HintEvent): void {
    if (action === 'refused') return;
    const id = `${holder}/${owner}`;
    const pile = this.#piles.get(id) ?? { holder, owner, waiting: 0, delivered: 0 };
    this.#piles.set(id, {
      ...pile,
      waiting: Math.min(held, Math.max(0, pile.waiting + (action === 'stored' ? 1 : -1))),
      delivered: pile.delivered + Number(action === 'delivered'),
    });
    if (held > 0) return;
    for (const [other, kept] of this.#piles) if (kept.holder === holder) this.#piles.set(other, { ...kept, waiting: 0 });
  }

  #compare(by: string, { peer, level, compared, different, nodes, at }: CompareEvent): void {
    const step = { level, compared, different, nodes };
    const open = level === 'all' ? undefined : this.#exchanges.find((exchange) => exchange.by === by && exchange.with === peer);
    if (open !== undefined) {
      this.#exchanges = this.#exchanges.map((exchange) => (exchange === open ? { ...open, steps: [...open.steps, step] } : exchange));
      return;
    }
    const kept = [{ id: this.#next++, by, with: peer, at, steps: [step] }, ...this.#exchanges];
    const [telling, equal] = [kept.filter(foundDifference), kept.filter((one) => !foundDifference(one))];
    this.#exchanges = [...telling.slice(0, exchangesMax), ...equal.slice(0, exchangesMax)];
  }
}

export const foundDifference = (exchange: Exchange): boolean => exchange.steps.some((step) => step.different > 0);
