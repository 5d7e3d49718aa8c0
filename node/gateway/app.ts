/**
 * The routes of the gateway. Paths are matched in their raw form (see `target.ts`), so a parameter never holds a decoded slash or a removed dot
 * segment. What a handler throws becomes an answer here; what is no error of ours is reported to `onBug` and answered without details.
 */

import { Hono } from 'hono';
import { deleteMember, getPlan, postLeave } from './elastic.ts';
import { errorAnswer, GatewayError, isBug } from './errors.ts';
import type { EventStreams } from './events.ts';
import { type Env, type Gateway, jsonResponse, type RequestContext } from './gateway.ts';
import {
  getConnections,
  getHealth,
  getHoldings,
  getMembers,
  getPartition,
  getPlacement,
  getReadiness,
  getRing,
  getStatus,
  listKeys,
} from './inspect.ts';
import { deleteKey, getKey, getLocal, putKey, refuseKeyPath } from './keys.ts';
import type { Metrics } from './metrics.ts';
import { pageResponse, type Page } from './page.ts';
import { splitTarget } from './target.ts';
import { postRepair, postScrub } from './upkeep.ts';
import { WatchStreams } from './watch.ts';

export interface AppOptions {
  readonly gateway: Gateway;
  readonly metrics: Metrics;
  readonly events: EventStreams;
  readonly page: Page | undefined;
  /** Of the demo that the peer belongs to, with its token as the fragment. */
  readonly supervisor?: string | undefined;
  readonly onBug: (error: unknown) => void;
}

type Handler = (c: RequestContext, gateway: Gateway) => Response | Promise<Response>;

const keyPath = '/v1/buckets/:bucket/keys/:key';
const routes: readonly (readonly [method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, handler: Handler])[] = [
  ['GET', keyPath, getKey],
  ['PUT', keyPath, putKey],
  ['DELETE', keyPath, deleteKey],
  ['GET', '/v1/buckets/:bucket/keys', listKeys],
  ['GET', '/v1/local/buckets/:bucket/keys/:key', getLocal],
  ['GET', '/v1/ring', getRing],
  ['GET', '/v1/members', getMembers],
  ['GET', '/v1/connections', getConnections],
  ['GET', '/v1/holdings', getHoldings],
  ['GET', '/v1/partitions/:id', getPartition],
  ['GET', '/v1/placement', getPlacement],
  ['GET', '/v1/status', getStatus],
  ['GET', '/v1/plan', getPlan],
  ['POST', '/v1/leave', postLeave],
  ['DELETE', '/v1/members/:peer', deleteMember],
  ['POST', '/v1/repair', postRepair],
  ['POST', '/v1/scrub', postScrub],
  ['GET', '/healthz', getHealth],
  ['GET', '/readyz', getReadiness],
];

export function createApp(options: AppOptions): Hono<Env> {
  const { gateway, metrics, events, page } = options;
  const app = new Hono<Env>({ getPath: (_request, call) => rawPath(call?.env) });
  for (const [method, path, handler] of routes) app.on(method, path, (c) => handler(c, gateway));
  app.get('/v1/events', (c) => events.open(c));
  const watches = new WatchStreams(gateway);
  app.get('/v1/buckets/:bucket/watch', (c) => watches.open(c));
  app.get('/metrics', async () => new Response(await metrics.text(), { headers: { 'Content-Type': metrics.contentType } }));
  app.get('/v1/demo', () => invitation(options.supervisor));
  app.notFound((c) => unmatched(app, c, page));
  app.onError((error) => {
    if (isBug(error)) options.onBug(error);
    const answer = errorAnswer(error);
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  });
  return app;
}

const rawPath = (env: Env['Bindings'] | undefined): string => splitTarget(env?.incoming.url ?? '').path;

/** No route for this method and path: the page, a wrong method, a mistake in the key's path, or nothing at all. */
function unmatched(app: Hono<Env>, c: RequestContext, page: Page | undefined): Response {
  const path = c.req.path;
  const { method } = c.req;
  const reads = method === 'GET' || method === 'HEAD';
  const file = page !== undefined && reads ? pageResponse(page, path, c.env.incoming.headers['if-none-match']) : undefined;
  if (file !== undefined) return file;
  if (path === '/' && reads) return welcome();
  const allowed = ['GET', 'PUT', 'POST', 'DELETE'].filter((candidate) => app.router.match(candidate, path)[0].length > 0);
  if (allowed.length > 0) {
    const list = allowed.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name])).join(', ');
    throw new GatewayError('METHOD_NOT_ALLOWED', `${method} is not possible here; ${list} is`, { Allow: list });
  }
  if (/^\/v1\/buckets\/[^/]+\/keys\//.test(path)) refuseKeyPath(c);
  throw new GatewayError('NOT_FOUND', 'no such path; see /v1/status, /v1/members, /v1/ring, /v1/buckets/:bucket/keys');
}

/** Lets the page, and no other, know the supervisor: whoever may read this may use the whole gateway. No content where there is none. */
function invitation(supervisor: string | undefined): Response {
  if (supervisor === undefined) return new Response(null, { status: 204 });
  const { origin, hash } = new URL(supervisor);
  return jsonResponse(JSON.stringify({ url: origin, token: hash.slice(1) }));
}

const welcome = (): Response =>
  new Response(
    'This is the gateway of a ringmesh peer.\n\n' +
      '  PUT, GET, DELETE  /v1/buckets/:bucket/keys/:key\n' +
      '  GET               /v1/buckets/:bucket/keys?prefix=&cursor=&limit=\n' +
      '  GET               /v1/buckets/:bucket/watch?key=  or  ?prefix=  (server-sent events)\n' +
      '  GET               /v1/status  /v1/members  /v1/ring  /v1/connections  /v1/events  /metrics\n' +
      '  GET               /v1/placement?bucket=&key=  /v1/holdings?peer=  /v1/local/buckets/:bucket/keys/:key?peer=\n' +
      '  GET               /v1/plan?action=join|leave|replace&peer=&weight=\n' +
      '  POST              /v1/repair?partition=  /v1/scrub  /v1/leave\n' +
      '  DELETE            /v1/members/:peer\n',
    { headers: { 'Content-Type': 'text/plain; charset=utf-8' } },
  );
