/**
 * The HTTP server under the gateway. It is bound before the peer starts, because the peer announces the gateway's address; until `open` is called it
 * answers NOT_READY. `close` takes no more requests, lets those under way finish within a bound, and then cuts what is left.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { declaredTooLarge } from './body.ts';
import { errorAnswer, GatewayError } from './errors.ts';
import { guard, type GuardOptions } from './guard.ts';

const headersMaxBytes = 64 * 1024;
const requestTimeoutMs = 60_000;
const connectionsMax = 4096;
const idleSweepMs = 25;

/** What hono's app is to the server. */
type Fetch = Parameters<typeof getRequestListener>[0];

export interface GatewayServer {
  readonly port: number;
  /** Begins to serve. `count` is told of every answer. */
  open(fetch: Fetch, count: (method: string, status: number) => void): void;
  /** From now on every request is refused; resolves when the last one under way has ended or the time is over. */
  close(withinMs: number): Promise<void>;
}

type Serve = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export async function bindServer(host: string, port: number, guardOptions: Omit<GuardOptions, 'boundHost'>): Promise<GatewayServer> {
  let serve: Serve = refuse(new GatewayError('NOT_READY', 'this peer is starting'));
  let closing = false;
  const options: GuardOptions = { ...guardOptions, boundHost: host };
  const onRequest: Serve = (incoming, outgoing) => {
    if (closing) outgoing.setHeader('Connection', 'close');
    try {
      if (guard(incoming, outgoing, options)) return;
    } catch (error) {
      writeError(outgoing, error);
      return;
    }
    serve(incoming, outgoing);
  };
  const server = createServer({ maxHeaderSize: headersMaxBytes, requestTimeout: requestTimeoutMs, keepAliveTimeout: 30_000 }, onRequest);
  server.maxConnections = connectionsMax;
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!declaredTooLarge(incoming)) outgoing.writeContinue();
    onRequest(incoming, outgoing);
  });
  await listen(server, host, port);
  return {
    port: (server.address() as AddressInfo).port,
    open: (fetch, count) => (serve = serveWith(fetch, count)),
    close: (withinMs) => {
      closing = true;
      serve = refuse(new GatewayError('CLOSED', 'this peer is stopping'));
      return drain(server, withinMs);
    },
  };
}

function serveWith(fetch: Fetch, count: (method: string, status: number) => void): Serve {
  const listener = getRequestListener(fetch, { errorHandler: malformed });
  return (incoming, outgoing) => {
    outgoing.once('finish', () => count(incoming.method ?? '', outgoing.statusCode));
    void listener(incoming, outgoing);
  };
}

/** A request that could not even be made into a Request. */
function malformed(error: unknown): Response {
  const message = error instanceof Error ? error.message : 'malformed request';
  const answer = errorAnswer(error instanceof GatewayError ? error : new GatewayError('REQUEST_INVALID', message));
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
}

const refuse =
  (error: GatewayError): Serve =>
  (_, outgoing) =>
    writeError(outgoing, error);

function writeError(outgoing: ServerResponse, error: unknown): void {
  const answer = errorAnswer(error);
  outgoing.writeHead(answer.status, answer.headers);
  outgoing.end(answer.body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function drain(server: Server, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
    const cut = setTimeout(() => server.closeAllConnections(), withinMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
