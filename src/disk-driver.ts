/**
 * Carries a peer's disk requests to its storage: those of one turn together, for every call of a storage costs a promise and often a way to another thread.
 * Reads that memory can answer are answered at once.
 */

import type { DiskAnswer, DiskRequest } from './core/disk.ts';
import { MeshError } from './core/errors.ts';
import type { Storage, StorageChange } from './ports.ts';

type Read = Extract<DiskRequest, { type: 'read' }>;
type Write = Extract<DiskRequest, { type: 'write' }>;

/** Commits of one turn go together up to this size. */
const commitMaxBytes = 1024 * 1024;

export class DiskDriver {
  readonly #storage: Storage;
  readonly #answered: (answer: DiskAnswer) => void;
  #reads: Read[] = [];
  #writes: Write[] = [];

  constructor(storage: Storage, answered: (answer: DiskAnswer) => void) {
    this.#storage = storage;
    this.#answered = answered;
  }

  /** Asks for it at the latest with the next `flush`. */
  ask(request: DiskRequest): void {
    const { id } = request;
    switch (request.type) {
      case 'read': {
        const values = this.#storage.getNow?.(request.keys);
        if (values === undefined) this.#reads.push(request);
        else this.#answered({ type: 'read', id, values });
        return;
      }
      case 'range':
        this.#storage.range(request.range).then(
          (entries) => this.#answered({ type: 'range', id, entries }),
          (cause: unknown) => this.#failed([request], cause),
        );
        return;
      case 'write':
        this.#writes.push(request);
        return;
    }
  }

  flush(): void {
    if (this.#reads.length > 0) this.#readAll(this.#reads.splice(0));
    while (this.#writes.length > 0) this.#commitSome();
  }

  #readAll(reads: readonly Read[]): void {
    this.#storage.getMany(reads.flatMap(({ keys }) => keys)).then(
      (values) => {
        let at = 0;
        for (const { id, keys } of reads) this.#answered({ type: 'read', id, values: values.slice(at, (at += keys.length)) });
      },
      (cause: unknown) => {
        // What one of them met must not fail the others.
        if (reads.length > 1) for (const read of reads) this.#readAll([read]);
        else this.#failed(reads, cause);
      },
    );
  }

  #commitSome(): void {
    const changes: StorageChange[] = [];
    let bytes = 0;
    let taken = 0;
    while (taken < this.#writes.length && bytes < commitMaxBytes) {
      for (const change of this.#writes[taken++]?.changes ?? []) {
        changes.push(change);
        bytes += change.value?.length ?? 0;
      }
    }
    const writes = this.#writes.splice(0, taken);
    this.#storage.commit(changes).then(
      () => {
        for (const { id } of writes) this.#answered({ type: 'written', id });
      },
      (cause: unknown) => this.#failed(writes, cause),
    );
  }

  #failed(requests: readonly DiskRequest[], cause: unknown): void {
    const error = cause instanceof MeshError ? cause : new MeshError('STORAGE_FAILED', String(cause), { cause });
    for (const { id } of requests) this.#answered({ type: 'failed', id, error });
  }
}
