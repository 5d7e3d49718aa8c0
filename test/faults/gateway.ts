/** HTTP to a gateway as a client in trouble needs it: with a deadline, and knowing whether a request without an answer may have arrived. */

import { Agent, request } from 'node:http';

export interface GatewayRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly withinMs?: number;
}

export interface GatewayAnswer {
  readonly status: number;
  readonly text: string;
}

export class NoAnswer extends Error {
  /** It may have arrived, and may still take effect. */
  readonly sent: boolean;

  constructor(sent: boolean, reason: string) {
    super(reason);
    this.name = 'NoAnswer';
    this.sent = sent;
  }
}

const neverSent = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH'];
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** Rejects with NoAnswer. */
export function ask(url: string, { method, path, headers, body, withinMs = 5000 }: GatewayRequest): Promise<GatewayAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(withinMs);
    const fail = (error: NodeJS.ErrnoException): void =>
      reject(new NoAnswer(!neverSent.includes(error.code ?? ''), `${method} ${url}${path}: ${error.message}`));
    const outgoing = request(`${url}${path}`, { method, agent, signal, ...(headers === undefined ? {} : { headers }) }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => (text += chunk));
      incoming.on('end', () =>
        incoming.complete ? resolve({ status: incoming.statusCode ?? 0, text }) : fail(new Error('the answer was cut off')),
      );
      incoming.on('error', fail);
    });
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

/** An answer that must be 200 (or 404 with a body that says what is absent). */
export async function askJson<T>(url: string, path: string, withinMs = 5000): Promise<T> {
  const { status, text } = await ask(url, { method: 'GET', path, headers: { Accept: 'application/json' }, withinMs });
  if (status !== 200 && !(status === 404 && text.includes('"outcome"')))
    throw new Error(`GET ${path} at ${url} answers ${status}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as T;
}
