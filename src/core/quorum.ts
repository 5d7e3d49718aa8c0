/**
 * The quorum tally: how many answers are needed, who gave one, and what that decides (Dynamo, section 4.5; Gifford, "Weighted Voting for Replicated
 * Data", 1979). It is a value: `succeeded`, `failed` and `asked` give the next one. Acting on the verdict is someone else's work.
 */

import { MeshError } from './errors.ts';
import { limits } from './limits.ts';

export type Role = 'primary' | 'fallback' | 'gaining';

export interface Tally {
  readonly need: number;
  /** Only primaries count (QR2). */
  readonly strict: boolean;
  readonly outstanding: number;
  readonly primaries: number;
  readonly fallbacks: number;
}

/** `lost`: the answers still out cannot make the quorum any more; asking further replicas may turn it back to `pending`. */
export type Verdict = 'pending' | 'won' | 'lost';

export const openTally = (need: number, strict: boolean): Tally => ({ need, strict, outstanding: 0, primaries: 0, fallbacks: 0 });

const tally = (of: Tally, outstanding: number, primaries: number, fallbacks: number): Tally => ({
  need: of.need,
  strict: of.strict,
  outstanding,
  primaries,
  fallbacks,
});

export const asked = (of: Tally): Tally => tally(of, of.outstanding + 1, of.primaries, of.fallbacks);

export const failed = (of: Tally): Tally => tally(of, of.outstanding - 1, of.primaries, of.fallbacks);

export function succeeded(of: Tally, role: Role): Tally {
  const isPrimary = role === 'primary';
  return tally(of, of.outstanding - 1, of.primaries + (isPrimary ? 1 : 0), of.fallbacks + (isPrimary ? 0 : 1));
}

export const counted = (of: Tally): number => of.primaries + (of.strict ? 0 : of.fallbacks);

export function verdict(of: Tally): Verdict {
  if (counted(of) >= of.need) return 'won';
  return counted(of) + of.outstanding < of.need ? 'lost' : 'pending';
}

/** Every read quorum meets every write quorum (QR1). */
export const overlaps = (n: number, r: number, w: number): boolean => r + w > n;

export const majority = (n: number): number => Math.floor(n / 2) + 1;

/** Refuses numbers that can never make a quorum, before anything is touched. */
export function checkQuorum(n: number, r: number, w: number): void {
  const whole = (name: string, value: number, max: number): void => {
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new MeshError('QUORUM_INVALID', `${name} must be a whole number from 1 to ${max}, not ${value}`);
    }
  };
  whole('n', n, limits.replicasMax);
  whole('r', r, n);
  whole('w', w, n);
}
