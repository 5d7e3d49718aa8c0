/**
 * The puts that other peers forwarded to this one. A put that arrives again, while it is under way or shortly after, is the same put: it gets the same answer
 * and mints nothing (VR5).
 */

import type { Environment } from './environment.ts';
import type { MeshError } from './errors.ts';
import type { ByteString, Instant } from './ids.ts';
import type { PutCommand, PutOutcome } from './messages.ts';
import { PutRun } from './put-run.ts';

type Reply = (now: Instant, result: PutOutcome | MeshError) => void;

interface Served {
  result: PutOutcome | MeshError | undefined;
  waiting: Reply[];
}

const rememberedMax = 10_000;

export class PutsServed {
  readonly #env: Environment;
  /** In the order of arrival. */
  readonly #served = new Map<ByteString, Served>();

  constructor(env: Environment) {
    this.#env = env;
  }

  serve(now: Instant, command: PutCommand, reply: Reply): void {
    const known = this.#served.get(command.operation);
    if (known?.result !== undefined) return reply(now, known.result);
    if (known !== undefined) {
      known.waiting.push(reply);
      return;
    }
    const served: Served = { result: undefined, waiting: [reply] };
    this.#served.set(command.operation, served);
    this.#forgetOldest();
    const run = new PutRun(this.#env, command, (then, result) => {
      served.result = result;
      for (const waiter of served.waiting) waiter(then, result);
      served.waiting = [];
    });
    run.start(now);
  }

  #forgetOldest(): void {
    if (this.#served.size <= rememberedMax) return;
    for (const [operation, { result }] of this.#served) {
      // One that is still under way would be minted twice.
      if (result === undefined) continue;
      this.#served.delete(operation);
      return;
    }
  }
}
