/**
 * No resurrection: a value that an acknowledged write has superseded stays away. It is not returned by a strict read that begins after that write was
 * acknowledged by a strict quorum, and no replica holds it at the end.
 */

import type { Operation } from '../history.ts';
import { includes, type KeyHistory, type Write } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkResurrection(history: KeyHistory, isStrict: (operation: Operation) => boolean): Violation[] {
  const violations: Violation[] = [];
  const acknowledged = history.writes.filter(({ operation }) => operation.status === 'ok' && operation.seen.length > 0);
  const report = (read: Operation, write: Write, id: string): void => {
    const where = read.node === undefined ? `${read.process} read` : `the replica ${read.node} holds`;
    const message = `${where} ${id}, which ${write.id} had seen and superseded, acknowledged at ${write.operation.complete} ms`;
    violations.push({ check: 'resurrection', key: history.key, message });
  };
  for (const read of [...history.reads.filter(isStrict), ...history.finals]) {
    for (const id of read.returned) {
      const value = history.byId(id);
      if (value === undefined) continue;
      const by = acknowledged.find((write) => endedBefore(write.operation, read, isStrict) && includes(history.ancestors(write), value));
      if (by !== undefined) report(read, by, id);
    }
  }
  return violations;
}

function endedBefore(write: Operation, read: Operation, isStrict: (operation: Operation) => boolean): boolean {
  if (read.phase === 'final') return true;
  return isStrict(write) && write.complete !== null && write.complete < read.invoke;
}
