/**
 * What all handlers of one gateway share: the peer, the configured buckets, the body reader. Handlers are plain functions from the request in hono's
 * context to a Response; errors are thrown and become answers in one place (`app.ts`).
 */

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Bucket, BucketOptions, MeshPeer } from 'ringmesh';
import type { BodyReader } from './body.ts';
import { splitTarget } from './target.ts';

/** What `incoming` and `outgoing` are called in hono's environment. */
export interface Env {
  Bindings: HttpBindings;
}

export type RequestContext = Context<Env>;

export interface Gateway {
  readonly peer: MeshPeer;
  /** Options by bucket name, from the configuration file. */
  readonly buckets: ReadonlyMap<string, BucketOptions>;
  readonly bodies: BodyReader;
  /** Whether `peer.ready()` has resolved. */
  readonly isReady: () => boolean;
  /** Aborted when the peer is about to stop: long requests end. */
  readonly stopping?: AbortSignal;
}

const noOptions: BucketOptions = {};

export const bucketOptions = (gateway: Gateway, name: string): BucketOptions => gateway.buckets.get(name) ?? noOptions;

export const openBucket = (gateway: Gateway, name: string, options: BucketOptions): Bucket => gateway.peer.bucket(name, options);

/** The raw path and query of this request. */
export const targetOf = (c: RequestContext): ReturnType<typeof splitTarget> => splitTarget(c.env.incoming.url ?? '');

export function jsonResponse(body: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(body, { status, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers } });
}
