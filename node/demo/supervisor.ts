/**
 * The demo's supervisor on loopback: what the page may do to the processes of the demo. It answers only pages of the demo itself, and only those that know its token,
 * which each start draws anew and the gateways tell their own page.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { CliError } from '../cli/errors.ts';
import { errorAnswer, GatewayError } from '../gateway/errors.ts';
import { jsonResponse } from '../gateway/gateway.ts';
import { bindServer, type GatewayServer } from '../gateway/server.ts';
import { type DemoOptions, pageOrigins, supervisorPort } from './plan.ts';
import type { Troupe } from './troupe.ts';

const host = '127.0.0.1';
const bodyMaxBytes = 64 * 1024;

export interface Supervisor {
  /** Its address with the token, for the gateways. */
  readonly url: string;
  /** Begins to serve. */
  open(troupe: Troupe): void;
  close(): Promise<void>;
}

export async function bindSupervisor(options: DemoOptions): Promise<Supervisor> {
  const token = randomBytes(24).toString('base64url');
  const port = supervisorPort(options);
  const server: GatewayServer = await bindServer(host, port, { allowHosts: [], allowOrigins: pageOrigins(options) });
  return {
    url: `http://${host}:${port}/#${token}`,
    open: (troupe) => {
      const app = supervisorApp(troupe, token);
      server.open(
        (request) => app.fetch(request),
        () => {},
      );
    },
    close: () => server.close(0),
  };
}

export function supervisorApp(troupe: Troupe, token: string): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    checkToken(c.req.header('Authorization'), token);
    await next();
  });
  const state = (): Response => jsonResponse(JSON.stringify(troupe.state()));
  /** Does it, and answers with what has come of it. */
  const act = (path: string, todo: (c: Context) => unknown): void => {
    app.post(`/v1/demo${path}`, async (c) => {
      await todo(c);
      return state();
    });
  };
  app.get('/v1/demo', state);
  act('/peers', () => troupe.add());
  act('/peers/:name/kill', (c) => troupe.find(c.req.param('name') ?? '').kill());
  act('/peers/:name/pause', (c) => troupe.find(c.req.param('name') ?? '').pause());
  act('/peers/:name/resume', (c) => troupe.find(c.req.param('name') ?? '').resume());
  act('/peers/:name/start', (c) => troupe.find(c.req.param('name') ?? '').startAgain());
  act('/peers/:name/remove', (c) => troupe.remove(c.req.param('name') ?? ''));
  act('/split', async (c) => troupe.split(sidesOf(await c.req.text())));
  act('/heal', () => troupe.heal());
  app.notFound(() => failure(new GatewayError('NOT_FOUND', 'the supervisor has no such path')));
  app.onError((error) => failure(error instanceof CliError ? new GatewayError('INTERNAL', error.message) : error));
  return app;
}

function failure(error: unknown): Response {
  const { body, status, headers } = errorAnswer(error);
  return new Response(body, { status, headers });
}

function checkToken(header: string | undefined, token: string): void {
  const [given, wanted] = [Buffer.from(header ?? ''), Buffer.from(`Bearer ${token}`)];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw new GatewayError('ORIGIN_NOT_ALLOWED', 'only the page of this demo may do this: open it anew after the demo was started anew');
}

/** Lists of peer ids, no id twice. */
function sidesOf(text: string): string[][] {
  const refuse = (): never => {
    throw new GatewayError('REQUEST_INVALID', 'expected {"sides": [[peer, …], [peer, …]]}');
  };
  if (text.length > bodyMaxBytes) return refuse();
  let sides: unknown;
  try {
    ({ sides } = JSON.parse(text) as { sides?: unknown });
  } catch {
    return refuse();
  }
  if (!Array.isArray(sides) || sides.length < 2) return refuse();
  const isSide = (side: unknown): side is string[] => Array.isArray(side) && side.every((peer) => typeof peer === 'string');
  if (!sides.every(isSide)) return refuse();
  const peers = sides.flat();
  return new Set(peers).size === peers.length ? sides : refuse();
}
