/**
 * The core's side of the disk: every request has an id of its own and is answered once.
 */

import { describe, expect, it } from 'vitest';

import { Disk, type DiskRequest } from '../../src/core/disk.ts';
import { MeshError } from '../../src/core/errors.ts';
import type { ByteString } from '../../src/core/ids.ts';

const now = { mono: 0, wall: 0 };
const key = 'k' as ByteString;

function openDisk(): { disk: Disk; requests: DiskRequest[]; ended: unknown[]; note: (now: unknown, result: unknown) => void } {
  const requests: DiskRequest[] = [];
  const ended: unknown[] = [];
  return { disk: new Disk((request) => void requests.push(request)), requests, ended, note: (_, result) => void ended.push(result) };
}

describe('the disk', () => {
  it('[VR4] hands out requests in order, and each answer to who asked, once', () => {
    const { disk, requests, ended, note } = openDisk();
    disk.read([key], note);
    disk.write([{ key, value: undefined }], note);
    disk.range({ from: key, to: key, limit: 1 }, note);
    expect(requests.map(({ type }) => type)).toEqual(['read', 'write', 'range']);
    expect(new Set(requests.map(({ id }) => id)).size).toBe(3);
    const [read, write, range] = requests.map(({ id }) => id) as [number, number, number];
    disk.settle(now, { type: 'range', id: range, entries: [] });
    disk.settle(now, { type: 'read', id: read, values: [undefined] });
    disk.settle(now, { type: 'read', id: read, values: [undefined] });
    expect([ended, disk.pending]).toEqual([[[], [undefined]], 1]);
    disk.settle(now, { type: 'written', id: write });
    disk.settle(now, { type: 'written', id: 999 });
    expect([ended.length, ended.at(-1), disk.pending]).toEqual([3, undefined, 0]);
  });

  it('[VR4] a failure of any request is its error', () => {
    const { disk, requests, ended, note } = openDisk();
    disk.read([key], note);
    disk.write([], note);
    disk.range({ from: key, to: key, limit: 1 }, note);
    const error = new MeshError('STORAGE_FAILED', 'made to fail');
    for (const { id } of requests) disk.settle(now, { type: 'failed', id, error });
    expect(ended).toEqual([error, error, error]);
  });

  it('[ST2] what an answer asks for in turn is a request of its own', () => {
    const { disk, requests, ended, note } = openDisk();
    disk.read([key], () => disk.write([], note));
    disk.settle(now, { type: 'read', id: requests[0]?.id ?? 0, values: [undefined] });
    expect(requests.map(({ type }) => type)).toEqual(['read', 'write']);
    disk.settle(now, { type: 'written', id: requests[1]?.id ?? 0 });
    expect(ended).toEqual([undefined]);
  });
});
