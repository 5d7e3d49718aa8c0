/**
 * What the clients of a run do: gets, puts and deletes on a few hot keys and on many others, read-modify-write with the context of the read, blind writes, and
 * writes with a context that has grown old. Strict clients use one quorum with r + w > n, so that what they are promised can be checked (QR3); weak clients, whose
 * names begin with `weak`, use any mode and any numbers.
 */

import type { WriteMode } from '../core/messages.ts';
import type { SeededRandom } from '../core/random.ts';
import { happens, pick, waiting } from './chance.ts';
import { Client, type ClientOptions, nothingSeen, type Quorum, type Seen } from './client.ts';
import type { Cluster } from './cluster.ts';
import type { OpenOperation } from './history.ts';

export interface WorkloadOptions {
  /** Operations in all. */
  readonly ops: number;
  readonly clients: number;
  /** How many of the clients are weak. */
  readonly weakClients: number;
  /** Of the strict clients. */
  readonly quorum: Quorum;
  readonly hotKeys: number;
  readonly wideKeys: number;
  /** Over how much virtual time the operations are spread. */
  readonly lastsMs: number;
  readonly budgetMs: number;
}

const hotShare = 0.7;
/** A context of an earlier read is sent again this much later, in operations of the same client. */
const staleAfter = 5;
const rememberedMax = 16;
/** Clients come in bursts, so that they meet on the hot keys: so many operations each, with pauses of this mean between them. */
const burstOps = 4;
const burstPauseMs = 10;

interface Memory {
  readonly key: string;
  readonly seen: Seen;
  readonly at: number;
  /** The context came with the answer to a put. */
  readonly written: boolean;
}

export class Workload {
  readonly history: OpenOperation[] = [];
  /** Keys whose values came back damaged. */
  readonly damaged: OpenOperation[] = [];
  readonly #options: WorkloadOptions;
  readonly #cluster: Cluster;
  #active = 0;
  #stopped = false;

  constructor(cluster: Cluster, options: WorkloadOptions) {
    this.#cluster = cluster;
    this.#options = options;
  }

  /** Every client has finished. */
  get done(): boolean {
    return this.#active === 0;
  }

  get keys(): string[] {
    return [...new Set(this.history.map((operation) => operation.key))].sort();
  }

  start(): void {
    const { clients, weakClients, budgetMs } = this.#options;
    for (let i = 0; i < clients; i++) {
      const weak = i >= clients - weakClients;
      const name = `${weak ? 'weak' : 'client'}${i}`;
      const random = this.#cluster.world.stream(`client/${i}`);
      const damaged = (_key: string, operation: OpenOperation): void => void this.damaged.push(operation);
      const options: ClientOptions = { name, index: i, cluster: this.#cluster, random, budgetMs, history: this.history, damaged };
      this.#active++;
      this.#next(new Client(options), i, random, weak, []);
    }
  }

  /** No client begins another operation. */
  stop(): void {
    this.#stopped = true;
  }

  #next(client: Client, index: number, random: SeededRandom, weak: boolean, memories: Memory[]): void {
    this.#cluster.world.after(this.#pause(random), 'client', index, () => {
      if (this.#stopped || this.history.length >= this.#options.ops) {
        this.#active--;
        return;
      }
      this.#act(client, random, weak ? weakQuorum(random, this.#options.quorum.n) : this.#options.quorum, memories, () =>
        this.#next(client, index, random, weak, memories),
      );
    });
  }

  /** Mostly short, then until the next burst; sometimes anything in between. */
  #pause(random: SeededRandom): number {
    if (!happens(random, 1 / burstOps)) return waiting(random, burstPauseMs);
    const { lastsMs, ops, clients } = this.#options;
    const period = (lastsMs * clients * burstOps) / ops;
    if (happens(random, 0.2)) return waiting(random, period);
    return period - (this.#cluster.world.nowMs % period) + waiting(random, burstPauseMs);
  }

  #act(client: Client, random: SeededRandom, quorum: Quorum, memories: Memory[], done: () => void): void {
    const hot = happens(random, hotShare);
    const key = hot ? `hot-${random.below(this.#options.hotKeys)}` : `wide-${random.below(this.#options.wideKeys)}`;
    const remember = (seen: Seen | undefined): void => {
      if (seen === undefined) return;
      memories.push({ key, seen, at: this.history.length, written: false });
      if (memories.length > rememberedMax) memories.shift();
    };
    const choice = random.below(100);
    if (choice < 35) {
      return client.get(key, quorum, (seen) => {
        remember(seen);
        done();
      });
    }
    // Blind writes make siblings that somebody must resolve: fewer of them on keys that everybody writes.
    if (choice < (hot ? 38 : 50)) return client.put(key, nothingSeen, quorum, happens(random, 0.1), done);
    if (choice < 58) {
      const old = memories.find((memory) => this.history.length - memory.at > staleAfter);
      if (old !== undefined) return client.put(old.key, old.seen, quorum, happens(random, 0.1), done);
    }
    // One put after the other without a read in between, each with the context that the one before has answered.
    const own = choice < 68 ? memories.findLast((memory) => memory.written) : undefined;
    if (own !== undefined) {
      return client.put(own.key, own.seen, quorum, false, (after) => {
        if (after !== undefined) memories.push({ ...own, seen: after, at: this.history.length });
        done();
      });
    }
    client.get(key, quorum, (seen) => {
      remember(seen);
      if (seen === undefined) return done();
      client.put(key, seen, quorum, happens(random, 0.12), (after) => {
        if (after !== undefined) memories.push({ key, seen: after, at: this.history.length, written: true });
        done();
      });
    });
  }
}

const modes: readonly WriteMode[] = ['strict', 'sloppy', 'sloppy', 'any'];

function weakQuorum(random: SeededRandom, n: number): Quorum {
  return { n, r: 1 + random.below(n), w: 1 + random.below(n), mode: pick(random, modes) };
}
