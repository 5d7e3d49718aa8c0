/** Dials through relays take turns. */

import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/adapters/libp2p-turns.ts';

describe('turns', () => {
  it('as many tasks go on at a time as there are places, all of them in the end, in the order in which they came', async () => {
    const turns = new Turns(2);
    const begun: number[] = [];
    let going = 0;
    let most = 0;
    const task = (index: number) => async () => {
      begun.push(index);
      most = Math.max(most, ++going);
      await new Promise((resolve) => setImmediate(resolve));
      going--;
      return index;
    };
    const all = Array.from({ length: 6 }, (_, index) => turns.run(task(index)));
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  it('a task that fails gives its place up', async () => {
    const turns = new Turns(1);
    await expect(turns.run(() => Promise.reject(new Error('no way')))).rejects.toThrow('no way');
    expect(await turns.run(() => Promise.resolve('next'))).toBe('next');
  });
});
