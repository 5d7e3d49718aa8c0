/** Promises of the public handle over simulated peers. */

import type { World } from '../../../src/sim/world.ts';

/** Lets the world run until the promise has settled. */
export async function settled<T>(world: World, promise: Promise<T>): Promise<T> {
  let open = true;
  const done = promise.finally(() => (open = false));
  for (let turn = 0; turn < 10_000 && open; turn++) {
    world.runFor(10);
    await Promise.resolve();
  }
  return done;
}
