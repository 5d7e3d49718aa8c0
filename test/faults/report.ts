/** The end of a run in words and tables. */

import type { HistoryRow, Violation } from 'ringmesh/sim';
import { countText, facts, table } from '../../node/cli/output.ts';
import type { CounterName } from './counters.ts';
import type { Bite } from './nemesis.ts';
import type { FaultName } from './options.ts';

export interface Results {
  readonly rows: readonly HistoryRow[];
  readonly reasons: ReadonlyMap<string, number>;
  readonly bites: ReadonlyMap<FaultName, Bite>;
  readonly counters: readonly (readonly [CounterName, number])[];
  /** Each time that all replicas became equal, in milliseconds; the last one is that of the end. */
  readonly convergences: readonly number[];
  readonly violations: readonly Violation[];
}

const shownOfEach = 5;
const seconds = (ms: number): string => (ms / 1000).toFixed(1);

export function reportText(results: Results): string {
  return [operations(results), bites(results), summary(results), verdict(results)].join('\n\n');
}

function operations({ rows, reasons }: Results): string {
  const clients = rows.flatMap((row) => (row.op === 'root' || row.phase === 'final' ? [] : [row]));
  const count = (op: string, mode: string, status: string): string =>
    `${clients.filter((row) => row.op === op && row.key.startsWith(mode) && row.status === status).length}`;
  const lines = ['strict', 'sloppy'].flatMap((mode) =>
    ['get', 'put', 'delete'].map((op) => [`${mode} ${op}`, ...['ok', 'info', 'fail'].map((status) => count(op, mode, status))]),
  );
  const why = [...reasons].toSorted((a, b) => b[1] - a[1]).map(([reason, times]) => `${reason} ${times}`);
  const explained = why.length === 0 ? '' : `\n  answers that were not ok: ${why.join(', ')}`;
  return `${table(['operations', 'ok', 'unknown', 'failed'], lines, '  ')}${explained}`;
}

function bites({ bites }: Results): string {
  const lines = [...bites].map(([kind, bite]) => [kind, ...[bite.times, bite.hindered, bite.doubts, bite.records].map(String)]);
  return table(['fault', 'times', 'operations hindered', 'suspicions', 'records taken'], lines, '  ');
}

function summary({ counters, convergences, rows }: Results): string {
  const finals = rows.filter((row) => row.op !== 'root' && row.phase === 'final').length;
  const roots = rows.filter((row) => row.op === 'root').length;
  return facts(
    [
      ['repairs', counters.map(([name, count]) => `${count} ${name}`).join(', ')],
      ['convergence', `${convergences.map(seconds).join(', ')} s`],
      ['read at the end', `${finals} replicas of keys, ${roots} roots`],
    ],
    '  ',
  );
}

function verdict({ violations }: Results): string {
  if (violations.length === 0) return '  every check holds: nothing lost, resurrected, made up, stale, or diverged';
  const byCheck = new Map<string, Violation[]>();
  for (const violation of violations) byCheck.set(violation.check, [...(byCheck.get(violation.check) ?? []), violation]);
  const parts = [...byCheck].map(([check, found]) => {
    const shown = found.slice(0, shownOfEach).map(({ key, message }) => `    ${key === '' ? '' : `${key}: `}${message}`);
    const more = found.length > shownOfEach ? [`    and ${found.length - shownOfEach} more`] : [];
    return [`  ${countText(found.length, `violation: ${check}`, `violations: ${check}`)}`, ...shown, ...more].join('\n');
  });
  return parts.join('\n');
}

export const clockText = (ms: number): string => {
  const whole = Math.floor(ms / 1000);
  return `${`${Math.floor(whole / 60)}`.padStart(2, '0')}:${`${whole % 60}`.padStart(2, '0')}`;
};
