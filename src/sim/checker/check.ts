/**
 * All checkers over one history, whoever wrote it: the simulator, or a driver against real processes.
 *
 * The form of a history does not say which operations are strict. By default all are, except those of processes whose names begin with `weak`.
 */

import type { HistoryRow, Operation } from '../history.ts';
import { checkConcurrency } from './concurrency.ts';
import { checkReplicas, checkRoots } from './convergence.ts';
import { checkDots } from './dots.ts';
import { splitByKey } from './key-history.ts';
import { checkLost } from './lost.ts';
import { checkPhantoms } from './phantoms.ts';
import { checkResurrection } from './resurrection.ts';
import { checkStaleness } from './staleness.ts';
import type { Violation } from './violation.ts';

export interface CheckOptions {
  /** Whether this operation used a strict quorum that overlaps those of the other strict ones. */
  readonly isStrict?: (operation: Operation) => boolean;
  /** Whether two strict reads see each other's values, which takes a majority of replicas for each. Default true. */
  readonly monotonic?: boolean;
}

export const strictByName = (operation: Operation): boolean => !operation.process.startsWith('weak');

export function checkHistory(rows: readonly HistoryRow[], { isStrict = strictByName, monotonic = true }: CheckOptions = {}): Violation[] {
  const violations = [...checkDots(rows), ...checkRoots(rows)];
  for (const history of splitByKey(rows)) {
    violations.push(
      ...checkPhantoms(history),
      ...checkLost(history),
      ...checkResurrection(history, isStrict),
      ...checkConcurrency(history),
      ...checkStaleness(history, isStrict, monotonic),
      ...checkReplicas(history),
    );
  }
  return violations;
}
