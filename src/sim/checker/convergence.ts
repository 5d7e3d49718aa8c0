/** Replicas converge: at the end all replicas of a key hold the same values, and all that hold a partition have the same root. */

import type { HistoryRow, RootRow } from '../history.ts';
import type { KeyHistory } from './key-history.ts';
import { isOperation } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkReplicas({ key, finals }: KeyHistory): Violation[] {
  const silent: Violation[] = finals
    .filter((final) => final.status !== 'ok')
    .map((final) => ({ check: 'convergence', key, message: `the replica ${final.node} gave no answer at the end` }));
  const contents = new Map<string, string[]>();
  for (const { node = '', returned, status } of finals) {
    if (status !== 'ok') continue;
    const content = returned.toSorted().join(', ');
    contents.set(content, [...(contents.get(content) ?? []), node]);
  }
  if (contents.size < 2) return silent;
  const sides = [...contents].map(
    ([content, nodes]) => `${nodes.join(' and ')} hold${nodes.length === 1 ? 's' : ''} ${content === '' ? 'nothing' : content}`,
  );
  return [...silent, { check: 'convergence', key, message: sides.join('; ') }];
}

export function checkRoots(rows: readonly HistoryRow[]): Violation[] {
  const byPartition = new Map<string, RootRow[]>();
  for (const row of rows) {
    if (isOperation(row)) continue;
    byPartition.set(row.key, [...(byPartition.get(row.key) ?? []), row]);
  }
  const violations: Violation[] = [];
  for (const [key, roots] of byPartition) {
    if (new Set(roots.map((root) => root.digest)).size < 2) continue;
    const message = `the roots of partition ${key} differ: ${roots.map((root) => `${root.node} has ${root.digest}`).join(', ')}`;
    violations.push({ check: 'convergence', key, message });
  }
  return violations;
}
