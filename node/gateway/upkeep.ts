/**
 * POST /v1/repair?partition= and POST /v1/scrub: long requests that answer a JSON object a line while they go on, `{"progress": …}`, and at last `{"result": …}`
 * or `{"error": {code, message}}`. What is wrong before the first line has a status of its own, as everywhere. A client that goes away aborts them.
 *
 * In the result of a scrub `names` holds each damaged key as text, or null where its bytes are not valid UTF-8, and percent-encoded.
 */

import type { MeshPeer, ScrubResult } from 'ringmesh';
import { encodeSegment, keyText } from '../key-path.ts';
import { errorAnswer, GatewayError } from './errors.ts';
import { type Gateway, type RequestContext, targetOf } from './gateway.ts';
import { parseQuery, queryCount } from './target.ts';

/** Something must be on the way now and then, or proxies and clients take the connection for dead. */
const heartbeatMs = 15_000;
/** Progress is left out while so many lines wait for a slow reader. */
const linesMax = 100;

type Run = (options: { signal: AbortSignal; onProgress: (progress: object) => void }) => Promise<object>;

export function postRepair(c: RequestContext, { peer, stopping }: Gateway): Promise<Response> {
  const query = parseQuery(targetOf(c).query, ['partition']);
  const partition = queryCount(query, 'partition', 0, peer.ring().partitions - 1);
  return streamed(c, stopping, (options) => peer.repair({ ...options, ...(partition === undefined ? {} : { partition }) }));
}

export function postScrub(c: RequestContext, { peer, stopping }: Gateway): Promise<Response> {
  parseQuery(targetOf(c).query, []);
  return streamed(c, stopping, async (options) => scrubJson(await peer.scrub(options)));
}

const scrubJson = ({ names, ...result }: Awaited<ReturnType<MeshPeer['scrub']>>): object => ({
  ...result,
  names: names.map(({ bucket, key }: ScrubResult['names'][number]) => ({ bucket, key: keyText(key) ?? null, encoded: encodeSegment(key) })),
});

/** Answers when there is a first line, or rejects when the run fails before it. */
export async function streamed(c: RequestContext, stopping: AbortSignal | undefined, run: Run): Promise<Response> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  c.env.outgoing.once('close', leave);
  stopping?.addEventListener('abort', leave);
  const encoder = new TextEncoder();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const write = (text: string): void => void writer.write(encoder.encode(`${text}\n`)).catch(() => gone.abort());
  const isBehind = (): boolean => (writer.desiredSize ?? 0) < -linesMax;
  const heartbeat = setInterval(() => isBehind() || write(''), heartbeatMs);
  await new Promise<void>((resolve, reject) => {
    let begun = false;
    const line = (entry: object): void => {
      begun = true;
      if ('progress' in entry && isBehind()) return;
      write(JSON.stringify(entry));
      resolve();
    };
    const fail = (cause: unknown): void => {
      const error = stopping?.aborted === true ? new GatewayError('CLOSED', 'this peer is stopping; to go on, run it again') : cause;
      if (begun) write(errorAnswer(error).body);
      else reject(error);
    };
    run({ signal: gone.signal, onProgress: (progress) => line({ progress }) })
      .then((result) => line({ result }), fail)
      .finally(() => {
        clearInterval(heartbeat);
        stopping?.removeEventListener('abort', leave);
        writer.close().catch(() => {});
      });
  });
  return new Response(readable, { headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' } });
}
