/**
 * A history, cut into keys, with what supersedes what: a write supersedes all that its context covered, and all that those superseded. The checkers ask
 * this graph; they know nothing of version vectors, so that a mistake in those cannot hide itself.
 */

import type { HistoryRow, Operation } from '../history.ts';

/** A put or a delete. `index` is its bit in the sets of its key. */
export interface Write {
  readonly index: number;
  readonly id: string;
  readonly operation: Operation;
}

/** A set of writes of one key. */
export type WriteSet = Uint32Array;

export interface KeyHistory {
  readonly key: string;
  readonly writes: readonly Write[];
  /** Of clients, without failed ones. */
  readonly reads: readonly Operation[];
  readonly finals: readonly Operation[];
  byId(id: string): Write | undefined;
  /** All writes that this one supersedes, directly or through others. */
  ancestors(write: Write): WriteSet;
  emptySet(): WriteSet;
}

export const isOperation = (row: HistoryRow): row is Operation => row.op !== 'root';

const isFinal = (operation: Operation): boolean => operation.phase === 'final';

export function splitByKey(rows: readonly HistoryRow[]): KeyHistory[] {
  const byKey = new Map<string, Operation[]>();
  for (const row of rows) {
    if (!isOperation(row)) continue;
    const operations = byKey.get(row.key);
    if (operations === undefined) byKey.set(row.key, [row]);
    else operations.push(row);
  }
  return [...byKey].map(([key, operations]) => keyHistory(key, operations));
}

function keyHistory(key: string, operations: readonly Operation[]): KeyHistory {
  const writes: Write[] = [];
  const ids = new Map<string, Write>();
  for (const operation of operations) {
    if (operation.op === 'get' || operation.valueId === null) continue;
    const write = { index: writes.length, id: operation.valueId, operation };
    writes.push(write);
    ids.set(write.id, write);
  }
  const words = Math.ceil(writes.length / 32);
  const ancestors = allAncestors(writes, ids, words);
  return {
    key,
    writes,
    reads: operations.filter((operation) => operation.op === 'get' && operation.status === 'ok' && !isFinal(operation)),
    finals: operations.filter(isFinal),
    byId: (id) => ids.get(id),
    ancestors: (write) => ancestors[write.index] ?? new Uint32Array(words),
    emptySet: () => new Uint32Array(words),
  };
}

/** Depth first without recursion, for chains of writes can be long. In a history in the order of time all parents are known already. */
function allAncestors(writes: readonly Write[], ids: ReadonlyMap<string, Write>, words: number): readonly (WriteSet | undefined)[] {
  const known: (WriteSet | undefined)[] = writes.map(() => undefined);
  const open = new Set<Write>();
  for (const start of writes) {
    const stack = [start];
    for (let write = stack.at(-1); write !== undefined; write = stack.at(-1)) {
      const parents = known[write.index] === undefined ? parentsOf(write, ids) : [];
      // One that is open already waits for this one: a circle, which no real history has.
      const unknown = parents.filter((parent) => known[parent.index] === undefined && !open.has(parent));
      if (unknown.length > 0 && !open.has(write)) {
        open.add(write);
        stack.push(...unknown);
        continue;
      }
      stack.pop();
      open.delete(write);
      known[write.index] ??= setOf(parents, known, words);
    }
  }
  return known;
}

const parentsOf = (write: Write, ids: ReadonlyMap<string, Write>): Write[] =>
  write.operation.seen.map((id) => ids.get(id)).filter((parent) => parent !== undefined && parent !== write) as Write[];

function setOf(parents: readonly Write[], known: readonly (WriteSet | undefined)[], words: number): WriteSet {
  const set = new Uint32Array(words);
  for (const parent of parents) {
    add(set, parent.index);
    const further = known[parent.index];
    if (further !== undefined) union(set, further);
  }
  return set;
}

export function add(set: WriteSet, index: number): void {
  set[index >>> 5] = (set[index >>> 5] ?? 0) | (1 << (index & 31));
}

export const includes = (set: WriteSet, write: Write): boolean => ((set[write.index >>> 5] ?? 0) & (1 << (write.index & 31))) !== 0;

export function union(set: WriteSet, other: WriteSet): void {
  for (let i = 0; i < other.length; i++) set[i] = (set[i] ?? 0) | (other[i] ?? 0);
}

/** The writes of `set` that are not in `others`. */
export function missingFrom(history: KeyHistory, set: WriteSet, others: WriteSet): Write[] {
  if (set.every((word, i) => (word & ~(others[i] ?? 0)) === 0)) return [];
  return history.writes.filter((write) => includes(set, write) && !includes(others, write));
}

/** What these values and all that they supersede are together. */
export function coveredBy(history: KeyHistory, ids: readonly string[]): WriteSet {
  const covered = history.emptySet();
  for (const id of ids) {
    const write = history.byId(id);
    if (write === undefined) continue;
    add(covered, write.index);
    union(covered, history.ancestors(write));
  }
  return covered;
}
