/**
 * Who may talk to the gateway (SE5). It has no passwords yet, so it must not be reachable from web pages that its user did not choose:
 * the Host must be a name of this gateway (a page whose name was rebound to 127.0.0.1 sends its own), and a request with an Origin must come from the
 * gateway's own origin or from one that was allowed by name. There is no wildcard.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { GatewayError } from './errors.ts';

export interface GuardOptions {
  /** The address that the gateway is bound to. */
  readonly boundHost: string;
  readonly allowHosts: readonly string[];
  /** Exact origins, as browsers send them. */
  readonly allowOrigins: readonly string[];
}

const loopbackNames = ['localhost', '127.0.0.1', '::1'];
const wildcardAddresses = ['0.0.0.0', '::'];

/** `name`, `name:port`, `[v6]:port` → the name alone, lower case; undefined when it is none of these. */
export function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

/**
 * Whether a Host header names this gateway. Bound to all addresses it takes any literal address: a name can be rebound, an address cannot.
 */
export function hostAllowed(header: string | undefined, options: GuardOptions): boolean {
  const name = header === undefined ? undefined : hostName(header);
  if (name === undefined) return false;
  if (loopbackNames.includes(name) || name === options.boundHost.toLowerCase()) return true;
  if (isIP(name) !== 0 && wildcardAddresses.includes(options.boundHost)) return true;
  return options.allowHosts.some((allowed) => (hostName(allowed) ?? allowed.toLowerCase()) === name);
}

export function originAllowed(origin: string, host: string | undefined, options: GuardOptions): boolean {
  const sameOrigin = host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  return sameOrigin || options.allowOrigins.includes(origin);
}

const allowedMethods = 'GET, HEAD, PUT, POST, DELETE';
const exposedHeaders = 'X-Ringmesh-Context, X-Ringmesh-Dot, ETag, Retry-After';
const acceptedHeaders = 'Authorization, Content-Type, X-Ringmesh-Context, If-None-Match, Last-Event-ID';

/** Sets the headers that protect every answer, or throws. True when the request was a preflight and is answered. */
export function guard(incoming: IncomingMessage, outgoing: ServerResponse, options: GuardOptions): boolean {
  outgoing.setHeader('X-Content-Type-Options', 'nosniff');
  outgoing.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
  const { host, origin } = incoming.headers;
  if (!hostAllowed(host, options)) {
    throw new GatewayError(
      'HOST_NOT_ALLOWED',
      `this gateway is not called ${JSON.stringify((host ?? '').slice(0, 100))}; start it with --allow-host NAME if it is`,
    );
  }
  if (origin === undefined) return false;
  if (!originAllowed(origin, host, options)) {
    throw new GatewayError(
      'ORIGIN_NOT_ALLOWED',
      `pages of ${origin.slice(0, 100)} may not use this gateway; allow them with --allow-origin`,
    );
  }
  outgoing.setHeader('Access-Control-Allow-Origin', origin);
  outgoing.setHeader('Access-Control-Expose-Headers', exposedHeaders);
  outgoing.setHeader('Vary', 'Origin');
  if (incoming.method !== 'OPTIONS') return false;
  outgoing.writeHead(204, {
    'Access-Control-Allow-Methods': allowedMethods,
    'Access-Control-Allow-Headers': acceptedHeaders,
    'Access-Control-Max-Age': '600',
  });
  outgoing.end();
  return true;
}
