/** Requests through the public handle of a peer that runs in this page: a simulated one, or the tab's own. */

import type { MeshPeer, Sibling as PublicSibling } from 'ringmesh';
import { MeshError } from 'ringmesh';
import {
  type Copy,
  type KeyName,
  MeshProblem,
  type Quorum,
  type ReadAnswer,
  type Sibling,
  type Value,
  type WriteReceipt,
} from './types.ts';

export function readThrough(peer: MeshPeer, { bucket, key }: KeyName, { r, mode }: Quorum): Promise<ReadAnswer> {
  return attempt(async () => {
    const answer = await peer.bucket(bucket).get(key, { r, mode });
    return { ...answer, siblings: answer.siblings.map(received) };
  });
}

export function writeThrough(
  peer: MeshPeer,
  { bucket, key }: KeyName,
  { w, mode }: Quorum,
  value: Value | undefined,
  context: string,
): Promise<WriteReceipt> {
  return attempt(() => {
    const opened = peer.bucket(bucket);
    const options = { w, mode, ...(context === '' ? {} : { context }) };
    return value === undefined ? opened.delete(key, options) : opened.put(key, value.bytes, { ...options, contentType: value.contentType });
  });
}

export async function copyThrough(peer: MeshPeer, { bucket, key }: KeyName): Promise<Copy> {
  try {
    const record = await peer.bucket(bucket).local(key);
    if (record === undefined) return { type: 'nothing' };
    return { type: 'kept', siblings: record.siblings.map(received), tombstones: record.tombstones, context: record.context };
  } catch {
    return { type: 'unknown' };
  }
}

/** Errors of a peer as those that the page knows. */
export async function attempt<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof MeshError) throw new MeshProblem(error.code, error.message);
    throw error;
  }
}

const received = ({ dot, value, contentType, time }: PublicSibling): Sibling => ({
  dot,
  time,
  value: { bytes: new Uint8Array(value), contentType: contentType ?? 'application/octet-stream' },
});
