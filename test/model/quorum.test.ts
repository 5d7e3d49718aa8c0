/**
 * The quorum tally against a list of what happened: every verdict is counted anew from the whole list.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { MeshError } from '../../src/core/errors.ts';
import {
  asked,
  checkQuorum,
  counted,
  failed,
  majority,
  openTally,
  overlaps,
  type Role,
  succeeded,
  type Tally,
  type Verdict,
  verdict,
} from '../../src/core/quorum.ts';
import { holds } from './property.ts';

interface Asked {
  readonly role: Role;
  result: 'open' | 'yes' | 'no';
}

function naiveVerdict(need: number, strict: boolean, replicas: readonly Asked[]): Verdict {
  const counts = replicas.filter(({ role, result }) => result === 'yes' && (role === 'primary' || !strict)).length;
  const open = replicas.filter(({ result }) => result === 'open').length;
  if (counts >= need) return 'won';
  return counts + open < need ? 'lost' : 'pending';
}

const aStep = fc.oneof(
  fc.record({ type: fc.constant('ask' as const), role: fc.constantFrom<Role>('primary', 'fallback') }),
  fc.record({ type: fc.constant('answer' as const), which: fc.nat(), ok: fc.boolean() }),
);

describe('the tally', () => {
  it('[QR1] [QR2] the verdict is what counting everything anew says, after every step', () => {
    const seen = new Set<Verdict>();
    holds(
      500,
      fc.property(fc.integer({ min: 1, max: 5 }), fc.boolean(), fc.array(aStep, { maxLength: 20 }), (need, strict, steps) => {
        const replicas: Asked[] = [];
        let tally = openTally(need, strict);
        for (const step of steps) {
          if (step.type === 'ask') {
            replicas.push({ role: step.role, result: 'open' });
            tally = asked(tally);
          } else {
            const open = replicas.filter((replica) => replica.result === 'open');
            const replica = open[step.which % Math.max(1, open.length)];
            if (replica === undefined) continue;
            replica.result = step.ok ? 'yes' : 'no';
            tally = step.ok ? succeeded(tally, replica.role) : failed(tally);
          }
          const expected = naiveVerdict(need, strict, replicas);
          seen.add(expected);
          expect(verdict(tally)).toBe(expected);
          expect(tally.primaries).toBe(replicas.filter(({ role, result }) => role === 'primary' && result === 'yes').length);
          expect(tally.outstanding).toBe(replicas.filter(({ result }) => result === 'open').length);
          expect(counted(tally)).toBe(tally.primaries + (strict ? 0 : tally.fallbacks));
        }
      }),
    );
    expect([...seen].sort()).toEqual(['lost', 'pending', 'won']);
  });

  it('[QR9] a tally is a value: counting further leaves the one before as it was', () => {
    const open = asked(openTally(1, true));
    const before = JSON.stringify(open);
    const won: Tally = succeeded(open, 'primary');
    expect([JSON.stringify(open), verdict(won), verdict(open), verdict(failed(open))]).toEqual([before, 'won', 'pending', 'lost']);
  });

  it('[QR1] read and write quorums overlap exactly when every pair of them shares a replica', () => {
    for (let n = 1; n <= 6; n++) {
      const subsets = Array.from({ length: 2 ** n }, (_, bits) => bits);
      const ofSize = (size: number): number[] => subsets.filter((bits) => bits.toString(2).replaceAll('0', '').length === size);
      for (let r = 1; r <= n; r++)
        for (let w = 1; w <= n; w++) expect(overlaps(n, r, w)).toBe(ofSize(r).every((a) => ofSize(w).every((b) => (a & b) !== 0)));
      expect(overlaps(n, majority(n), majority(n))).toBe(true);
      if (n > 1) expect(overlaps(n, majority(n), n - majority(n))).toBe(false);
    }
  });

  it('[QR1] numbers that never make a quorum are refused with QUORUM_INVALID', () => {
    const good = (n: number, r: number, w: number): boolean =>
      [n, r, w].every(Number.isInteger) && n >= 1 && n <= 16 && r >= 1 && r <= n && w >= 1 && w <= n;
    const aNumber = fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: -1, max: 18 }) },
      fc.constantFrom(0.5, Number.NaN, Infinity, -Infinity, 2.5),
    );
    const results = new Set<boolean>();
    holds(
      500,
      fc.property(aNumber, aNumber, aNumber, (n, r, w) => {
        results.add(good(n, r, w));
        if (good(n, r, w)) return checkQuorum(n, r, w);
        const error = thrownBy(() => checkQuorum(n, r, w));
        expect(error instanceof MeshError && error.code).toBe('QUORUM_INVALID');
      }),
    );
    expect(results.size).toBe(2);
  });
});

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
