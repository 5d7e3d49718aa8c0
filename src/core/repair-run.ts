/**
 * A repair that somebody has asked for: exchanges with all members that share partitions with this peer, one after the other (AE2, AE3).
 *
 * It keeps no state of its own. What an interrupted one has repaired stays repaired, and the next one passes over it with the first digests: to go on, run it again.
 */

import type { AntiEntropy } from './anti-entropy.ts';
import { sharers } from './comparison.ts';
import type { Environment } from './environment.ts';
import { addCounts, type ExchangeCounts, type ExchangeResult } from './exchange.ts';
import type { Instant, PeerId } from './ids.ts';

export interface RepairCommand {
  /** Undefined: all that this peer holds. */
  readonly partitions: readonly number[] | undefined;
  /** The n of buckets that others may have records of, besides those that this peer has records of. */
  readonly counts: readonly number[];
}

export interface RepairOutcome extends ExchangeCounts {
  /** How many members share partitions with this peer. */
  readonly peers: number;
  /** Partitions, each as often as there were members to compare it with. */
  readonly compared: number;
  /** Members that could not be compared, or not wholly. */
  readonly failed: readonly { readonly peer: PeerId; readonly reason: string }[];
  readonly ms: number;
}

const progressMs = 200;

export class RepairRun {
  readonly #env: Environment;
  readonly #antiEntropy: AntiEntropy;
  readonly #command: RepairCommand;
  readonly #done: (now: Instant, outcome: RepairOutcome) => void;
  readonly #failed: { peer: PeerId; reason: string }[] = [];
  #peers: readonly PeerId[] = [];
  #counts: readonly number[] = [];
  #found: ExchangeCounts = { different: 0, received: 0, sent: 0, bytes: 0 };
  #compared = 0;
  #startedAt = 0;
  #toldAt = -Infinity;
  #aborted = false;
  #abortExchange: () => void = () => {};

  constructor(env: Environment, antiEntropy: AntiEntropy, command: RepairCommand, done: (now: Instant, outcome: RepairOutcome) => void) {
    this.#env = env;
    this.#antiEntropy = antiEntropy;
    this.#command = command;
    this.#done = done;
  }

  start(now: Instant): void {
    this.#startedAt = now.mono;
    this.#counts = [...new Set([...this.#env.replica.records.trees.replicaCounts, ...this.#command.counts])];
    this.#peers = sharers(this.#env.members, this.#counts, this.#command.partitions);
    this.#tell(now, 0, this.#found);
    this.#next(now, 0);
  }

  /** Ends without an outcome. */
  abort(): void {
    this.#aborted = true;
    this.#abortExchange();
  }

  #next(now: Instant, index: number): void {
    if (this.#aborted) return;
    const peer = this.#peers[index];
    if (peer === undefined) return this.#end(now);
    // A suspected member is asked all the same: somebody wants to know.
    if (!this.#env.calls.linked(peer)) {
      this.#failed.push({ peer, reason: 'out of reach' });
      return this.#next(now, index + 1);
    }
    this.#abortExchange = this.#antiEntropy.exchange(now, {
      peer,
      counts: this.#counts,
      partitions: this.#command.partitions,
      progress: (then, found) => {
        if (then.mono - this.#toldAt >= progressMs) this.#tell(then, index, addCounts(this.#found, found));
      },
      done: (then, result) => this.#compareDone(then, index, peer, result),
    });
  }

  #compareDone(now: Instant, index: number, peer: PeerId, { compared, failure, ...found }: ExchangeResult): void {
    this.#found = addCounts(this.#found, found);
    this.#compared += compared.length;
    if (failure !== undefined) this.#failed.push({ peer, reason: failure });
    this.#tell(now, index + 1, this.#found);
    this.#next(now, index + 1);
  }

  #tell(now: Instant, peersDone: number, found: ExchangeCounts): void {
    if (this.#aborted) return;
    this.#toldAt = now.mono;
    const { different, received, sent } = found;
    const peer = this.#peers[peersDone] ?? '';
    const peersTotal = this.#peers.length;
    this.#env.emit({ type: 'repair', peer, peersDone, peersTotal, compared: this.#compared, different, received, sent });
  }

  #end(now: Instant): void {
    const ms = now.mono - this.#startedAt;
    this.#done(now, { peers: this.#peers.length, compared: this.#compared, ...this.#found, failed: this.#failed, ms });
  }
}
