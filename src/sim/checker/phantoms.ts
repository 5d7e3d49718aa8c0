/**
 * No phantoms: a value that is returned was written to this key, before the read ended, by a put that did not fail. `fail` means that no replica
 * was touched (QR5), so that the value of a failed put is a phantom too, and so is a delete that comes back as a value.
 */

import type { Operation } from '../history.ts';
import type { KeyHistory } from './key-history.ts';
import type { Violation } from './violation.ts';

export function checkPhantoms(history: KeyHistory): Violation[] {
  const { key } = history;
  const violations: Violation[] = [];
  const report = (message: string): void => void violations.push({ check: 'phantoms', key, message });
  for (const read of [...history.reads, ...history.finals]) {
    for (const id of read.returned) {
      const write = history.byId(id)?.operation;
      const reason = whyPhantom(write, read);
      if (reason !== undefined) report(`${read.process} read ${id}, ${reason}`);
    }
  }
  return violations;
}

function whyPhantom(write: Operation | undefined, read: Operation): string | undefined {
  if (write === undefined) return 'which nobody has put';
  if (write.op === 'delete') return 'which is a delete';
  if (write.status === 'fail') return 'whose put has failed without touching a replica';
  return read.complete !== null && write.invoke > read.complete ? 'which was put only after the read had ended' : undefined;
}
