/** The door to a peer that runs in this page: a simulated one, or the tab's own. */

import type { Holdings, MeshPeer, Placement, Sibling as PublicSibling } from 'ringmesh';
import { MeshError } from 'ringmesh';
import * as types from './types.ts';

export class Through implements types.Door {
  readonly #peer: () => MeshPeer;
  readonly #now: () => number;

  /** `peer` may throw while it is down. `now`: milliseconds. */
  constructor(peer: () => MeshPeer, now: () => number) {
    this.#peer = peer;
    this.#now = now;
  }

  placement({ bucket, key }: types.KeyName): Promise<Placement> {
    return attempt(async () => this.#peer().placement(bucket, key));
  }

  read({ bucket, key }: types.KeyName, { r, mode }: types.Quorum): Promise<types.ReadAnswer> {
    return attempt(async () => {
      const began = this.#now();
      const answer = await this.#peer().bucket(bucket).get(key, { r, mode });
      return { ...answer, siblings: answer.siblings.map(received), ms: this.#now() - began };
    });
  }

  write(
    { bucket, key }: types.KeyName,
    { w, mode }: types.Quorum,
    value: types.Value | undefined,
    context: string,
  ): Promise<types.WriteReceipt> {
    return attempt(async () => {
      const began = this.#now();
      const opened = this.#peer().bucket(bucket);
      const options = { w, mode, ...(context === '' ? {} : { context }) };
      const receipt = await (value === undefined
        ? opened.delete(key, options)
        : opened.put(key, value.bytes, { ...options, contentType: value.contentType }));
      return { ...receipt, ms: this.#now() - began };
    });
  }

  copy({ bucket, key }: types.KeyName, of?: string): Promise<types.Copy> {
    return attempt(async () => {
      const record = await this.#peer().bucket(bucket).local(key, of);
      return record === undefined ? { type: 'nothing' } : { ...record, type: 'kept', siblings: record.siblings.map(received) };
    });
  }

  holdings(of?: string): Promise<Holdings> {
    return attempt(() => this.#peer().holdings(of));
  }

  async repair(): Promise<void> {
    await attempt(() => this.#peer().repair());
  }
}

/** Errors of a peer as those that the page knows. */
export async function attempt<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof MeshError) throw new types.MeshProblem(error.code, error.message);
    throw error;
  }
}

const received = ({ dot, value, contentType, time }: PublicSibling): types.Sibling => ({
  dot,
  time,
  value: { bytes: new Uint8Array(value), contentType: contentType ?? 'application/octet-stream' },
});
