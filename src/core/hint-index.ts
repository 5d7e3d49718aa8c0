/**
 * Which hints this store keeps, in memory: for whom, since when, and how much they take (HH3).
 *
 * The rows on the disk are the truth; the index knows each of them from the moment at which its commit is asked for, and some that a failed commit has not left
 * there. So what it counts is never too little.
 */

import { Reader, Writer } from './bytes.ts';
import type { StorageChange } from './disk.ts';
import type { Address, PeerId } from './ids.ts';
import { hintKey } from './layout.ts';

/** What a store keeps for others at the most. Beyond it hints are refused, or given to other primaries when they are too old. */
export interface HintLimits {
  readonly max: number;
  /** Of the records that are kept. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
}

export const defaultHintLimits: HintLimits = { max: 100_000, maxBytes: 256 * 1024 * 1024, maxAgeMs: 3 * 60 * 60_000 };

export interface Hint {
  readonly owner: PeerId;
  readonly address: Address;
  /** Of the bucket. */
  readonly n: number;
  /** How large the record was. */
  readonly bytes: number;
  /** In Unix milliseconds. */
  readonly keptAt: number;
}

/** The owner of what was taken while no primary was known at all: whoever will be one. */
export const nobodyYet = '' as PeerId;

const nameOf = ({ address }: Hint): string => address.name;

export const hintRow = (hint: Hint): StorageChange => ({
  key: hintKey(hint.owner, hint.address),
  value: new Writer(24).u8(hint.n).uint(hint.keptAt).uint(hint.bytes).finish(),
});

/** What the row says besides its key. A row that is damaged says too little, and its hint is delivered all the same. */
export function readHintRow(row: Uint8Array, now: number): Pick<Hint, 'n' | 'keptAt' | 'bytes'> {
  const n = row[0] ?? 0;
  try {
    const reader = new Reader(row.subarray(1));
    return { n, keptAt: reader.uint(), bytes: reader.uint() };
  } catch {
    return { n, keptAt: now, bytes: 0 };
  }
}

export class HintIndex {
  readonly limits: HintLimits;
  /** By owner and record, the oldest first. */
  readonly #owners = new Map<PeerId, Map<string, Hint>>();
  #held = 0;
  #bytes = 0;

  constructor(limits: HintLimits) {
    this.limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get owners(): PeerId[] {
    return [...this.#owners.keys()];
  }

  countOf(owner: PeerId): number {
    return this.#owners.get(owner)?.size ?? 0;
  }

  /** The oldest first. What is kept while one goes through them comes last. */
  of(owner: PeerId): Iterator<Hint> & Iterable<Hint> {
    return (this.#owners.get(owner) ?? new Map<string, Hint>()).values();
  }

  get isFull(): boolean {
    return this.#held >= this.limits.max || this.#bytes >= this.limits.maxBytes;
  }

  /** Whether these may be kept besides the others. */
  hasRoom(hints: readonly Hint[]): boolean {
    let held = this.#held;
    let bytes = this.#bytes;
    for (const hint of hints) {
      const before = this.#owners.get(hint.owner)?.get(nameOf(hint));
      held += before === undefined ? 1 : 0;
      bytes += hint.bytes - (before?.bytes ?? 0);
    }
    return held <= this.limits.max && bytes <= this.limits.maxBytes;
  }

  keep(hint: Hint): void {
    this.drop(hint);
    let hints = this.#owners.get(hint.owner);
    if (hints === undefined) this.#owners.set(hint.owner, (hints = new Map()));
    hints.set(nameOf(hint), hint);
    this.#held++;
    this.#bytes += hint.bytes;
  }

  /** Forgets the hint for this owner and record, and returns what was known of it. */
  drop(hint: Hint): Hint | undefined {
    const hints = this.#owners.get(hint.owner);
    const name = nameOf(hint);
    const known = hints?.get(name);
    if (hints === undefined || known === undefined) return undefined;
    hints.delete(name);
    if (hints.size === 0) this.#owners.delete(hint.owner);
    this.#held--;
    this.#bytes -= known.bytes;
    return known;
  }

  /** After a commit that should have removed it: it is there again, unless there is a newer one. */
  restore(hint: Hint): void {
    if (this.#owners.get(hint.owner)?.has(nameOf(hint)) !== true) this.keep(hint);
  }

  /** For whom the record is kept. */
  ownersOf(address: Address): PeerId[] {
    const { name } = address;
    return [...this.#owners].filter(([, hints]) => hints.has(name)).map(([owner]) => owner);
  }

  /** Whether the record is kept for anyone. */
  keeps(address: Address): boolean {
    return this.ownersOf(address).length > 0;
  }

  /** Whether the record is kept for someone besides this hint's owner. */
  isKeptForAnother(hint: Hint): boolean {
    const name = nameOf(hint);
    for (const [owner, hints] of this.#owners) if (owner !== hint.owner && hints.has(name)) return true;
    return false;
  }
}
