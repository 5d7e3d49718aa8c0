/**
 * Dots are unique: on one key a dot names one value for ever, and a value has one dot, across crashes, forwards and retries (VR3, VR5).
 */

import type { HistoryRow } from '../history.ts';
import { isOperation } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkDots(rows: readonly HistoryRow[]): Violation[] {
  const violations: Violation[] = [];
  const dotOf = new Map<string, string>();
  const valueOf = new Map<string, string>();
  for (const row of rows) {
    if (!isOperation(row)) continue;
    const { key } = row;
    for (const [id, dot] of Object.entries(row.dots)) {
      const value = `${key}\0${id}`;
      const otherDot = dotOf.get(value);
      // Most have been told before.
      if (otherDot === dot) continue;
      const place = `${key}\0${dot}`;
      const otherId = valueOf.get(place);
      if (otherDot === undefined) dotOf.set(value, dot);
      else violations.push({ check: 'dots', key, message: `value ${id} has two dots: ${otherDot} and ${dot}` });
      if (otherId === undefined) valueOf.set(place, id);
      else if (otherId !== id) violations.push({ check: 'dots', key, message: `dot ${dot} names two values: ${otherId} and ${id}` });
    }
  }
  return violations;
}
