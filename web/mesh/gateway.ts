/** The HTTP gateway of one peer. Whatever goes wrong is a MeshProblem with the gateway's stable code; `OFFLINE` is the page's own, for a gateway that does not answer. */

import type { MemberView, MeshEvent, PeerStatus, Placement, RingView } from 'ringmesh';
import {
  type Copy,
  type KeyName,
  MeshProblem,
  type Quorum,
  type ReadAnswer,
  type Sibling,
  type Value,
  type WriteReceipt,
} from './types.ts';

const contextHeader = 'X-Ringmesh-Context';
const retryMs = 2000;
const answerWithinMs = 8000;
/** A look at the mesh; whoever takes longer stands still. */
const lookWithinMs = 4000;

interface SentSibling {
  readonly dot: string;
  /** base64 */
  readonly value: string;
  readonly contentType: string | null;
  readonly time: number;
}

export class Gateway {
  /** Empty for the page's own origin. */
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  status = (): Promise<PeerStatus> => this.#json('/v1/status', { signal: AbortSignal.timeout(lookWithinMs) });
  ring = (): Promise<RingView> => this.#json('/v1/ring');

  async members(): Promise<readonly MemberView[]> {
    return (await this.#json<{ members: MemberView[] }>('/v1/members')).members;
  }

  placement({ bucket, key }: KeyName, signal?: AbortSignal): Promise<Placement> {
    return this.#json(`/v1/placement?${new URLSearchParams({ bucket, key })}`, signal === undefined ? {} : { signal });
  }

  async read(name: KeyName, { r, mode }: Quorum): Promise<ReadAnswer> {
    const query = new URLSearchParams({ r: `${r}`, mode });
    const answer = await this.#json<Omit<ReadAnswer, 'siblings'> & { siblings: SentSibling[] }>(`${keyPath(name)}?${query}`, {
      headers: { Accept: 'application/json' },
    });
    return { ...answer, siblings: answer.siblings.map(received) };
  }

  write(name: KeyName, { w, mode }: Quorum, value: Value | undefined, context: string): Promise<WriteReceipt> {
    const headers = {
      ...(context === '' ? {} : { [contextHeader]: context }),
      ...(value === undefined ? {} : { 'Content-Type': value.contentType }),
    };
    const body = value === undefined ? { method: 'DELETE' } : { method: 'PUT', body: value.bytes };
    return this.#json(`${keyPath(name)}?${new URLSearchParams({ w: `${w}`, mode })}`, { ...body, headers });
  }

  async copy(name: KeyName): Promise<Copy> {
    try {
      const { siblings, tombstones, context } = await this.#json<{ siblings: SentSibling[]; tombstones: string[]; context: string }>(
        keyPath(name, '/v1/local'),
      );
      return { type: 'kept', siblings: siblings.map(received), tombstones, context };
    } catch (error) {
      return { type: error instanceof MeshProblem && error.code === 'NOT_FOUND' ? 'nothing' : 'unknown' };
    }
  }

  async repair(): Promise<void> {
    const response = await this.#answer('/v1/repair', { method: 'POST', signal: AbortSignal.timeout(60_000) });
    await response.text();
  }

  /** Follows the peer's events until it is told to stop; a connection that is lost is made again. */
  follow(onEvent: (event: MeshEvent) => void, onChange: (open: boolean) => void): () => void {
    let source: EventSource;
    let timer = 0;
    const open = (): void => {
      source = new EventSource(`${this.#base}/v1/events`);
      source.onopen = () => onChange(true);
      source.onmessage = (message: MessageEvent<string>) => onEvent(JSON.parse(message.data) as MeshEvent);
      source.onerror = () => {
        onChange(false);
        // After an answer that is no stream (the peer is stopping) the browser gives up; a moment later the peer may be back.
        if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, retryMs);
      };
    };
    open();
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }

  async #answer(path: string, init: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(`${this.#base}${path}`, { cache: 'no-store', signal: AbortSignal.timeout(answerWithinMs), ...init });
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
      throw new MeshProblem('OFFLINE', 'The peer that is asked does not answer. Is its process running?');
    }
  }

  async #json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await this.#answer(path, init);
    const body: unknown = await response.json().catch(() => undefined);
    const error = (body as { error?: { code: string; message: string } } | undefined)?.error;
    if (error !== undefined) throw new MeshProblem(error.code, error.message);
    if (body === undefined) throw new MeshProblem('OFFLINE', `The gateway answered ${response.status} without saying why.`);
    return body as T;
  }
}

function keyPath({ bucket, key }: KeyName, root = '/v1'): string {
  // A browser takes dots out of any path, however they are written, and has no bytes for half a character.
  if (key === '.' || key === '..' || /\p{Cs}/u.test(key))
    throw new MeshProblem('KEY_INVALID', `A browser cannot send the key “${key}” over HTTP; the command line can.`);
  return `${root}/buckets/${encodeURIComponent(bucket)}/keys/${encodeURIComponent(key)}`;
}

const received = ({ dot, value, contentType, time }: SentSibling): Sibling => ({
  dot,
  time,
  value: {
    bytes: Uint8Array.from(atob(value), (character) => character.charCodeAt(0)),
    contentType: contentType ?? 'application/octet-stream',
  },
});
