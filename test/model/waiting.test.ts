/** What is under way against a plain map, over many renewals. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Waiting } from '../../src/core/waiting.ts';
import { holds } from './property.ts';

describe('what is under way', () => {
  it('[QR9] is found and taken once, in the order of coming, however much has passed through', () => {
    const step = fc.record({ take: fc.boolean(), key: fc.nat({ max: 80 }) });
    holds(
      100,
      fc.property(fc.array(step, { minLength: 200, maxLength: 400 }), (steps) => {
        const waiting = new Waiting<number, number>();
        const model = new Map<number, number>();
        for (const [index, { take, key }] of steps.entries()) {
          if (take) {
            expect(waiting.take(key)).toBe(model.get(key));
            model.delete(key);
          } else {
            waiting.set(key, index);
            model.set(key, index);
          }
          expect(waiting.size).toBe(model.size);
          expect(waiting.get(key)).toBe(model.get(key));
          expect(waiting.first).toBe([...model.values()][0]);
        }
        expect([...waiting.keys()]).toEqual([...model.keys()]);
        expect([...waiting.values()]).toEqual([...model.values()]);
      }),
    );
  });
});
