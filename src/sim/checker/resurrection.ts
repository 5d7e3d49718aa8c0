/**
 * No resurrection: a value that an acknowledged write has superseded stays away. It is not returned by a strict read that begins after that write was
 * acknowledged by a strict quorum, and no replica holds it at the end.
 */

import type { Operation } from '../history.ts';
import { includes, type KeyHistory, union, type Write, type WriteSet } from './key-history.ts';
import { inTime, type Moment } from './moments.ts';
import type { Violation } from './violation.ts';

export function checkResurrection(history: KeyHistory, isStrict: (operation: Operation) => boolean): Violation[] {
  const violations: Violation[] = [];
  const acknowledged = history.writes.filter(({ operation }) => operation.status === 'ok' && operation.seen.length > 0);
  const look = (read: Operation, superseded: WriteSet, by: readonly Write[]): void => {
    for (const id of read.returned) {
      const value = history.byId(id);
      if (value !== undefined && includes(superseded, value)) violations.push(violation(history, read, value, by));
    }
  };
  const superseded = history.emptySet();
  const strictly: Write[] = [];
  const moments: Moment[] = [];
  for (const write of acknowledged) {
    const { operation } = write;
    if (operation.complete === null || !isStrict(operation)) continue;
    const end = (): void => {
      strictly.push(write);
      union(superseded, history.ancestors(write));
    };
    moments.push({ at: operation.complete, order: 2, happen: end });
  }
  for (const read of history.reads.filter(isStrict))
    moments.push({ at: read.invoke, order: 1, happen: () => look(read, superseded, strictly) });
  for (const moment of inTime(moments)) moment.happen();
  for (const write of acknowledged) union(superseded, history.ancestors(write));
  for (const read of history.finals) look(read, superseded, acknowledged);
  return violations;
}

function violation(history: KeyHistory, read: Operation, value: Write, acknowledged: readonly Write[]): Violation {
  const by = acknowledged.find((write) => includes(history.ancestors(write), value));
  const where = read.node === undefined ? `${read.process} read` : `the replica ${read.node} holds`;
  const message = `${where} ${value.id}, which ${by?.id} had seen and superseded, acknowledged at ${by?.operation.complete} ms`;
  return { check: 'resurrection', key: history.key, message };
}
