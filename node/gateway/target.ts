/**
 * The raw request target. Routing and keys are taken from the bytes that the client sent, before any URL class normalises them: `%2E%2E`, `%2F` and
 * `%00` stay what they are. Query parameters are decoded as forms do it (`+` is a space) and each may be given once.
 */

import { decodeSegment } from '../key-path.ts';
import { GatewayError } from './errors.ts';

export interface Target {
  /** Still encoded; begins with a slash. */
  readonly path: string;
  readonly query: string;
}

export function splitTarget(raw: string): Target {
  if (!raw.startsWith('/')) throw new GatewayError('REQUEST_INVALID', 'the request target must be a path');
  const mark = raw.indexOf('?');
  return mark === -1 ? { path: raw, query: '' } : { path: raw.slice(0, mark), query: raw.slice(mark + 1) };
}

/** The raw segments after the leading slash. */
export const segmentsOf = (path: string): string[] => path.slice(1).split('/');

export type Query = ReadonlyMap<string, Uint8Array>;

/** The query as name and bytes. Unknown, repeated and badly encoded parameters are errors that name the parameter. */
export function parseQuery(query: string, allowed: readonly string[]): Query {
  const values = new Map<string, Uint8Array>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals === -1 ? part : part.slice(0, equals);
    if (!allowed.includes(name)) {
      throw new GatewayError(
        'OPTION_INVALID',
        `unknown query parameter ${JSON.stringify(name.slice(0, 64))}; known here: ${allowed.join(', ') || 'none'}`,
      );
    }
    if (values.has(name)) throw new GatewayError('OPTION_INVALID', `query parameter '${name}' is given twice`);
    const value = decodeSegment(equals === -1 ? '' : part.slice(equals + 1).replaceAll('+', ' '));
    if (value === undefined) throw new GatewayError('OPTION_INVALID', `query parameter '${name}' is not well percent-encoded`);
    values.set(name, value);
  }
  return values;
}

export function queryText(query: Query, name: string): string | undefined {
  const bytes = query.get(name);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8');
}

/** A whole number from `min` to `max`, written in digits only. */
export function queryCount(query: Query, name: string, min: number, max: number): number | undefined {
  const text = queryText(query, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new GatewayError(
      'OPTION_INVALID',
      `${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text.slice(0, 32))}`,
    );
  }
  return value;
}

/** The key in a raw segment, byte for byte. */
export function keyOf(raw: string): Uint8Array {
  const key = decodeSegment(raw);
  if (key === undefined) throw new GatewayError('KEY_INVALID', 'the key is not well percent-encoded: write a percent sign as %25');
  if (key.length === 0) throw new GatewayError('KEY_INVALID', 'the key is empty');
  return key;
}

/** The bucket's name in a raw segment. */
export function bucketNameOf(raw: string): string {
  const name = decodeSegment(raw);
  if (name === undefined) throw new GatewayError('BUCKET_INVALID', 'the bucket name is not well percent-encoded');
  return Buffer.from(name).toString('utf8');
}
