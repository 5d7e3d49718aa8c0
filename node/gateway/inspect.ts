/**
 * What the peer says about itself and the mesh: key listings, ring, members, partitions, placement, status, health.
 *
 * A listing answers `{keys, encoded, cursor, complete}`. `keys` holds each key as text, or null where its bytes are not valid UTF-8; `encoded` holds all
 * of them percent-encoded, in the same order, ready to stand in a path. `cursor` is null on the last page.
 */

import type { KeysOptions } from 'ringmesh';
import { encodeSegment, keyText } from '../key-path.ts';
import { codedAnswer, GatewayError } from './errors.ts';
import { bucketOptions, jsonResponse, openBucket, targetOf, type Gateway, type RequestContext } from './gateway.ts';
import { bucketNameOf, parseQuery, queryCount, queryText, segmentsOf } from './target.ts';

const listMax = 1000;

export async function listKeys(c: RequestContext, gateway: Gateway): Promise<Response> {
  const { path, query } = targetOf(c);
  const name = bucketNameOf(segmentsOf(path)[2] ?? '');
  const values = parseQuery(query, ['prefix', 'cursor', 'limit']);
  const prefix = values.get('prefix');
  const cursor = queryText(values, 'cursor');
  const limit = queryCount(values, 'limit', 1, listMax);
  const options: KeysOptions = {
    signal: c.req.raw.signal,
    ...(prefix === undefined || prefix.length === 0 ? {} : { prefix }),
    ...(cursor === undefined || cursor === '' ? {} : { cursor }),
    ...(limit === undefined ? {} : { limit }),
  };
  const page = await openBucket(gateway, name, bucketOptions(gateway, name)).keys(options);
  return json({
    keys: page.keys.map((key) => keyText(key) ?? null),
    encoded: page.keys.map(encodeSegment),
    cursor: page.cursor ?? null,
    complete: page.complete,
  });
}

export function getRing(c: RequestContext, gateway: Gateway): Response {
  noQuery(c);
  return json(gateway.peer.ring());
}

export function getMembers(c: RequestContext, gateway: Gateway): Response {
  noQuery(c);
  return json({ members: gateway.peer.members() });
}

export function getStatus(c: RequestContext, gateway: Gateway): Response {
  noQuery(c);
  return json(gateway.peer.status());
}

/** How this peer reaches the others. */
export function getConnections(c: RequestContext, gateway: Gateway): Response {
  noQuery(c);
  return json({ connections: gateway.peer.connections() });
}

/** How much this peer keeps, or another one, which is asked over the mesh. */
export async function getHoldings(c: RequestContext, gateway: Gateway): Promise<Response> {
  return json(await gateway.peer.holdings(queryText(parseQuery(targetOf(c).query, ['peer']), 'peer')));
}

export async function getPartition(c: RequestContext, gateway: Gateway): Promise<Response> {
  const { path, query } = targetOf(c);
  parseQuery(query, []);
  const text = segmentsOf(path)[2] ?? '';
  const partitions = gateway.peer.ring().partitions;
  const id = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(id < partitions)) throw new GatewayError('OPTION_INVALID', `a partition is a whole number from 0 to ${partitions - 1}`);
  return json(await gateway.peer.partition(id));
}

export function getPlacement(c: RequestContext, gateway: Gateway): Response {
  const values = parseQuery(targetOf(c).query, ['bucket', 'key']);
  const key = values.get('key');
  if (key === undefined || key.length === 0) throw new GatewayError('KEY_INVALID', 'say which key: ?bucket=NAME&key=KEY');
  return json(gateway.peer.placement(queryText(values, 'bucket') ?? 'default', key));
}

/** The process answers and its storage works. */
export function getHealth(_: RequestContext, gateway: Gateway): Response {
  const { storage } = gateway.peer.status();
  if (storage.healthy) return json({ status: 'ok', storage });
  const answer = codedAnswer('STORAGE_FAILED', 'the storage of this peer fails');
  return jsonResponse(answer.body, answer.status, answer.headers);
}

/** The peer knows its ring and takes part. */
export function getReadiness(_: RequestContext, gateway: Gateway): Response {
  if (!gateway.isReady()) throw new GatewayError('NOT_READY', 'this peer has not met its mesh yet');
  return json({ status: 'ready' });
}

const json = (value: unknown): Response => jsonResponse(JSON.stringify(value));

function noQuery(c: RequestContext): void {
  parseQuery(targetOf(c).query, []);
}
