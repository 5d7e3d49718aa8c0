/**
 * The gateway's answers as the commands use them: JSON shapes, paths, and errors with the gateway's own code.
 */

import type { Holdings, MemberView, Placement, PeerStatus, PlanResult, ReplicaReceipt, RingView } from 'ringmesh';
import { CliError, exitCodes } from '../cli/errors.ts';
import { encodeSegment } from '../key-path.ts';
import type { GatewayAnswer, GatewayClient, GatewayRequest } from './gateway-client.ts';

export interface Receipt {
  readonly context: string;
  readonly outcome: 'ok' | 'partial' | 'unknown';
  readonly dot: string | null;
  readonly replicas: readonly ReplicaReceipt[];
  readonly hosts: number;
  readonly sloppy: boolean;
  readonly overlap: boolean;
}

export interface SiblingJson {
  readonly dot: string;
  /** Base64. */
  readonly value: string;
  readonly contentType: string | null;
  readonly time: number;
}

export interface Envelope {
  readonly outcome: 'ok' | 'absent';
  readonly context: string;
  readonly siblings: readonly SiblingJson[];
  readonly replicas: readonly ReplicaReceipt[];
  readonly hosts: number;
  readonly sloppy: boolean;
  readonly overlap: boolean;
}

export interface KeysAnswer {
  readonly keys: readonly (string | null)[];
  readonly encoded: readonly string[];
  readonly cursor: string | null;
  readonly complete: boolean;
}

export interface MembersAnswer {
  readonly members: readonly MemberView[];
}

export type { Holdings, Placement, PeerStatus, PlanResult, RingView };

/** Codes that say that the caller wrote something wrong. */
const usageCodes = new Set([
  'BUCKET_INVALID',
  'KEY_INVALID',
  'CONTEXT_INVALID',
  'QUORUM_INVALID',
  'OPTION_INVALID',
  'CURSOR_INVALID',
  'WATCH_TOO_LARGE',
]);

export const keyPath = (bucket: string, encodedKey: string, query: Readonly<Record<string, string | number | undefined>> = {}): string =>
  `/v1/buckets/${encodeSegment(bucket)}/keys/${encodedKey}${queryText(query)}`;

export function queryText(query: Readonly<Record<string, string | number | undefined>>): string {
  const parts = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeSegment(String(value))}`]));
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** The error in an answer, with the gateway's code and message. */
export function answerError(answer: GatewayAnswer): CliError {
  const { code, message } = errorOf(answer);
  return new CliError(code, message, usageCodes.has(code) ? exitCodes.usage : exitCodes.failed);
}

function errorOf(answer: GatewayAnswer): { code: string; message: string } {
  const fallback = {
    code: 'GATEWAY_INVALID',
    message: `${answer.gateway} answered with HTTP status ${answer.status}; is it a ringmesh gateway?`,
  };
  try {
    const body = JSON.parse(answer.body.toString('utf8')) as { error?: { code?: unknown; message?: unknown } };
    const { code, message } = body.error ?? {};
    return typeof code === 'string' && typeof message === 'string' ? { code, message } : fallback;
  } catch {
    return fallback;
  }
}

export function jsonOf<T>(answer: GatewayAnswer): T {
  try {
    return JSON.parse(answer.body.toString('utf8')) as T;
  } catch {
    throw new CliError('GATEWAY_INVALID', `${answer.gateway} did not answer JSON; is it a ringmesh gateway?`);
  }
}

/** A request that must succeed with 200, as JSON. */
export async function fetchJson<T>(client: GatewayClient, path: string): Promise<T> {
  const answer = await client.request({ method: 'GET', path, headers: { Accept: 'application/json' } });
  if (answer.status !== 200) throw answerError(answer);
  return jsonOf<T>(answer);
}

export async function fetchEnvelope(client: GatewayClient, path: string): Promise<Envelope> {
  const answer = await client.request({ method: 'GET', path, headers: { Accept: 'application/json' } });
  const isEnvelope = answer.status === 200 || (answer.status === 404 && answer.body.includes('"outcome"'));
  if (!isEnvelope) throw answerError(answer);
  return jsonOf<Envelope>(answer);
}

export async function fetchReceipt(client: GatewayClient, request: GatewayRequest): Promise<Receipt> {
  const answer = await client.request(request);
  if (answer.status !== 200 && answer.status !== 202) throw answerError(answer);
  return jsonOf<Receipt>(answer);
}
