/**
 * What the clients do: gets, read-modify-writes, blind writes, writes with a context that has grown old, one put after another without a read in between,
 * and deletes, on some keys that are hot and others that are not, each time through any of the gateways, whether its peer is well or not.
 */

import type { SeededRandom } from '../../src/core/random.ts';
import { happens, pick, skewed, waiting } from '../../src/sim/chance.ts';
import { sleep } from './waiting.ts';
import { HistoryClient, type KeyName, nothingSeen, type Recorder, type Seen } from './history-client.ts';

interface Memory {
  readonly key: KeyName;
  readonly seen: Seen;
  /** The context came with the answer to a write. */
  readonly written: boolean;
}

const pauseMs = 30;
/** After an operation without an answer that helps. */
const discouragedMs = 200;
const rememberedMax = 16;
const hotShare = 0.5;
const hotKeys = 3;

export const keyNames = (count: number): KeyName[] =>
  Array.from({ length: count }, (_, index) => ({ bucket: index % 2 === 0 ? 'strict' : 'sloppy', key: `key-${(index >> 1) + 1}` }) as const);

export class Workload {
  readonly keys: readonly KeyName[];
  readonly #urls: readonly string[];
  readonly #loops: Promise<void>[];
  #state: 'running' | 'resting' | 'over' = 'running';
  #active = 0;

  constructor(options: { clients: number; keys: readonly KeyName[]; urls: readonly string[]; random: SeededRandom; recorder: Recorder }) {
    this.keys = options.keys;
    this.#urls = options.urls;
    this.#loops = Array.from({ length: options.clients }, (_, index) =>
      this.#loop(new HistoryClient(`client-${index + 1}`, options.recorder), options.random.fork()),
    );
  }

  /** Resolves when no operation is under way any more. */
  async rest(): Promise<void> {
    this.#state = 'resting';
    while (this.#active > 0) await sleep(10);
  }

  goOn(): void {
    this.#state = 'running';
  }

  async end(): Promise<void> {
    this.#state = 'over';
    await Promise.all(this.#loops);
  }

  async #loop(client: HistoryClient, random: SeededRandom): Promise<void> {
    const memories: Memory[] = [];
    for (;;) {
      await sleep(waiting(random, pauseMs));
      while (this.#state === 'resting') await sleep(10);
      if (this.#state === 'over') return;
      this.#active++;
      try {
        const served = await this.#act(client, random, memories);
        if (!served) await sleep(waiting(random, discouragedMs));
      } finally {
        this.#active--;
      }
    }
  }

  /** Whether it was served. */
  async #act(client: HistoryClient, random: SeededRandom, memories: Memory[]): Promise<boolean> {
    const key = happens(random, hotShare) ? pick(random, this.keys.slice(0, 2 * hotKeys)) : pick(random, this.keys);
    const url = pick(random, this.#urls);
    const remember = (key: KeyName, seen: Seen | undefined, written: boolean): boolean => {
      if (seen !== undefined) memories.push({ key, seen, written });
      if (memories.length > rememberedMax) memories.shift();
      return seen !== undefined;
    };
    const size = happens(random, 0.01) ? Math.floor(skewed(random, 1024, 200_000)) : random.below(200);
    const sizeOrDelete = happens(random, 0.12) ? undefined : size;
    const choice = random.below(100);
    if (choice < 35) return remember(key, await client.get(url, key), false);
    if (choice < 42) return (await client.write(url, key, nothingSeen, sizeOrDelete)) !== undefined;
    const old = memories[0];
    if (choice < 48 && old !== undefined) return (await client.write(url, old.key, old.seen, sizeOrDelete)) !== undefined;
    const own = memories.findLast((memory) => memory.written);
    if (choice < 58 && own !== undefined) return remember(own.key, await client.write(url, own.key, own.seen, size), true);
    const seen = await client.get(url, key);
    if (!remember(key, seen, false) || seen === undefined) return false;
    return remember(key, await client.write(pick(random, this.#urls), key, seen, sizeOrDelete), true);
  }
}
