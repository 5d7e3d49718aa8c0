/** Waiting: for a time that a fault lasts, or for a condition with a deadline. */

export { setTimeout as sleep } from 'node:timers/promises';

import { setTimeout as sleep } from 'node:timers/promises';

const lookAgainMs = 100;

/** The condition did not come true in time. The message says what was missing at the last look. */
export class Late extends Error {
  constructor(what: string, withinMs: number, missing: string) {
    super(`${what}: not within ${withinMs / 1000} s (${missing})`);
    this.name = 'Late';
  }
}

/** `missing` says what is not there yet, in words, or nothing when all is. A look that throws has its message for an answer. */
export async function awaitNothing(what: string, withinMs: number, missing: () => Promise<string | undefined>): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await missing().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (answer === undefined) return;
    if (performance.now() > deadline) throw new Late(what, withinMs, answer);
    await sleep(lookAgainMs);
  }
}
