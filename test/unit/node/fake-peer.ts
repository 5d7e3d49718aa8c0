/**
 * A MeshPeer in memory for tests of the gateway: no network, no quorum, but contexts, siblings and tombstones as a client sees them. A context is the
 * base64url of the JSON list of dots that it covers.
 */

import {
  MeshError,
  type Bucket,
  type BucketOptions,
  type Change,
  type GetResult,
  type KeyInput,
  type MeshEvent,
  type MeshPeer,
  type PutResult,
  type Sibling,
  type Watch,
  type WatchEvent,
} from 'ringmesh';

interface FakeRecord {
  siblings: Sibling[];
  seen: string[];
}

export interface FakePeer extends MeshPeer {
  /** What the next operations throw. */
  failWith: MeshError | undefined;
  /** Outcome of the next puts. */
  putOutcome: PutResult['outcome'];
  /** So many puts are stored, and yet answered with UNKNOWN. */
  loseAnswers: number;
  healthy: boolean;
  becomeReady: () => void;
  emit(event: MeshEvent): void;
  /** The signals that requests came with. */
  readonly signals: AbortSignal[];
  /** While set, operations wait for it. */
  gate: Promise<void> | undefined;
}

const nameOf = (key: KeyInput): string => Buffer.from(key as Uint8Array).toString('latin1');
const encode = (dots: readonly string[]): string => (dots.length === 0 ? '' : Buffer.from(JSON.stringify(dots)).toString('base64url'));

function decode(context: string | undefined): string[] {
  if (context === undefined) return [];
  try {
    return JSON.parse(Buffer.from(context, 'base64url').toString()) as string[];
  } catch {
    throw new MeshError('CONTEXT_INVALID', 'the context is malformed');
  }
}

/** Is ready at once, and keeps what nobody has read yet. */
class FakeWatch implements Watch {
  readonly ready = Promise.resolve();
  readonly #all: Set<FakeWatch>;
  readonly #matches: (name: string) => boolean;
  readonly #waiting: (WatchEvent | undefined)[] = [{ type: 'ready' }];
  #wake: () => void = () => {};

  constructor(all: Set<FakeWatch>, matches: (name: string) => boolean) {
    this.#all = all.add(this);
    this.#matches = matches;
  }

  hear(name: string, version: Pick<Change, 'dot' | 'value' | 'contentType' | 'context'>): void {
    if (!this.#matches(name)) return;
    const key = Buffer.from(name.slice(name.indexOf('\n') + 1), 'latin1');
    this.#push({ type: 'change', key, time: 1000, current: [version.dot], ...version });
  }

  #push(event: WatchEvent | undefined): void {
    this.#waiting.push(event);
    this.#wake();
  }

  close(): void {
    this.#all.delete(this);
    this.#push(undefined);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, undefined> {
    for (;;) {
      while (this.#waiting.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      const event = this.#waiting.shift();
      if (event === undefined) return undefined;
      yield event;
    }
  }
}

export function createFakePeer(): FakePeer {
  const records = new Map<string, FakeRecord>();
  const listeners = new Set<(event: MeshEvent) => void>();
  const watches = new Set<FakeWatch>();
  let counter = 0;
  let becomeReady = (): void => {};
  const ready = new Promise<void>((resolve) => (becomeReady = resolve));
  const rest = {
    replicas: [{ peer: 'peer', host: 'host', class: 'server', role: 'primary', state: 'stored', durable: true }],
    hosts: 1,
    sloppy: false,
    overlap: true,
  } as const;

  const enter = async (signal: AbortSignal | undefined): Promise<void> => {
    if (signal !== undefined) peer.signals.push(signal);
    await peer.gate;
    if (peer.failWith !== undefined) throw peer.failWith;
  };

  const write = (bucket: string, key: KeyInput, context: string | undefined, make: ((dot: string) => Sibling) | undefined): PutResult => {
    const name = `${bucket}\n${nameOf(key)}`;
    const record = records.get(name) ?? { siblings: [], seen: [] };
    const covered = decode(context);
    const dot = `actor.1:${++counter}`;
    record.siblings = record.siblings.filter((sibling) => !covered.includes(sibling.dot));
    if (make !== undefined) record.siblings.push(make(dot));
    record.seen = [...record.seen, dot];
    records.set(name, record);
    const made = make?.(dot);
    for (const watch of watches)
      watch.hear(name, { dot, value: made?.value, contentType: made?.contentType, context: encode(record.seen) });
    return { outcome: peer.putOutcome, context: encode(record.seen), dot, ...rest };
  };

  const bucket = (name: string, options: BucketOptions = {}): Bucket => {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw new MeshError('BUCKET_INVALID', 'the bucket name is not valid');
    const self: Bucket = {
      name,
      options: { n: 3, r: 2, w: 2, mode: 'strict', resolver: 'siblings', timeoutMs: 5000, ttlMs: 0, ...options },
      get: async (key, call = {}): Promise<GetResult> => {
        await enter(call.signal);
        const record = records.get(`${name}\n${nameOf(key)}`) ?? { siblings: [], seen: [] };
        return { outcome: record.siblings.length > 0 ? 'ok' : 'absent', context: encode(record.seen), siblings: record.siblings, ...rest };
      },
      put: async (key, value, call = {}) => {
        await enter(call.signal);
        const bytes = typeof value === 'string' ? Buffer.from(value) : value;
        const result = write(name, key, call.context, (dot) => ({ dot, value: bytes, contentType: call.contentType, time: 1000 }));
        if (peer.loseAnswers-- > 0) throw new MeshError('UNKNOWN', 'the answer was lost');
        return result;
      },
      delete: async (key, call = {}) => {
        await enter(call.signal);
        return write(name, key, call.context, undefined);
      },
      getMany: () => Promise.resolve([]),
      keys: async (call = {}) => {
        await enter(call.signal);
        const prefix = `${name}\n${nameOf(call.prefix ?? new Uint8Array())}`;
        const names = [...records]
          .filter(([key, record]) => key.startsWith(prefix) && record.siblings.length > 0)
          .map(([key]) => key.slice(name.length + 1));
        const from = Number(call.cursor ?? 0);
        const limit = call.limit ?? 1000;
        const keys = names
          .toSorted()
          .slice(from, from + limit)
          .map((key) => Buffer.from(key, 'latin1'));
        return { keys, cursor: from + limit < names.length ? `${from + limit}` : undefined, complete: true };
      },
      allKeys: () => {
        throw new Error('not here');
      },
      local: async (key, of = 'peer') => {
        checkReachable(of);
        const record = records.get(`${name}\n${nameOf(key)}`);
        return record === undefined
          ? undefined
          : { context: encode(record.seen), siblings: record.siblings, tombstones: [], keptFor: ['other'] };
      },
      watch: (what) => {
        if (peer.failWith !== undefined) throw peer.failWith;
        const isExact = typeof what === 'string' || what instanceof Uint8Array;
        const wanted = `${name}\n${nameOf(isExact ? what : what.prefix)}`;
        return new FakeWatch(watches, (key) => (isExact ? key === wanted : key.startsWith(wanted)));
      },
    };
    return self;
  };

  const checkReachable = (asked: string): void => {
    if (asked !== 'peer') throw new MeshError('UNREACHABLE', `this peer has no connection with ${asked} now`);
  };

  const peer: FakePeer = {
    id: 'peer',
    failWith: undefined,
    putOutcome: 'ok',
    loseAnswers: 0,
    healthy: true,
    becomeReady: () => becomeReady(),
    emit: (event) => listeners.forEach((listener) => listener(event)),
    signals: [],
    gate: undefined,
    bucket,
    members: () => [],
    connections: () => [],
    ring: () => ({ digest: 'abc', partitions: 4096, members: [], tokens: [] }),
    placement: () => ({ position: 1, partition: 0, primaries: ['peer'], fallbacks: [], hosts: 1 }),
    partition: (id) => Promise.resolve({ id, primaries: ['peer'], fallbacks: [], root: '', keys: 0 }),
    holdings: async (of = 'peer') => {
      checkReachable(of);
      return { keys: 7, bytes: 70, exact: true, hints: 1 };
    },
    status: () => ({
      peer: 'peer',
      status: 'up',
      transfer: undefined,
      cluster: 'test',
      version: '0.0.0',
      ready: true,
      ringDigest: 'abc',
      actor: 'actor.1',
      members: { alive: 1, suspect: 0, dead: 0, left: 0, removed: 0 },
      addresses: [],
      storage: { durable: false, healthy: peer.healthy },
      runsHere: true,
      warnings: [],
      hints: 0,
      pendingRequests: 0,
      uptimeMs: 1,
    }),
    repair: async ({ partition, signal, onProgress } = {}) => {
      onProgress?.({ peer: 'other', peersDone: 0, peersTotal: 1, compared: 0, different: 0, sent: 0, received: 0 });
      await enter(signal);
      const failed = peer.healthy ? [] : [{ peer: 'other', reason: 'out of reach' }];
      return { peers: 1, compared: partition === undefined ? 4096 : 1, different: 5, sent: 3, received: 2, failed, seconds: 0.25 };
    },
    scrub: async ({ signal, onProgress } = {}) => {
      await enter(signal);
      onProgress?.({ partitionsDone: 4096, partitionsTotal: 4096, records: 7, damaged: 1, leaves: 0 });
      const names = [{ bucket: 'b', key: Buffer.from('k') }];
      return { records: 7, damaged: 1, names, restored: 1, leaves: 0, repair: undefined, seconds: 0.5 };
    },
    leave: async ({ signal, onProgress } = {}) => {
      onProgress?.({ partitions: 2, partitionsDone: 1, keys: 3, bytes: 4, hints: 0, waitsFor: '', secondsLeft: 5 });
      await enter(signal);
    },
    remove: (name) =>
      name === 'other' ? Promise.resolve() : Promise.reject(new MeshError('OPTION_INVALID', `there is no member ${name}`)),
    plan: ({ action }) => Promise.resolve({ action, copies: 0, partitions: 4096, keys: 0, bytes: 0, peers: [] }),
    ended: new Promise<MeshError>(() => {}),
    ready: () => ready,
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
  };
  return peer;
}
