/**
 * Values over HTTP: GET, HEAD, PUT and DELETE of /v1/buckets/:bucket/keys/:key, and this replica's own copy under /v1/local. The causal context
 * travels in X-Ringmesh-Context both ways. A get answers 200 with the value, 300 with all siblings as multipart, 404 when a quorum says absent, 503
 * when it cannot know (QR6); a put or delete answers its receipt with 200, or 202 when the quorum was missed (QR5).
 */

import type { BucketOptions, PutOptions, PutResult, Sibling } from 'ringmesh';
import { entityTag, getJson, localJson, receiptJson, tagMatches, wantsJson } from './envelope.ts';
import { codedAnswer, GatewayError } from './errors.ts';
import { bucketOptions, jsonResponse, openBucket, targetOf, type Gateway, type RequestContext } from './gateway.ts';
import { headerText, safeContentType, writeMultipart } from './multipart.ts';
import { absentStatus, requestOptions } from './request-options.ts';
import { bucketNameOf, keyOf, parseQuery, queryText, segmentsOf } from './target.ts';

/** Values are shown, never run: a stored page must not act with the rights of the gateway's origin. */
const valueHeaders = {
  'Cache-Control': 'no-cache',
  'Content-Security-Policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  Vary: 'Accept',
} as const;

interface KeyTarget {
  readonly bucketName: string;
  readonly key: Uint8Array;
  readonly query: string;
}

/** Reads `…/buckets/:bucket/keys/:key` from the raw path, where `bucketAt` is the index of the bucket's segment. */
function keyTarget(c: RequestContext, bucketAt: number): KeyTarget {
  const { path, query } = targetOf(c);
  const segments = segmentsOf(path);
  return { bucketName: bucketNameOf(segments[bucketAt] ?? ''), key: keyOf(segments[bucketAt + 2] ?? ''), query };
}

function keyRequest(c: RequestContext, gateway: Gateway): { target: KeyTarget; options: BucketOptions } {
  const target = keyTarget(c, 2);
  return { target, options: requestOptions(target.query, bucketOptions(gateway, target.bucketName)) };
}

export async function getKey(c: RequestContext, gateway: Gateway): Promise<Response> {
  const { target, options } = keyRequest(c, gateway);
  const ifAbsent = absentStatus(target.query);
  const result = await openBucket(gateway, target.bucketName, options).get(target.key, { signal: c.req.raw.signal });
  const headers = c.env.incoming.headers;
  const form = wantsJson(headers.accept) ? 'json' : 'bytes';
  const common = { ...valueHeaders, 'X-Ringmesh-Context': result.context };
  if (result.outcome === 'absent') return form === 'json' ? jsonResponse(getJson(result), ifAbsent, common) : absentResponse(common);
  const tag = entityTag(result.siblings, form);
  const tagged = { ...common, ETag: tag };
  if (tagMatches(headers['if-none-match'], tag)) return new Response(null, { status: 304, headers: tagged });
  if (form === 'json') return jsonResponse(getJson(result), 200, tagged);
  return valueResponse(result.siblings, tagged);
}

function absentResponse(headers: Readonly<Record<string, string>>): Response {
  const answer = codedAnswer('ABSENT', 'a read quorum says that this key has no value');
  return new Response(answer.body, { status: answer.status, headers: { ...answer.headers, ...headers } });
}

function valueResponse(siblings: readonly Sibling[], headers: Readonly<Record<string, string>>): Response {
  const [first] = siblings;
  if (first === undefined || !siblings.every((sibling) => sameValue(sibling, first))) {
    const { contentType, body } = writeMultipart(siblings);
    return new Response(body, { status: 300, headers: { ...headers, 'Content-Type': contentType, 'Content-Length': `${body.length}` } });
  }
  return new Response(first.value, {
    status: 200,
    headers: {
      ...headers,
      'Content-Type': safeContentType(first.contentType),
      'Content-Length': `${first.value.length}`,
      'Last-Modified': new Date(first.time).toUTCString(),
      'X-Ringmesh-Dot': headerText(first.dot),
    },
  });
}

/** One value that was written twice, by a client that tried again, is no conflict for a reader; the context covers both. */
const sameValue = (a: Sibling, b: Sibling): boolean => a.contentType === b.contentType && Buffer.compare(a.value, b.value) === 0;

function writeOptions(c: RequestContext): PutOptions {
  const {
    'x-ringmesh-context': context,
    'if-match': ifMatch,
    'if-none-match': ifNoneMatch,
    'content-encoding': encoding,
  } = c.env.incoming.headers;
  if (ifMatch !== undefined || ifNoneMatch !== undefined) {
    throw new GatewayError('OPTION_INVALID', 'writes are always taken; send X-Ringmesh-Context instead of If-Match or If-None-Match');
  }
  if (encoding !== undefined) throw new GatewayError('OPTION_INVALID', 'Content-Encoding is not kept with a value: send the value itself');
  if (Array.isArray(context)) throw new GatewayError('CONTEXT_INVALID', 'X-Ringmesh-Context is given twice');
  return { signal: c.req.raw.signal, ...(context === undefined || context === '' ? {} : { context }) };
}

function receiptResponse(result: PutResult): Response {
  return jsonResponse(receiptJson(result), result.outcome === 'ok' ? 200 : 202, {
    'X-Ringmesh-Context': result.context,
    ...(result.dot === null ? {} : { 'X-Ringmesh-Dot': headerText(result.dot) }),
  });
}

export async function putKey(c: RequestContext, gateway: Gateway): Promise<Response> {
  const { target, options } = keyRequest(c, gateway);
  const bucket = openBucket(gateway, target.bucketName, options);
  const write = writeOptions(c);
  const contentType = c.env.incoming.headers['content-type'];
  const value = await gateway.bodies.read(c.env.incoming);
  return receiptResponse(await bucket.put(target.key, value, contentType === undefined ? write : { ...write, contentType }));
}

export async function deleteKey(c: RequestContext, gateway: Gateway): Promise<Response> {
  const { target, options } = keyRequest(c, gateway);
  return receiptResponse(await openBucket(gateway, target.bucketName, options).delete(target.key, writeOptions(c)));
}

export async function getLocal(c: RequestContext, gateway: Gateway): Promise<Response> {
  const target = keyTarget(c, 3);
  const names = ['peer', 'absent'];
  const peer = queryText(parseQuery(target.query, names), 'peer');
  const ifAbsent = absentStatus(target.query, names);
  const bucket = openBucket(gateway, target.bucketName, bucketOptions(gateway, target.bucketName));
  const { found, body } = localJson(await bucket.local(target.key, peer));
  return jsonResponse(body, found ? 200 : ifAbsent);
}

/** The key's segment is empty or there are several: both are mistakes in the key, not unknown paths. */
export function refuseKeyPath(c: RequestContext): never {
  const key = segmentsOf(targetOf(c).path).slice(4).join('/');
  if (key === '') throw new GatewayError('KEY_INVALID', 'the key is empty');
  throw new GatewayError('KEY_INVALID', 'a slash inside of a key is written %2F');
}
