/**
 * Every error that the gateway answers, and its status, in one table. The body is always `{error: {code, message}}`.
 * 400: the request is wrong. 409: the record refuses it (a limit of VR6). 503: this peer cannot do it now, another try or another gateway may.
 */

import { MeshError, type ErrorCode } from 'ringmesh';

export type GatewayCode =
  | ErrorCode
  | 'ABSENT'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'REQUEST_INVALID'
  | 'HOST_NOT_ALLOWED'
  | 'ORIGIN_NOT_ALLOWED'
  | 'NOT_READY';

export const statusOf: Readonly<Record<GatewayCode, number>> = {
  BUCKET_INVALID: 400,
  KEY_INVALID: 400,
  VALUE_TOO_LARGE: 413,
  CONTEXT_INVALID: 400,
  QUORUM_INVALID: 400,
  OPTION_INVALID: 400,
  CURSOR_INVALID: 400,
  WATCH_TOO_LARGE: 400,
  REQUEST_INVALID: 400,
  HOST_NOT_ALLOWED: 421,
  ORIGIN_NOT_ALLOWED: 403,
  ABSENT: 404,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  TOO_MANY_SIBLINGS: 409,
  CONTEXT_TOO_LARGE: 409,
  COUNTER_EXHAUSTED: 409,
  CLOCK_DRIFT: 409,
  RING_DIFFERS: 503,
  REMOVED: 503,
  NOT_OWNER: 503,
  UNREACHABLE: 503,
  UNKNOWN: 503,
  TIMEOUT: 503,
  ABORTED: 503,
  OVERLOADED: 503,
  HINTS_FULL: 503,
  CLOSED: 503,
  NOT_READY: 503,
  STORAGE_FULL: 503,
  STORAGE_FAILED: 503,
  STORAGE_LOCKED: 503,
  RECORD_CORRUPT: 500,
  FRAME_INVALID: 500,
  ADDRESS_IN_USE: 500,
  ADDRESS_INVALID: 500,
  INTERNAL: 500,
};

/** An error of the gateway itself. */
export class GatewayError extends Error {
  readonly code: GatewayCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: GatewayCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'GatewayError';
    this.code = code;
    this.headers = headers;
  }
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** The answer for a code. An absent value is no exception: it comes here without one. */
export function codedAnswer(code: GatewayCode, message: string): ErrorAnswer {
  const status = statusOf[code] ?? 500;
  return {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...(status === 503 ? { 'Retry-After': '1' } : {}) },
    body: JSON.stringify({ error: { code, message } }),
  };
}

/** The answer for anything thrown. What is neither a MeshError nor a GatewayError is a bug: it shows no details to the client. */
export function errorAnswer(error: unknown): ErrorAnswer {
  const known = error instanceof GatewayError || error instanceof MeshError;
  const answer = known
    ? codedAnswer(error.code, error.message)
    : codedAnswer('INTERNAL', 'the gateway failed on this request; its log says why');
  return error instanceof GatewayError ? { ...answer, headers: { ...answer.headers, ...error.headers } } : answer;
}

export const isBug = (error: unknown): boolean =>
  !(error instanceof GatewayError || error instanceof MeshError) || error.code === 'INTERNAL';
