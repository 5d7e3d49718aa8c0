/**
 * Group commit (ST2): commits called together, or while a batch is being synced, share the next batch, so that one fsync pays for all of
 * them.
 *
 * Batches are written one at a time and in the order of the calls; within a batch, too, a later change to the same key comes later. All callers of a
 * batch share its fate: every promise resolves after the one write, or rejects with its error.
 */

import type { StorageChange } from '../ports.ts';

export type Changes = readonly StorageChange[];

/** A batch takes no further commits beyond this size: it bounds the memory of one batch and what the first caller in it waits for. */
const batchMaxBytes = 4 * 1024 * 1024;

interface Batch {
  readonly changes: StorageChange[];
  bytes: number;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function newBatch(): Batch {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const written = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { changes: [], bytes: 0, written, resolve, reject };
}

export class CommitQueue {
  readonly #write: (changes: Changes) => Promise<void>;
  readonly #waiting: Batch[] = [];
  #draining: Promise<void> | undefined;

  /** `write` makes all of the changes durable or none; it is never called while an earlier call is under way. */
  constructor(write: (changes: Changes) => Promise<void>) {
    this.#write = write;
  }

  /** Whether a commit is under way: its changes may appear at any moment. */
  get busy(): boolean {
    return this.#draining !== undefined;
  }

  commit(changes: readonly StorageChange[]): Promise<void> {
    let batch = this.#waiting.at(-1);
    if (batch === undefined || batch.bytes >= batchMaxBytes) {
      batch = newBatch();
      this.#waiting.push(batch);
    }
    for (const change of changes) {
      batch.changes.push(change);
      batch.bytes += change.key.length + (change.value?.length ?? 0);
    }
    this.#draining ??= this.#drain();
    return batch.written;
  }

  /** Resolves when every commit called so far has its answer. Never rejects. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
  }

  async #drain(): Promise<void> {
    // The rest of this turn may add commits to the first batch.
    await Promise.resolve();
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      try {
        if (batch.changes.length > 0) await this.#write(batch.changes);
        batch.resolve();
      } catch (error) {
        batch.reject(error);
      }
    }
    this.#draining = undefined;
  }
}
