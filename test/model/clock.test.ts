/**
 * The hybrid logical clock: later than everything that it gave and saw, near the wall clock, and never led astray.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Writer, Reader } from '../../src/core/bytes.ts';
import { compareTimes, HybridClock, maxDriftMs, type Timestamp } from '../../src/core/clock.ts';
import { holds } from './property.ts';

const start = 1_700_000_000_000;
const at = (wall: number): { mono: number; wall: number } => ({ mono: 0, wall });

const aStep = fc.oneof(
  fc.record({ type: fc.constant('next' as const), by: fc.integer({ min: -3_600_000, max: 3_600_000 }) }),
  fc.record({ type: fc.constant('next' as const), by: fc.constantFrom(0, 0, 1, 0.25) }),
  fc.record({
    type: fc.constant('observe' as const),
    by: fc.integer({ min: -2 * maxDriftMs, max: 2 * maxDriftMs }),
    tick: fc.oneof(fc.nat({ max: 3 }), fc.maxSafeNat()),
  }),
);

describe('the hybrid clock', () => {
  it('[VR7] a timestamp is later than all before it, given or seen, also when the wall clock jumps back an hour', () => {
    holds(
      1000,
      fc.property(fc.array(aStep, { maxLength: 40 }), (steps) => {
        const clock = new HybridClock();
        let wall = start;
        let latest: Timestamp = { ms: 0, tick: 0 };
        for (const step of steps) {
          if (step.type === 'next') {
            wall += step.by;
            const time = clock.next(at(wall));
            expect(compareTimes(time, latest)).toBeGreaterThan(0);
            expect(time.ms).toBeGreaterThanOrEqual(Math.floor(wall));
            expect(Number.isSafeInteger(time.ms) && Number.isSafeInteger(time.tick)).toBe(true);
            latest = time;
          } else {
            const time = { ms: Math.floor(wall + step.by), tick: step.tick };
            const followed = clock.observe(at(wall), time);
            expect(followed).toBe(time.ms <= wall + maxDriftMs);
            if (followed && compareTimes(time, latest) > 0) latest = time;
          }
        }
      }),
    );
  });

  it('[VR7] it follows the wall clock, and runs ahead of it by no more than it was told', () => {
    const clock = new HybridClock();
    expect(clock.next(at(start + 0.75))).toEqual({ ms: start, tick: 0 });
    expect(clock.next(at(start))).toEqual({ ms: start, tick: 1 });
    expect(clock.next(at(start - 5000))).toEqual({ ms: start, tick: 2 });
    expect(clock.next(at(start + 1))).toEqual({ ms: start + 1, tick: 0 });
    expect(clock.observe(at(start), { ms: start + maxDriftMs, tick: 4 })).toBe(true);
    expect(clock.next(at(start))).toEqual({ ms: start + maxDriftMs, tick: 5 });
    expect(clock.observe(at(start), { ms: start + maxDriftMs + 1, tick: 0 })).toBe(false);
    expect(clock.next(at(start))).toEqual({ ms: start + maxDriftMs, tick: 6 });
  });

  it('[VR7] a tick at the end of its range leads to the next millisecond, not to a time that nobody can read', () => {
    const clock = new HybridClock();
    clock.observe(at(start), { ms: start + 10, tick: Number.MAX_SAFE_INTEGER });
    const time = clock.next(at(start));
    const written = new Writer().uint(time.ms).uint(time.tick).finish();
    const reader = new Reader(written);
    expect({ ms: reader.uint(), tick: reader.uint() }).toEqual(time);
    expect(compareTimes(time, { ms: start + 10, tick: Number.MAX_SAFE_INTEGER })).toBeGreaterThan(0);
  });

  it('[VR7] times are ordered by millisecond, then by tick', () => {
    const aTime = fc.record({ ms: fc.nat({ max: 3 }), tick: fc.nat({ max: 3 }) });
    holds(
      300,
      fc.property(aTime, aTime, (a, b) => {
        expect(Math.sign(compareTimes(a, b))).toBe(Math.sign(a.ms * 10 + a.tick - (b.ms * 10 + b.tick)));
      }),
    );
  });
});
