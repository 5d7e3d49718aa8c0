/**
 * No acknowledged write is lost: at the end the value of each `ok` put is there, or a later write covers it whose context had seen it, directly or through
 * others. That later write must itself be there, or be a delete, of which nothing is left to see.
 */

import { coveredBy, includes, type KeyHistory, union } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkLost(history: KeyHistory): Violation[] {
  const { key, finals, writes } = history;
  const answered = finals.filter((final) => final.status === 'ok');
  if (answered.length === 0) return [];
  const accounted = coveredBy(
    history,
    answered.flatMap((final) => final.returned),
  );
  for (const write of writes) {
    const { op, status } = write.operation;
    if (op === 'delete' && status !== 'fail') union(accounted, history.ancestors(write));
  }
  return writes
    .filter(({ operation }) => operation.op === 'put' && operation.status === 'ok')
    .filter((write) => !includes(accounted, write))
    .map(({ id, operation }) => ({
      check: 'lost',
      key,
      message: `${id}, acknowledged to ${operation.process} at ${operation.complete} ms, is on no replica, and nobody who saw it replaced it`,
    }));
}
