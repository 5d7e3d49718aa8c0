/** No false concurrency: a value is never returned beside its own causal descendant, by any read of any mode (VR1). */

import { includes, type KeyHistory } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkConcurrency(history: KeyHistory): Violation[] {
  const violations: Violation[] = [];
  for (const read of [...history.reads, ...history.finals]) {
    if (read.returned.length < 2) continue;
    const values = read.returned.map((id) => history.byId(id)).filter((write) => write !== undefined);
    for (const newer of values) {
      const older = values.find((value) => value !== newer && includes(history.ancestors(newer), value));
      if (older === undefined) continue;
      const message = `${read.node ?? read.process} returned ${older.id} beside ${newer.id}, whose writer had seen it`;
      violations.push({ check: 'concurrency', key: history.key, message });
    }
  }
  return violations;
}
