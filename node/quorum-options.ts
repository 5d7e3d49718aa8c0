/**
 * Bucket options as people write them, in a query string or in a configuration file: the same names, the same bounds and the same codes in both.
 * The mesh checks again what it is given; these checks come first so that a mistake is named where it was made.
 */

import type { BucketOptions, ErrorCode, Mode } from 'ringmesh';

export const replicasMax = 16;
export const timeoutMaxMs = 120_000;
/** A hundred years. */
export const ttlMaxMs = 100 * 365 * 24 * 60 * 60_000;
export const modes: readonly Mode[] = ['strict', 'sloppy', 'any'];
export const resolvers = ['siblings', 'lww', 'priority'] as const;

export interface OptionProblem {
  readonly code: ErrorCode;
  readonly message: string;
}

export const isMode = (text: string): text is Mode => (modes as readonly string[]).includes(text);

const defaultReplicas = 3;
const majority = (n: number): number => Math.floor(n / 2) + 1;

/** What is wrong with n, r and w taken together, defaults filled in; undefined when nothing is. */
export function quorumProblem(options: Pick<BucketOptions, 'n' | 'r' | 'w'>): OptionProblem | undefined {
  const n = options.n ?? defaultReplicas;
  if (n < 1 || n > replicasMax) return { code: 'QUORUM_INVALID', message: `n must be 1 to ${replicasMax}, not ${n}` };
  for (const name of ['r', 'w'] as const) {
    const value = options[name] ?? majority(n);
    if (value < 1) return { code: 'QUORUM_INVALID', message: `${name} must be at least 1, not ${value}` };
    if (value > n) return { code: 'QUORUM_INVALID', message: `${name} = ${value} is more than n = ${n} replicas can give` };
  }
  return undefined;
}
