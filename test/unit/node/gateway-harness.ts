/** A gateway over real HTTP before a fake peer, and requests to it. */

import { connect } from 'node:net';
import { GatewayClient, type GatewayAnswer, type GatewayRequest } from '../../../node/client/gateway-client.ts';
import { createApp } from '../../../node/gateway/app.ts';
import { BodyReader } from '../../../node/gateway/body.ts';
import { EventStreams } from '../../../node/gateway/events.ts';
import { createMetrics } from '../../../node/gateway/metrics.ts';
import { bindServer, type GatewayServer } from '../../../node/gateway/server.ts';
import { createFakePeer, type FakePeer } from './fake-peer.ts';

export interface TestGateway {
  readonly peer: FakePeer;
  readonly server: GatewayServer;
  readonly events: EventStreams;
  readonly url: string;
  /** What the gateway took for its own bugs. */
  readonly bugs: unknown[];
  becomeReady(): void;
  /** The peer is about to stop. */
  stopSoon(): void;
  send(method: GatewayRequest['method'], path: string, rest?: Omit<GatewayRequest, 'method' | 'path'>): Promise<GatewayAnswer>;
  put(path: string, body?: string | Uint8Array, headers?: Record<string, string>): Promise<GatewayAnswer>;
  /** Writes raw bytes, then `chunk` so many times, and reads all that comes until the end. */
  raw(text: string, chunk?: Uint8Array, times?: number): Promise<string>;
  close(): Promise<void>;
}

/** It allows the origin http://app.test, has a bucket `five` with n = 5, r = w = 4, and a page of one file. */
export async function openGateway(): Promise<TestGateway> {
  const peer = createFakePeer();
  const bugs: unknown[] = [];
  let ready = false;
  const server = await bindServer('127.0.0.1', 0, { allowHosts: [], allowOrigins: ['http://app.test'] });
  const url = `http://127.0.0.1:${server.port}`;
  const client = new GatewayClient([url]);
  const events = new EventStreams(peer);
  const stopping = new AbortController();
  const gateway = {
    stopping: stopping.signal,
    peer,
    buckets: new Map([['five', { n: 5, r: 4, w: 4 }]]),
    bodies: new BodyReader(),
    isReady: () => ready,
  };
  const page = new Map([['/', { body: Buffer.from('<html>'), headers: { 'Content-Type': 'text/html', ETag: '"p"' } }]]);
  const app = createApp({ gateway, metrics: createMetrics(peer), events, page, onBug: (error) => bugs.push(error) });
  server.open(
    (request, env) => app.fetch(request, env),
    () => {},
  );
  return {
    peer,
    server,
    events,
    url,
    bugs,
    becomeReady: () => {
      ready = true;
    },
    stopSoon: () => stopping.abort(),
    send: (method, path, rest = {}) => client.send({ method, path, ...rest }),
    put: (path, body = 'value', headers = {}) => client.send({ method: 'PUT', path, body: Buffer.from(body as Uint8Array), headers }),
    raw: (text, chunk, times = 0) => rawExchange(server.port, text, chunk ?? new Uint8Array(), times),
    close: async () => {
      events.close();
      client.close();
      await server.close(200);
    },
  };
}

function rawExchange(port: number, text: string, chunk: Uint8Array, times: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1');
    socket
      .on('data', (data) => (received += data))
      .on('error', () => {})
      .on('close', () => resolve(received));
    socket.write(text, 'latin1');
    for (let index = 0; index < times; index++) socket.write(chunk);
  });
}

/** What a test reads from an answer's JSON. */
// oxlint-disable-next-line no-explicit-any
export const json = (answer: GatewayAnswer): any => JSON.parse(answer.body.toString());
export const codeOf = (answer: GatewayAnswer): string => json(answer).error.code;

/** The path of a key, given as it stands in a path. */
export const key = (segment: string): string => `/v1/buckets/b/keys/${segment}`;
