/**
 * GET /v1/events: the peer's event stream as server-sent events, one JSON object in each `data:` line, numbered by `id:`. A comment every 15 s keeps
 * proxies from closing it. A reader that falls behind by more than `queueMax` events is dropped: nothing is buffered without bound.
 */

import { streamSSE } from 'hono/streaming';
import type { MeshEvent, MeshPeer } from 'ringmesh';
import { GatewayError } from './errors.ts';
import { targetOf, type RequestContext } from './gateway.ts';
import { parseQuery } from './target.ts';

const queueMax = 2000;
const readersMax = 64;
const heartbeatMs = 15_000;

export class EventStreams {
  readonly #peer: MeshPeer;
  readonly #readers = new Set<() => void>();
  #closed = false;

  constructor(peer: MeshPeer) {
    this.#peer = peer;
  }

  open(c: RequestContext): Response {
    parseQuery(targetOf(c).query, []);
    if (this.#closed) throw new GatewayError('CLOSED', 'this peer is stopping');
    if (this.#readers.size >= readersMax)
      throw new GatewayError('OVERLOADED', `at most ${readersMax} readers may follow the events of one peer`);
    const queue: MeshEvent[] = [];
    let wake = (): void => {};
    let open = true;
    const stopListening = this.#peer.onEvent((event) => {
      if (queue.push(event) > queueMax) c.env.outgoing.destroy();
      wake();
    });
    const finish = (): void => {
      open = false;
      stopListening();
      this.#readers.delete(finish);
      wake();
    };
    this.#readers.add(finish);
    c.env.outgoing.once('close', finish);
    return streamSSE(c, async (stream) => {
      await stream.write(': following\n\n');
      for (let id = 1; open;) {
        const event = queue.shift();
        if (event !== undefined) await stream.writeSSE({ data: JSON.stringify(event), id: `${id++}` });
        else if (!(await wokenWithin(heartbeatMs, (resume) => (wake = resume)))) await stream.write(': beat\n\n');
      }
    });
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true;
    for (const finish of this.#readers) finish();
  }
}

/** True when `resume` was called, false when the time passed first. */
export function wokenWithin(ms: number, hand: (resume: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    hand(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
