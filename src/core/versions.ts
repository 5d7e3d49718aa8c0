/**
 * Dotted version vector sets: the versions of one key (Preguiça, Baquero, Almeida, Fonte, Gonçalves, "Brief Announcement: Efficient Causality Tracking in
 * Distributed Storage Systems with Dotted Version Vectors", PODC 2012; the set form follows Almeida et al., "Scalable and Accurate Causality Tracking for
 * Eventually Consistent Stores", DAIS 2014).
 *
 * A set holds the siblings, each named by its dot, and a context: the dots that are known. A dot that the context covers and that is not among the siblings
 * has been superseded. `merge` is the join of a semilattice: any order, any repetition, the same result (VR1). Contexts are never pruned (VR6).
 *
 * A context is kept as ranges of dots. Nearly always an actor has one range that begins at 1, which is a plain version vector; the context of a put that
 * did not see its siblings has a range that begins later. So a context claims exactly what its holder saw.
 */

import type { Actor, Dot } from './ids.ts';

/** The dots of an actor from `from` (1 when absent) to `counter`. */
export interface DotRange {
  readonly actor: Actor;
  readonly counter: number;
  readonly from?: number;
}

/** Sorted by actor and counter; the ranges of one actor neither overlap nor touch. */
export type VersionVector = readonly DotRange[];

export interface Version<V> {
  readonly dot: Dot;
  readonly value: V;
}

export interface VersionSet<V> {
  /** Covers the dot of every sibling. */
  readonly context: VersionVector;
  /** Sorted by dot. */
  readonly siblings: readonly Version<V>[];
}

export type Ordering = 'equal' | 'before' | 'after' | 'concurrent';

export const emptyVector: VersionVector = [];
export const emptySet: VersionSet<never> = { context: [], siblings: [] };

export function compareDots(a: Dot, b: Dot): number {
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  return a.counter - b.counter;
}

export const sameDot = (a: Dot, b: Dot): boolean => a.counter === b.counter && a.actor === b.actor;

const first = (range: DotRange): number => range.from ?? 1;

/** A vector that knows this dot and nothing else. */
export const onlyDot = ({ actor, counter }: Dot): VersionVector => [dotRange(actor, counter, counter)];

const dotRange = (actor: Actor, from: number, counter: number): DotRange => (from === 1 ? { actor, counter } : { actor, counter, from });

/** The highest counter of the actor that the vector knows; 0 when it knows none. */
export function counterOf(vector: VersionVector, actor: Actor): number {
  let highest = 0;
  for (const range of vector) if (range.actor === actor) highest = range.counter;
  return highest;
}

export function covers(vector: VersionVector, dot: Dot): boolean {
  return vector.some((range) => range.actor === dot.actor && first(range) <= dot.counter && dot.counter <= range.counter);
}

/** Whether `a` knows all that `b` knows. */
export function descends(a: VersionVector, b: VersionVector): boolean {
  return b.every((inner) =>
    a.some((outer) => outer.actor === inner.actor && first(outer) <= first(inner) && inner.counter <= outer.counter),
  );
}

export function joinVectors(a: VersionVector, b: VersionVector): VersionVector {
  if (a === b || b.length === 0) return a;
  if (a.length === 0) return b;
  const joined: DotRange[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    const takeLeft = right === undefined || (left !== undefined && compareRanges(left, right) <= 0);
    if (takeLeft) i++;
    else j++;
    append(joined, takeLeft ? left : right);
  }
  return joined;
}

const compareRanges = (a: DotRange, b: DotRange): number => (a.actor === b.actor ? first(a) - first(b) : a.actor < b.actor ? -1 : 1);

/** Adds a range that begins no earlier than the last one, and unites the two when they overlap or touch. */
function append(ranges: DotRange[], range: DotRange | undefined): void {
  if (range === undefined) return;
  const last = ranges.at(-1);
  if (last === undefined || last.actor !== range.actor || first(range) > last.counter + 1) ranges.push(range);
  else if (range.counter > last.counter) ranges[ranges.length - 1] = dotRange(last.actor, first(last), range.counter);
}

/** What both sets know together: a version stays unless the other side has seen it and dropped it. */
export function merge<V>(a: VersionSet<V>, b: VersionSet<V>): VersionSet<V> {
  if (a === b || b.context.length === 0) return a;
  if (a.context.length === 0) return b;
  const kept = a.siblings.filter((version) => !covers(b.context, version.dot) || has(b, version.dot));
  for (const version of b.siblings) if (!covers(a.context, version.dot)) kept.push(version);
  return { context: joinVectors(a.context, b.context), siblings: kept.sort((x, y) => compareDots(x.dot, y.dot)) };
}

/**
 * A new version of `local` by a writer that had seen `context`: it replaces exactly the siblings that the context covers. The caller makes sure that no
 * dot of `actor` was ever given beyond what `local` knows, or beyond `floor` where `local` knows none (VR3).
 */
export function update<V>(
  local: VersionSet<V>,
  context: VersionVector,
  actor: Actor,
  value: V,
  floor = 0,
): { set: VersionSet<V>; dot: Dot } {
  const known = joinVectors(local.context, context);
  const isNew = counterOf(local.context, actor) === 0;
  const dot: Dot = { actor, counter: Math.max(counterOf(known, actor), isNew ? floor : 0) + 1 };
  const siblings = local.siblings.filter((version) => !covers(context, version.dot));
  siblings.push({ dot, value });
  siblings.sort((x, y) => compareDots(x.dot, y.dot));
  return { set: { context: joinVectors(known, onlyDot(dot)), siblings }, dot };
}

/** How `a` stands to `b`: `before` when merging would give `b`. */
export function compareSets<V>(a: VersionSet<V>, b: VersionSet<V>): Ordering {
  if (b.context.length === 0) return a.context.length === 0 ? 'equal' : 'after';
  const knowsAll = descends(a.context, b.context) && !dropsWhatItSaw(b, a);
  const knownByOther = descends(b.context, a.context) && !dropsWhatItSaw(a, b);
  if (knowsAll && knownByOther) return 'equal';
  if (knowsAll) return 'after';
  return knownByOther ? 'before' : 'concurrent';
}

/** Whether `older` has seen and dropped a version that `newer` still holds: then `newer` does not know all that `older` knows. */
function dropsWhatItSaw<V>(older: VersionSet<V>, newer: VersionSet<V>): boolean {
  return newer.siblings.some((version) => covers(older.context, version.dot) && !has(older, version.dot));
}

/** Keeps one sibling, the greatest by `order`; the context goes on covering the others. Converges because `order` is total. */
export function keepGreatest<V>(set: VersionSet<V>, order: (a: Version<V>, b: Version<V>) => number): VersionSet<V> {
  if (set.siblings.length < 2) return set;
  const winner = set.siblings.reduce((best, version) => (order(version, best) > 0 ? version : best));
  return { context: set.context, siblings: [winner] };
}

export function has<V>(set: VersionSet<V>, dot: Dot): boolean {
  return set.siblings.some((version) => sameDot(version.dot, dot));
}
