/**
 * The gateway of the peer that serves this page, on the page's own origin: reads, writes, the state of the mesh, and the stream of events.
 * Whatever goes wrong is a GatewayFailure with the gateway's stable code; `OFFLINE` is this page's own, for a gateway that does not answer.
 */

import type { MemberView, MeshEvent, Mode, PeerStatus, Placement, ReplicaReceipt, RingView } from 'ringmesh';

export class GatewayFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface KeyName {
  readonly bucket: string;
  readonly key: string;
}

export interface Quorum {
  readonly r: number;
  readonly w: number;
  readonly mode: Mode;
}

export interface WriteReceipt {
  readonly context: string;
  readonly outcome: 'ok' | 'partial' | 'unknown';
  readonly replicas: readonly ReplicaReceipt[];
  readonly sloppy: boolean;
}

export interface ReadSibling {
  readonly dot: string;
  /** base64 */
  readonly value: string;
  readonly contentType: string | null;
  readonly time: number;
}

export interface ReadAnswer {
  readonly outcome: 'ok' | 'absent';
  readonly context: string;
  readonly siblings: readonly ReadSibling[];
  readonly replicas: readonly ReplicaReceipt[];
  readonly sloppy: boolean;
}

export interface Value {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

const contextHeader = 'X-Ringmesh-Context';

const accepted = async (path: string, init: RequestInit = {}): Promise<Response> => {
  try {
    return await fetch(path, { cache: 'no-store', ...init });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new GatewayFailure('OFFLINE', 'The peer that serves this page does not answer. Is its process running?');
  }
};

async function json<T>(response: Response): Promise<T> {
  const body: unknown = await response.json().catch(() => undefined);
  const error = (body as { error?: { code: string; message: string } } | undefined)?.error;
  if (error !== undefined) throw new GatewayFailure(error.code, error.message);
  if (body === undefined) throw new GatewayFailure('OFFLINE', `The gateway answered ${response.status} without saying why.`);
  return body as T;
}

function keyUrl({ bucket, key }: KeyName, { r, w, mode }: Quorum): string {
  // A browser takes dots out of any path, however they are written, and has no bytes for half a character.
  if (key === '.' || key === '..' || /\p{Cs}/u.test(key))
    throw new GatewayFailure('KEY_INVALID', `A browser cannot send the key “${key}” over HTTP; the command line can.`);
  return `/v1/buckets/${encodeURIComponent(bucket)}/keys/${encodeURIComponent(key)}?${new URLSearchParams({ r: `${r}`, w: `${w}`, mode })}`;
}

const withContext = (context: string): Record<string, string> => (context === '' ? {} : { [contextHeader]: context });

export const status = async (): Promise<PeerStatus> => json(await accepted('/v1/status'));
export const members = async (): Promise<readonly MemberView[]> =>
  (await json<{ members: MemberView[] }>(await accepted('/v1/members'))).members;
export const ring = async (): Promise<RingView> => json(await accepted('/v1/ring'));

export const placement = async ({ bucket, key }: KeyName, signal: AbortSignal): Promise<Placement> =>
  json(await accepted(`/v1/placement?${new URLSearchParams({ bucket, key })}`, { signal }));

export const read = async (name: KeyName, quorum: Quorum): Promise<ReadAnswer> =>
  json(await accepted(keyUrl(name, quorum), { headers: { Accept: 'application/json' } }));

/** An empty context says that the write knows of no earlier one. */
export const write = async (name: KeyName, quorum: Quorum, value: Value, context: string): Promise<WriteReceipt> =>
  json(
    await accepted(keyUrl(name, quorum), {
      method: 'PUT',
      body: value.bytes,
      headers: { 'Content-Type': value.contentType, ...withContext(context) },
    }),
  );

export const remove = async (name: KeyName, quorum: Quorum, context: string): Promise<WriteReceipt> =>
  json(await accepted(keyUrl(name, quorum), { method: 'DELETE', headers: withContext(context) }));

/** Follows the peer's events for as long as the page is open; the browser reconnects by itself. */
export function follow(onEvent: (event: MeshEvent) => void, onOpen: () => void, onLost: () => void): void {
  const source = new EventSource('/v1/events');
  source.onopen = onOpen;
  source.onmessage = (message: MessageEvent<string>) => onEvent(JSON.parse(message.data) as MeshEvent);
  source.onerror = () => {
    onLost();
    // After an answer that is no stream (the peer is stopping) the browser gives up; a moment later the peer may be back.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(onEvent, onOpen, onLost), 2000);
  };
}
