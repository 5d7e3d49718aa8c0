/** The tab that runs a peer, as its guests see it: answers their requests, and shows them what there is to see. */

import type { MeshEvent } from '../api.ts';
import type { Reply } from '../core/coordinator.ts';
import { MeshError } from '../core/errors.ts';
import type { RecordSet } from '../core/record.ts';
import type { News } from '../core/watching.ts';
import type { Mesh } from '../mesh.ts';
import type { Runtime } from '../runtime.ts';
import { commonChannel, type CommonMessage, guestChannel, guestLock, type GuestMessage, type RunnerMessage } from './messages.ts';

/** A peer that runs in this tab. */
export interface Running {
  readonly mesh: Mesh;
  readonly runtime: Runtime;
  /** Aborted when the peer has been closed and its store is free. */
  readonly left: AbortSignal;
}

const viewEveryMs = 1000;
/** After something has changed. */
const viewSoonMs = 50;
const guestsMax = 256;

export class Runner {
  readonly #name: string;
  readonly #running: Running;
  readonly #term = crypto.randomUUID();
  readonly #common: BroadcastChannel;
  readonly #guests = new Map<string, Guest>();
  readonly #stopListening: () => void;
  #viewTimer: ReturnType<typeof setTimeout> | undefined;
  #viewIsSoon = false;

  constructor(name: string, running: Running) {
    this.#name = name;
    this.#running = running;
    this.#common = commonChannel(name);
    this.#common.addEventListener('message', ({ data }: MessageEvent<CommonMessage>) => {
      if (data.type === 'hello') this.#welcome(data.guest);
    });
    this.#stopListening = running.mesh.onEvent((event) => {
      if (event.type === 'member' || event.type === 'ring' || event.type === 'link') this.#showSoon();
    });
    running.left.addEventListener('abort', () => this.#close(), { once: true });
    this.#common.postMessage({ type: 'runs', term: this.#term } satisfies CommonMessage);
  }

  #close(): void {
    this.#stopListening();
    clearTimeout(this.#viewTimer);
    for (const guest of this.#guests.values()) guest.close();
    this.#common.close();
  }

  #welcome(id: string): void {
    if (this.#running.left.aborted || (!this.#guests.has(id) && this.#guests.size >= guestsMax)) return;
    this.#guests.get(id)?.close();
    const guest = new Guest(guestChannel(this.#name, id), this.#running);
    this.#guests.set(id, guest);
    guest.post({ type: 'welcome', term: this.#term });
    guest.show();
    if (this.#viewTimer === undefined) this.#showLater(viewEveryMs);
    // The lock is free when the guest's tab is gone.
    navigator.locks
      .request(guestLock(this.#name, id), { signal: this.#running.left }, () => {
        if (this.#guests.get(id) === guest) this.#guests.delete(id);
        guest.close();
      })
      .catch(() => undefined);
  }

  #showSoon(): void {
    if (this.#viewIsSoon || this.#guests.size === 0) return;
    this.#viewIsSoon = true;
    this.#showLater(viewSoonMs);
  }

  #showLater(delayMs: number): void {
    clearTimeout(this.#viewTimer);
    this.#viewTimer = setTimeout(() => {
      this.#viewIsSoon = false;
      this.#viewTimer = undefined;
      for (const guest of this.#guests.values()) guest.show();
      if (this.#guests.size > 0) this.#showLater(viewEveryMs);
    }, delayMs);
  }
}

/** One other tab. */
class Guest {
  readonly #channel: BroadcastChannel;
  readonly #running: Running;
  readonly #aborts = new Map<number, AbortController>();
  #ringShown = '';
  #stopEvents: (() => void) | undefined;
  #closed = false;

  constructor(channel: BroadcastChannel, running: Running) {
    this.#channel = channel;
    this.#running = running;
    channel.addEventListener('message', ({ data }: MessageEvent<GuestMessage>) => this.#heard(data));
  }

  post(message: RunnerMessage): void {
    if (!this.#closed) this.#channel.postMessage(message);
  }

  show(): void {
    const { mesh, runtime } = this.#running;
    const { ring } = runtime.peer.membership.placement;
    const view = { members: mesh.members(), connections: mesh.connections(), status: mesh.status(), durableMin: mesh.durableMin };
    this.post({ type: 'view', view, ring: ring.digest === this.#ringShown ? undefined : ring });
    this.#ringShown = ring.digest;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopEvents?.();
    for (const abort of this.#aborts.values()) abort.abort();
    this.#channel.close();
  }

  #heard(message: GuestMessage): void {
    switch (message.type) {
      case 'request':
        return this.#serve(message);
      case 'abort':
        return this.#aborts.get(message.id)?.abort();
      case 'listen': {
        this.#stopEvents?.();
        const tell = (event: MeshEvent): void => this.post({ type: 'event', event });
        this.#stopEvents = message.on ? this.#running.mesh.onEvent(tell) : undefined;
        return;
      }
    }
  }

  #serve({ id, request }: Extract<GuestMessage, { type: 'request' }>): void {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    this.#running.runtime
      .request(request, abort.signal, (news) => this.post({ type: 'news', id, news: compactNews(news) }))
      .then(
        (reply) => this.post({ type: 'reply', id, reply: compact(reply) }),
        (error: unknown) => {
          const { code, message } = error instanceof MeshError ? error : new MeshError('INTERNAL', String(error));
          this.post({ type: 'failed', id, code, message });
        },
      )
      .finally(() => this.#aborts.delete(id));
  }
}

/** A view of bytes is cloned together with all of its buffer, however small the view is. */
function compact(reply: Exclude<Reply, { type: 'failed' }>): typeof reply {
  if (reply.type === 'get') return { ...reply, outcome: { ...reply.outcome, record: compactRecord(reply.outcome.record) } };
  if (reply.type === 'local') return { ...reply, copy: { ...reply.copy, record: compactRecord(reply.copy.record) } };
  return reply;
}

const compactNews = (news: News): News => {
  if (news.type !== 'version') return news;
  const { dot, value } = news.version;
  return { ...news, version: { dot, value: { ...value, bytes: value.bytes.slice() } } };
};

const compactRecord = ({ context, siblings }: RecordSet): RecordSet => ({
  context,
  siblings: siblings.map(({ dot, value }) => ({ dot, value: { ...value, bytes: value.bytes.slice() } })),
});
