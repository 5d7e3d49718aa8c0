/**
 * The line of a tab to the peer that it shares with others: to the runtime in this tab, or to the tab that runs it now, whoever that is. Requests made while
 * nobody runs the peer wait for the next one.
 *
 * When the runner goes away, what only reads is asked again. A put that was under way ends as `unknown`: it may have been taken, and a second one would be a
 * second version.
 */

import type { MeshEvent } from '../api.ts';
import type { Reply, Request } from '../core/coordinator.ts';
import { MeshError } from '../core/errors.ts';
import type { Instant } from '../core/ids.ts';
import type { Ring } from '../core/ring.ts';
import type { News } from '../core/watching.ts';
import type { Requester, Runtime } from '../runtime.ts';
import {
  commonChannel,
  type CommonMessage,
  guestChannel,
  guestLock,
  type GuestMessage,
  type RunnerMessage,
  type View,
} from './messages.ts';

type Answer = Exclude<Reply, { type: 'failed' }>;

interface Waiting {
  readonly request: Request;
  readonly resolve: (reply: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly tell: (news: News) => void;
  /** Undefined while nobody has it. */
  term: string | undefined;
}

type Timer = ReturnType<typeof setTimeout>;

/** What a request waits for somebody to run the peer, beyond its own time. */
const graceMs = 2000;
const timeMs = 30_000;
const readyPatienceMs = 2500;

export class Line implements Requester {
  readonly #id = crypto.randomUUID();
  readonly #common: BroadcastChannel;
  readonly #channel: BroadcastChannel;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: MeshEvent) => void>();
  readonly #left = new AbortController();
  readonly #onView: () => void;
  #runtime: Runtime | undefined;
  #stopEvents: (() => void) | undefined;
  #term: string | undefined;
  #nextId = 1;
  #hasLock = false;
  /** This tab runs the peer, or is about to. */
  #isRunner = false;
  /** What the runner has last shown. */
  view: View | undefined;
  ring: Ring | undefined;

  /** `onView` is called with each new view, the first one included. */
  constructor(name: string, onView: () => void) {
    this.#onView = onView;
    this.#common = commonChannel(name);
    this.#channel = guestChannel(name, this.#id);
    this.#common.addEventListener('message', ({ data }: MessageEvent<CommonMessage>) => {
      if (data.type === 'runs' && data.term !== this.#term) this.#sayHello();
    });
    this.#channel.addEventListener('message', ({ data }: MessageEvent<RunnerMessage>) => this.#heard(data));
    const held = new Promise<void>((resolve) => this.#left.signal.addEventListener('abort', () => resolve(), { once: true }));
    void navigator.locks.request(guestLock(name, this.#id), () => {
      // Not before: a runner takes a guest without its lock for one that is gone.
      this.#hasLock = true;
      this.#sayHello();
      return held;
    });
  }

  now(): Instant {
    return { mono: performance.now(), wall: Date.now() };
  }

  request(request: Request, signal?: AbortSignal, tell: (news: News) => void = () => {}): Promise<Answer> {
    if (this.#left.signal.aborted) return Promise.reject(closed());
    if (this.#runtime !== undefined) return this.#runtime.request(request, signal, tell);
    if (signal?.aborted === true) return Promise.reject(aborted());
    const id = this.#nextId++;
    let timer: Timer | undefined;
    const abort = (): void => this.#abort(id);
    signal?.addEventListener('abort', abort, { once: true });
    return new Promise<Answer>((resolve, reject) => {
      const waiting: Waiting = { request, resolve, reject, tell, term: undefined };
      this.#waiting.set(id, waiting);
      timer = this.#watchTime(waiting);
      this.#send(id, waiting);
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      this.#waiting.delete(id);
    });
  }

  onEvent(listener: (event: MeshEvent) => void): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#listen();
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#listen();
    };
  }

  /** This tab runs the peer from now on. When it takes it over, requests wait until others can be reached again: the application has seen it ready before. */
  async useHere(runtime: Runtime, ready: (options: { timeoutMs: number }) => Promise<void>): Promise<void> {
    const isTakeover = this.view !== undefined;
    this.#isRunner = true;
    this.#term = undefined;
    if (isTakeover) await ready({ timeoutMs: readyPatienceMs }).catch(() => undefined);
    this.#runtime = runtime;
    this.#listen();
    for (const waiting of this.#waiting.values()) {
      if (waiting.request.type === 'watch') waiting.reject(unwatched());
      else if (!this.#isLost(waiting)) runtime.request(waiting.request).then(waiting.resolve, waiting.reject);
    }
  }

  /** The peer that ran in this tab was closed, and another tab may run it. */
  useOthers(): void {
    this.#runtime = undefined;
    this.#isRunner = false;
    this.#sayHello();
  }

  close(): void {
    this.#left.abort();
    for (const { reject } of this.#waiting.values()) reject(closed());
    this.#stopEvents?.();
    this.#common.close();
    this.#channel.close();
  }

  #sayHello(): void {
    if (!this.#isRunner && this.#hasLock) this.#common.postMessage({ type: 'hello', guest: this.#id } satisfies CommonMessage);
  }

  #post(message: GuestMessage): void {
    this.#channel.postMessage(message);
  }

  #send(id: number, waiting: Waiting): void {
    if (this.#term === undefined) return;
    waiting.term = this.#term;
    this.#post({ type: 'request', id, request: waiting.request });
  }

  #listen(): void {
    this.#stopEvents?.();
    this.#stopEvents = undefined;
    const on = this.#listeners.size > 0;
    if (this.#runtime === undefined) {
      if (this.#term !== undefined) this.#post({ type: 'listen', on });
    } else if (on) {
      this.#stopEvents = this.#runtime.onEvent((event) => this.#emit(event));
    }
  }

  #emit(event: MeshEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #heard(message: RunnerMessage): void {
    if (this.#isRunner) return;
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message.term);
      case 'view':
        this.view = message.view;
        this.ring = message.ring ?? this.ring;
        return this.#onView();
      case 'reply':
        return this.#waiting.get(message.id)?.resolve(message.reply);
      case 'news':
        return this.#waiting.get(message.id)?.tell(message.news);
      case 'failed':
        return this.#waiting.get(message.id)?.reject(new MeshError(message.code, message.message));
      case 'event':
        return this.#emit(message.event);
    }
  }

  #welcomed(term: string): void {
    const isNew = term !== this.#term;
    this.#term = term;
    if (this.#listeners.size > 0) this.#listen();
    if (!isNew) return;
    for (const [id, waiting] of this.#waiting) if (!this.#isLost(waiting)) this.#send(id, waiting);
  }

  /** Ends a put or a watch that an earlier runner had. */
  #isLost({ request, term, resolve, reject }: Waiting): boolean {
    if (term !== undefined && request.type === 'watch') {
      reject(unwatched());
      return true;
    }
    if (term === undefined || request.type !== 'put') return false;
    const { context } = request.command;
    resolve({ type: 'put', outcome: { outcome: 'unknown', context, dot: undefined, receipts: [], sloppy: false } });
    return true;
  }

  #abort(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.term !== undefined && waiting.term === this.#term) this.#post({ type: 'abort', id });
    waiting?.reject(aborted());
  }

  /** The runner keeps the time of what it has; here only what nobody has, or whose runner is gone, ends by itself. */
  #watchTime(waiting: Waiting): Timer | undefined {
    const { request } = waiting;
    if (request.type === 'repair' || request.type === 'scrub' || request.type === 'watch') return undefined;
    const budgetMs = 'command' in request ? request.command.budgetMs : timeMs;
    const end = (): void => {
      if (waiting.term === undefined)
        waiting.reject(new MeshError('UNREACHABLE', 'no tab of this browser runs the peer now: nothing was asked'));
      else if (!this.#isLost(waiting)) waiting.reject(new MeshError('TIMEOUT', 'the tab that runs the peer has not answered in time'));
    };
    return setTimeout(end, budgetMs + graceMs);
  }
}

const unwatched = (): MeshError => new MeshError('UNREACHABLE', 'another tab runs the peer now: the watch begins anew');
const closed = (): MeshError => new MeshError('CLOSED', 'the peer is closed');
const aborted = (): MeshError => new MeshError('ABORTED', 'the request was aborted');
