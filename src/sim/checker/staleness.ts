/**
 * Strict reads are fresh (QR3): a strict read returns, or returns something that supersedes, each value that a strict put had been acknowledged for before
 * the read began, and each value that an earlier strict read had returned (monotonic reads, where two read quorums always meet).
 *
 * A delete leaves nothing to return: what a delete that began before the read's end has superseded may be absent.
 */

import type { Operation } from '../history.ts';
import { add, coveredBy, type KeyHistory, missingFrom, union, type Write, type WriteSet } from './key-history.ts';
import { inTime, type Moment } from './moments.ts';
import type { Violation } from './violation.ts';

export function checkStaleness(history: KeyHistory, isStrict: (operation: Operation) => boolean, monotonic = true): Violation[] {
  const violations: Violation[] = [];
  const known = history.emptySet();
  const deleted = history.emptySet();
  const required = new Map<Operation, WriteSet>();
  const moments: Moment[] = [];
  const when = (at: number | null, order: number, happen: () => void): void => {
    if (at !== null) moments.push({ at, order, happen });
  };
  for (const write of history.writes) {
    const { operation } = write;
    if (operation.status === 'ok' && operation.op === 'put' && isStrict(operation))
      when(operation.complete, 2, () => add(known, write.index));
    if (operation.status !== 'fail' && operation.op === 'delete') when(operation.invoke, 0, () => union(deleted, history.ancestors(write)));
  }
  for (const read of history.reads.filter(isStrict)) {
    when(read.invoke, 1, () => void required.set(read, known.slice()));
    when(read.complete, 2, () => {
      const covered = coveredBy(history, read.returned);
      union(covered, deleted);
      const missing = missingFrom(history, required.get(read) ?? history.emptySet(), covered);
      required.delete(read);
      if (missing.length > 0) violations.push(violation(history, read, missing));
      for (const id of monotonic ? read.returned : []) {
        const value = history.byId(id);
        if (value !== undefined) add(known, value.index);
      }
    });
  }
  for (const moment of inTime(moments)) moment.happen();
  return violations;
}

function violation(history: KeyHistory, read: Operation, missing: readonly Write[]): Violation {
  const returned = read.returned.length === 0 ? 'nothing' : read.returned.join(', ');
  const misses = missing.map((write) => write.id).join(', ');
  const message = `${read.process} read ${returned} at ${read.invoke}–${read.complete} ms and missed ${misses}, known before it began`;
  return { check: 'staleness', key: history.key, message };
}
