/** The reader's side of a watch, before a requester that tells what the test wants: what happens when it reads slowly, or when it has to begin anew. */

import { describe, expect, it } from 'vitest';
import type { WatchEvent } from '../../src/api.ts';
import { BucketHandle } from '../../src/bucket.ts';
import { textToBytes } from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import { actorOf } from '../../src/core/ids.ts';
import type { News } from '../../src/core/watching.ts';
import type { Requester } from '../../src/runtime.ts';

interface Attempt {
  readonly tell: (news: News) => void;
  readonly fail: (error: MeshError) => void;
  readonly signal: AbortSignal;
}

function fakeRequester(): { readonly requester: Requester; readonly attempts: Attempt[] } {
  const attempts: Attempt[] = [];
  const requester: Requester = {
    now: () => ({ mono: 0, wall: 0 }),
    onEvent: () => () => {},
    request: (_, signal, tell) =>
      new Promise((_resolve, reject) => {
        if (signal === undefined || tell === undefined) throw new Error('not a watch');
        attempts.push({ tell, fail: reject, signal });
      }),
  };
  return { requester, attempts };
}

let counter = 0;

function version(key: string, bytes = 0): News {
  const dot = { actor: actorOf('a', 0), counter: ++counter };
  const value = {
    tombstone: false,
    bytes: new Uint8Array(bytes),
    contentType: undefined,
    time: { ms: 0, tick: 0 },
    operation: textToBytes('x'),
    priority: 0,
  };
  return { type: 'version', key: textToBytes(key), version: { dot, value }, current: [dot], context: [dot] };
}

async function take(events: AsyncIterator<WatchEvent>, count: number): Promise<string[]> {
  const types: string[] = [];
  for (let i = 0; i < count; i++) types.push(((await events.next()).value as WatchEvent).type);
  return types;
}

const open = (initial = false) => {
  const { requester, attempts } = fakeRequester();
  const watch = new BucketHandle(requester, 'b', {}).watch({ prefix: '' }, { initial });
  return { attempts, watch, events: watch[Symbol.asyncIterator]() };
};

describe('[WA2] a watch that begins anew says so', () => {
  it('when another tab runs the peer', async () => {
    const { attempts, events } = open();
    attempts[0]?.tell({ type: 'ready' });
    attempts[0]?.tell(version('k'));
    attempts[0]?.fail(new MeshError('UNREACHABLE', 'another tab'));
    expect(await take(events, 2)).toEqual(['ready', 'change']);
    attempts[1]?.tell({ type: 'ready' });
    expect(await take(events, 2)).toEqual(['resync', 'ready']);
  });

  it('and what is told again comes after that', async () => {
    const { attempts, events } = open(true);
    attempts[0]?.tell({ type: 'ready' });
    attempts[0]?.fail(new MeshError('WATCH_TOO_LARGE', 'too many keys'));
    expect(await take(events, 1)).toEqual(['ready']);
    attempts[1]?.tell(version('k'));
    expect(await take(events, 2)).toEqual(['resync', 'change']);
  });

  it('[SE3] when it is read too slowly: what waits is bounded in number and in bytes', async () => {
    for (const [count, bytes] of [
      [3000, 0],
      [40, 1_000_000],
    ] as const) {
      const { attempts, events } = open();
      attempts[0]?.tell({ type: 'ready' });
      for (let i = 0; i < count; i++) attempts[0]?.tell(version('k', bytes));
      expect(attempts[0]?.signal.aborted).toBe(true);
      const next = take(events, 2);
      await Promise.resolve();
      attempts[1]?.tell({ type: 'ready' });
      expect(await next).toEqual(['resync', 'ready']);
    }
  });
});

describe('a watch ends', () => {
  it('with what makes it impossible', async () => {
    const { attempts, watch, events } = open();
    attempts[0]?.fail(new MeshError('WATCH_TOO_LARGE', 'too many keys'));
    await expect(watch.ready).rejects.toMatchObject({ code: 'WATCH_TOO_LARGE' });
    await expect(events.next()).rejects.toMatchObject({ code: 'WATCH_TOO_LARGE' });
  });

  it('when its reader breaks off, and when it is closed', async () => {
    const { attempts, watch } = open();
    attempts[0]?.tell({ type: 'ready' });
    for await (const event of watch) if (event.type === 'ready') break;
    expect(attempts[0]?.signal.aborted).toBe(true);
    const other = open();
    other.watch.close();
    expect(other.attempts[0]?.signal.aborted).toBe(true);
    expect(await other.events.next()).toEqual({ done: true, value: undefined });
  });

  it('refuses what is no key', () => {
    const bucket = new BucketHandle(fakeRequester().requester, 'b', {});
    expect(() => bucket.watch('')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }));
    expect(() => bucket.watch({ prefix: 'x'.repeat(2000) })).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }));
  });
});
