/**
 * GET /v1/buckets/:bucket/watch?key= or ?prefix=, with &initial=true: changes as server-sent events. `ready`: what is put from now on will be told. `change`: one
 * version of a key, with an `id:`. `resync`: something may not have been told, read again what you need. `error`: it ends here, and why.
 *
 * A reader that breaks off and comes back with its Last-Event-ID goes on where it was: for half a minute its watch is kept, with what it was told last. When that is
 * not enough, a `resync` says so.
 */

import { randomUUID } from 'node:crypto';
import { streamSSE } from 'hono/streaming';
import type { Change, Watch, WatchEvent } from 'ringmesh';
import { encodeSegment, keyText } from '../key-path.ts';
import { errorAnswer, GatewayError } from './errors.ts';
import { wokenWithin } from './events.ts';
import { bucketOptions, type Gateway, openBucket, type RequestContext, targetOf } from './gateway.ts';
import { bucketNameOf, parseQuery, queryText, segmentsOf } from './target.ts';

const followedMax = 128;
const keptForMs = 30_000;
const heartbeatMs = 15_000;
/** What is kept of what was written already, and how much may wait to be written: then the watch itself waits. */
const writtenMax = 500;
const writtenMaxBytes = 4 * 1024 * 1024;
const waitingMax = 500;

interface Entry {
  readonly event: 'ready' | 'change' | 'resync' | 'error';
  readonly data: string;
}

interface Begun {
  readonly watch: Watch;
  readonly isInitial: boolean;
}

/** A watch and what it has told, for one reader at a time. */
class Followed {
  readonly id = randomUUID();
  /** What is watched, as the reader asked for it. */
  readonly target: string;
  readonly #watch: Watch;
  readonly #isInitial: boolean;
  readonly #log: Entry[] = [];
  #loggedBytes = 0;
  /** The number of the first entry in the log, and of the next one to be written. */
  #first = 1;
  #next = 1;
  #wakePump: () => void = () => {};
  wakeReader: () => void = () => {};
  endReader: () => void = () => {};
  expiry: NodeJS.Timeout | undefined;

  /** `hasGap`: the reader had another watch before. */
  constructor(target: string, { watch, isInitial }: Begun, hasGap: boolean) {
    this.target = target;
    this.#watch = watch;
    this.#isInitial = isInitial;
    void this.#follow(hasGap);
  }

  async #follow(hasGap: boolean): Promise<void> {
    let isTold = !hasGap;
    try {
      for await (const event of this.#watch) {
        if (!isTold && (this.#isInitial || event.type === 'ready')) {
          isTold = true;
          this.#add({ event: 'resync', data: '{}' });
        }
        this.#add({ event: event.type, data: dataOf(event) });
        while (this.#first + this.#log.length - this.#next > waitingMax) await new Promise<void>((resolve) => (this.#wakePump = resolve));
      }
    } catch (error) {
      this.#add({ event: 'error', data: errorAnswer(error).body });
    }
  }

  #add(entry: Entry): void {
    this.#log.push(entry);
    this.wakeReader();
  }

  /** The next entry to be written, with its number. */
  take(): { readonly number: number; readonly entry: Entry } | undefined {
    const entry = this.#log[this.#next - this.#first];
    if (entry === undefined) return undefined;
    const number = this.#next++;
    this.#loggedBytes += entry.data.length;
    while (number - this.#first >= writtenMax || this.#loggedBytes > writtenMaxBytes) {
      this.#first++;
      this.#loggedBytes -= this.#log.shift()?.data.length ?? 0;
    }
    this.#wakePump();
    return { number, entry };
  }

  /** The next entry is the one after this; false when it is not kept any more. */
  goBackTo(number: number): boolean {
    if (number + 1 < this.#first || number >= this.#next) return false;
    for (const entry of this.#log.slice(number + 1 - this.#first, this.#next - this.#first)) this.#loggedBytes -= entry.data.length;
    this.#next = number + 1;
    return true;
  }

  close(): void {
    clearTimeout(this.expiry);
    this.#watch.close();
    this.#wakePump();
    this.endReader();
  }
}

export class WatchStreams {
  readonly #gateway: Gateway;
  readonly #followed = new Map<string, Followed>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    gateway.stopping?.addEventListener('abort', () => {
      for (const followed of this.#followed.values()) followed.close();
    });
  }

  open(c: RequestContext): Response {
    if (this.#gateway.stopping?.aborted === true) throw new GatewayError('CLOSED', 'this peer is stopping');
    const followed = this.#resumed(c) ?? this.#begun(c);
    return this.#serve(c, followed);
  }

  /** The watch that the reader had before, if it can go on with it. */
  #resumed(c: RequestContext): Followed | undefined {
    const [, id = '', number = ''] = /^([0-9a-f-]{36})\.(\d{1,12})$/.exec(lastEventId(c)) ?? [];
    const followed = this.#followed.get(id);
    return followed !== undefined && followed.target === c.env.incoming.url && followed.goBackTo(Number(number)) ? followed : undefined;
  }

  #begun(c: RequestContext): Followed {
    if (this.#followed.size >= followedMax) throw new GatewayError('OVERLOADED', `at most ${followedMax} watches at one gateway`);
    const followed = new Followed(c.env.incoming.url ?? '', this.#watch(c), lastEventId(c) !== '');
    this.#followed.set(followed.id, followed);
    return followed;
  }

  #watch(c: RequestContext): Begun {
    const { path, query } = targetOf(c);
    const name = bucketNameOf(segmentsOf(path)[2] ?? '');
    const values = parseQuery(query, ['key', 'prefix', 'initial']);
    const [key, prefix, initial = 'false'] = [values.get('key'), values.get('prefix'), queryText(values, 'initial')];
    if ((key === undefined) === (prefix === undefined))
      throw new GatewayError('OPTION_INVALID', 'say what to watch: ?key=KEY or ?prefix=PREFIX');
    if (initial !== 'true' && initial !== 'false') throw new GatewayError('OPTION_INVALID', 'initial must be true or false');
    const bucket = openBucket(this.#gateway, name, bucketOptions(this.#gateway, name));
    const isInitial = initial === 'true';
    return { watch: bucket.watch(key ?? { prefix: prefix ?? '' }, { initial: isInitial }), isInitial };
  }

  #serve(c: RequestContext, followed: Followed): Response {
    // Who comes back takes the place of the connection that it lost.
    followed.endReader();
    clearTimeout(followed.expiry);
    let open = true;
    const finish = (): void => {
      if (!open) return;
      open = false;
      followed.wakeReader();
      followed.expiry = setTimeout(() => this.#drop(followed), keptForMs).unref();
    };
    followed.endReader = finish;
    c.env.outgoing.once('close', finish);
    return streamSSE(c, async (stream) => {
      await stream.write(': watching\n\n');
      while (open) {
        const next = followed.take();
        if (next !== undefined) {
          const { event, data } = next.entry;
          await stream.writeSSE({ event, data, id: `${followed.id}.${next.number}` });
          if (event === 'error') return this.#drop(followed);
        } else if (!(await wokenWithin(heartbeatMs, (resume) => (followed.wakeReader = resume)))) {
          await stream.write(': beat\n\n');
        }
      }
    });
  }

  #drop(followed: Followed): void {
    this.#followed.delete(followed.id);
    followed.close();
    clearTimeout(followed.expiry);
  }
}

function lastEventId(c: RequestContext): string {
  return c.req.header('Last-Event-ID') ?? '';
}

const dataOf = (event: WatchEvent): string => (event.type === 'change' ? JSON.stringify(changeJson(event)) : '{}');

const changeJson = ({ key, dot, value, contentType, time, context, current }: Change): object => ({
  key: keyText(key) ?? null,
  encoded: encodeSegment(key),
  dot,
  deleted: value === undefined,
  value: value === undefined ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
  contentType: contentType ?? null,
  time,
  context,
  current,
});
