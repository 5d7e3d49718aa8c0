/** The HTTP gateway of one peer. Whatever goes wrong is a MeshProblem with the gateway's stable code; `OFFLINE` is the page's own, for a gateway that does not answer. */

import type { ConnectionView, Holdings, MemberView, MeshEvent, PeerStatus, Placement, RingView } from 'ringmesh';
import * as types from './types.ts';

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

interface SentCopy extends Omit<Extract<types.Copy, { type: 'kept' }>, 'siblings'> {
  readonly siblings: readonly SentSibling[];
}

export class Gateway implements types.Door {
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

  async connections(): Promise<readonly ConnectionView[]> {
    return (await this.#json<{ connections: ConnectionView[] }>('/v1/connections')).connections;
  }

  holdings = (of?: string): Promise<Holdings> => this.#json(`/v1/holdings${peerQuery(of)}`);

  placement({ bucket, key }: types.KeyName, signal?: AbortSignal): Promise<Placement> {
    return this.#json(`/v1/placement?${new URLSearchParams({ bucket, key })}`, signal === undefined ? {} : { signal });
  }

  async read(name: types.KeyName, { r, mode }: types.Quorum): Promise<types.ReadAnswer> {
    // A 404 would be an error to the browser, and red in its console.
    const query = new URLSearchParams({ r: `${r}`, mode, absent: '200' });
    const began = performance.now();
    const answer = await this.#json<Omit<types.ReadAnswer, 'siblings' | 'ms'> & { siblings: SentSibling[] }>(`${keyPath(name)}?${query}`, {
      headers: { Accept: 'application/json' },
    });
    return { ...answer, siblings: answer.siblings.map(received), ms: performance.now() - began };
  }

  async write(
    name: types.KeyName,
    { w, mode }: types.Quorum,
    value: types.Value | undefined,
    context: string,
  ): Promise<types.WriteReceipt> {
    const headers = {
      ...(context === '' ? {} : { [contextHeader]: context }),
      ...(value === undefined ? {} : { 'Content-Type': value.contentType }),
    };
    const body = value === undefined ? { method: 'DELETE' } : { method: 'PUT', body: value.bytes };
    const began = performance.now();
    const receipt = await this.#json<types.WriteReceipt>(`${keyPath(name)}?${new URLSearchParams({ w: `${w}`, mode })}`, {
      ...body,
      headers,
    });
    return { ...receipt, ms: performance.now() - began };
  }

  async copy(name: types.KeyName, of?: string): Promise<types.Copy> {
    const { siblings, ...rest } = await this.#json<SentCopy>(
      `${keyPath(name, '/v1/local')}?${new URLSearchParams({ absent: '200', ...(of === undefined ? {} : { peer: of }) })}`,
    );
    if (rest.context === '') return { type: 'nothing' };
    return { ...rest, type: 'kept', siblings: siblings.map(received) };
  }

  async repair(): Promise<void> {
    const response = await this.#answer('/v1/repair', { method: 'POST', signal: AbortSignal.timeout(60_000) });
    await response.text();
  }

  /** Follows the peer's events until it is told to stop; a connection that is lost is made again. */
  follow(onEvent: (event: MeshEvent) => void, onChange: (open: boolean) => void): () => void {
    return this.#stream('/v1/events', onChange, { message: ({ data }) => onEvent(JSON.parse(data) as MeshEvent) });
  }

  watch({ bucket, key }: types.KeyName, changed: () => void): () => void {
    const path = `/v1/buckets/${encodeURIComponent(bucket)}/watch?${new URLSearchParams({ key })}`;
    return this.#stream(path, () => {}, { change: changed, resync: changed });
  }

  #stream(path: string, onChange: (open: boolean) => void, heard: Record<string, (message: MessageEvent<string>) => void>): () => void {
    let source: EventSource;
    let timer = 0;
    const open = (): void => {
      source = new EventSource(`${this.#base}${path}`);
      source.onopen = () => onChange(true);
      for (const [type, listener] of Object.entries(heard)) source.addEventListener(type, listener);
      // A moment later the peer may be back.
      source.onerror = () => {
        source.close();
        timer = setTimeout(open, retryMs);
        onChange(false);
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
      throw new types.MeshProblem('OFFLINE', 'The peer that is asked does not answer. Is its process running?');
    }
  }

  async #json<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await this.#answer(path, init);
    const body: unknown = await response.json().catch(() => undefined);
    const error = (body as { error?: { code: string; message: string } } | undefined)?.error;
    if (error !== undefined) throw new types.MeshProblem(error.code, error.message);
    if (body === undefined) throw new types.MeshProblem('OFFLINE', `The gateway answered ${response.status} without saying why.`);
    return body as T;
  }
}

const peerQuery = (peer: string | undefined): string => (peer === undefined ? '' : `?${new URLSearchParams({ peer })}`);

function keyPath({ bucket, key }: types.KeyName, root = '/v1'): string {
  // A browser takes dots out of any path, however they are written, and has no bytes for half a character.
  if (key === '.' || key === '..' || /\p{Cs}/u.test(key))
    throw new types.MeshProblem('KEY_INVALID', `A browser cannot send the key “${key}” over HTTP; the command line can.`);
  return `${root}/buckets/${encodeURIComponent(bucket)}/keys/${encodeURIComponent(key)}`;
}

const received = ({ dot, value, contentType, time }: SentSibling): types.Sibling => ({
  dot,
  time,
  value: {
    bytes: Uint8Array.from(atob(value), (character) => character.charCodeAt(0)),
    contentType: contentType ?? 'application/octet-stream',
  },
});
