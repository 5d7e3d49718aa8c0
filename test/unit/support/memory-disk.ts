/**
 * The disk of a replica under test: rows in memory, answers when the test says so, and failures where it wants them. Writes take effect whole and in their
 * order; reads are answered in turn with them, or before them.
 */

import { Disk, type DiskAnswer, type DiskRequest, type StorageChange, type StorageRange } from '../../../src/core/disk.ts';
import { MeshError } from '../../../src/core/errors.ts';
import type { ByteString, Instant } from '../../../src/core/ids.ts';

type Write = Extract<DiskRequest, { type: 'write' }>;

export class MemoryDisk {
  readonly disk = new Disk((request) => void this.waiting.push(request));
  readonly waiting: DiskRequest[] = [];
  rows = new Map<ByteString, Uint8Array>();
  /** Says which requests fail. */
  fails: (request: DiskRequest) => boolean = () => false;
  now: Instant = { mono: 0, wall: 1_700_000_000_000 };

  /** Answers the requests that wait, those that they lead to, and so on. */
  run(): void {
    while (this.waiting.length > 0) this.step();
  }

  step(): void {
    const request = this.waiting.shift();
    if (request !== undefined) this.disk.settle(this.now, this.answer(request));
  }

  /** Answers reads, and those that they lead to, while all writes wait. */
  runReads(): void {
    for (let at = this.#nextRead(); at >= 0; at = this.#nextRead()) {
      const [request] = this.waiting.splice(at, 1);
      if (request !== undefined) this.disk.settle(this.now, this.answer(request));
    }
  }

  #nextRead(): number {
    return this.waiting.findIndex((request) => request.type !== 'write');
  }

  answer(request: DiskRequest): DiskAnswer {
    const { id } = request;
    if (this.fails(request)) return { type: 'failed', id, error: new MeshError('STORAGE_FAILED', 'made to fail') };
    if (request.type === 'read') return { type: 'read', id, values: request.keys.map((key) => this.rows.get(key)?.slice()) };
    if (request.type === 'range') return { type: 'range', id, entries: this.#range(request.range) };
    this.#apply(request.changes);
    return { type: 'written', id };
  }

  #range({ from, to, limit, keysOnly = false, maxBytes = Infinity }: StorageRange): [ByteString, Uint8Array][] {
    const keys = [...this.rows.keys()].filter((key) => from <= key && key < to).sort();
    let bytes = 0;
    return keys
      .slice(0, limit)
      .map((key): [ByteString, Uint8Array] => [key, keysOnly ? new Uint8Array(0) : (this.rows.get(key) as Uint8Array).slice()])
      .filter(([, value]) => (bytes += value.length) - value.length < maxBytes);
  }

  #apply(changes: readonly StorageChange[]): void {
    for (const { key, value } of changes) {
      if (value === undefined) this.rows.delete(key);
      else this.rows.set(key, value.slice());
    }
  }

  /** The writes that wait, in their order. */
  get writes(): Write[] {
    return this.waiting.filter((request) => request.type === 'write');
  }

  /** Fails the next `count` writes, in their order. */
  failWrites(count: number): void {
    let left = count;
    this.fails = (request) => request.type === 'write' && left-- > 0;
  }

  snapshot(): Map<ByteString, Uint8Array> {
    return new Map([...this.rows].map(([key, value]) => [key, value.slice()]));
  }
}
