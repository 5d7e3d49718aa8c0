/**
 * The heap of timers against a plain list that is sorted every time.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SeededRandom } from '../../src/core/random.ts';
import { Timers } from '../../src/core/timers.ts';
import { holds } from './property.ts';

type Step =
  | { readonly type: 'set'; readonly delay: number; readonly then: readonly number[] }
  | { readonly type: 'cancel'; readonly which: number }
  | { readonly type: 'fire'; readonly by: number };

const delay = fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 50 }), fc.constant(-3));
const aStep: fc.Arbitrary<Step> = fc.oneof(
  // `then`: timers that this one sets when it fires, this much later.
  { weight: 4, arbitrary: fc.record({ type: fc.constant('set' as const), delay, then: fc.array(fc.nat({ max: 4 }), { maxLength: 2 }) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('fire' as const), by: fc.nat({ max: 12 }) }) },
);

interface Naive {
  readonly at: number;
  readonly name: number;
  readonly then: readonly number[];
}

/** The list: always the earliest, and of those the one set first. */
class List {
  waiting: Naive[] = [];
  fired: [name: number, now: number][] = [];
  names = 0;

  set(at: number, then: readonly number[]): number {
    this.waiting.push({ at, name: this.names, then });
    return this.names++;
  }

  fire(now: number): void {
    for (;;) {
      const due = this.waiting.filter((timer) => timer.at <= now).sort((a, b) => a.at - b.at || a.name - b.name)[0];
      if (due === undefined) return;
      this.waiting = this.waiting.filter((timer) => timer !== due);
      this.fired.push([due.name, now]);
      for (const later of due.then) this.set(now + later, []);
    }
  }
}

describe('timers', () => {
  it('[QR9] fire in the order of their deadlines, then of their setting, once each, and not when cancelled', () => {
    let total = 0;
    holds(
      500,
      fc.property(fc.array(aStep, { maxLength: 60 }), (steps) => {
        const timers = new Timers();
        const list = new List();
        const fired: [name: number, now: number][] = [];
        const cancels: (() => void)[] = [];
        let names = 0;
        let mono = 100;
        const set = (at: number, then: readonly number[]): void => {
          const name = names++;
          cancels[name] = timers.at(at, (now) => {
            fired.push([name, now.mono]);
            for (const later of then) set(now.mono + later, []);
          });
        };
        for (const step of steps) {
          if (step.type === 'set') {
            set(mono + step.delay, step.then);
            list.set(mono + step.delay, step.then);
          } else if (step.type === 'cancel') {
            const name = step.which % Math.max(1, names);
            cancels[name]?.();
            list.waiting = list.waiting.filter((timer) => timer.name !== name);
          } else {
            mono += step.by;
            timers.fire({ mono, wall: 0 });
            list.fire(mono);
          }
          expect(timers.next()).toBe(list.waiting.length === 0 ? undefined : Math.min(...list.waiting.map((timer) => timer.at)));
        }
        expect(fired).toEqual(list.fired);
        total += fired.length;
      }),
    );
    expect(total).toBeGreaterThan(150);
  });

  it('[QR9] fire in order when most of very many have been cancelled', () => {
    const timers = new Timers();
    const random = new SeededRandom(1);
    const expected: [at: number, name: number][] = [];
    const fired: number[] = [];
    for (let name = 0; name < 5000; name++) {
      const at = random.below(1000);
      const cancel = timers.at(at, () => fired.push(name));
      if (random.below(10) > 0) cancel();
      else expected.push([at, name]);
      // Cancelling twice, or after the end, is nothing.
      if (random.below(2) > 0 && expected.at(-1)?.[1] !== name) cancel();
    }
    timers.fire({ mono: 1000, wall: 0 });
    expect(fired).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, name]) => name));
    expect(timers.next()).toBeUndefined();
  });

  it('what is wanted soon comes before any deadline, in the order of asking, and may ask for more', () => {
    const timers = new Timers();
    const fired: string[] = [];
    timers.at(0, () => fired.push('deadline'));
    timers.soon(() => {
      fired.push('first');
      timers.soon(() => fired.push('third'));
    });
    timers.soon(() => fired.push('second'));
    expect(timers.next()).toBe(-Infinity);
    timers.fire({ mono: 0, wall: 0 });
    expect(fired).toEqual(['first', 'second', 'third', 'deadline']);
  });

  it('[QR9] a timer may cancel another one that is due at the same instant', () => {
    const timers = new Timers();
    const fired: string[] = [];
    const cancel: (() => void)[] = [];
    timers.at(5, () => {
      fired.push('first');
      cancel[0]?.();
    });
    cancel.push(timers.at(5, () => fired.push('second')));
    timers.at(5, () => fired.push('third'));
    timers.fire({ mono: 5, wall: 0 });
    expect(fired).toEqual(['first', 'third']);
    expect(timers.next()).toBeUndefined();
  });
});
