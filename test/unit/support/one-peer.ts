/**
 * One whole peer over a disk in memory, without a network: what it wants to be sent is kept, its disk answers at once.
 */

import { textToBytes } from '../../../src/core/bytes.ts';
import type { Reply, Request } from '../../../src/core/coordinator.ts';
import type { CoreEvent } from '../../../src/core/events.ts';
import type { Instant, PeerId } from '../../../src/core/ids.ts';
import type { Message } from '../../../src/core/messages.ts';
import { type Output, Peer } from '../../../src/core/peer.ts';
import { defaultProbeTimes } from '../../../src/core/prober.ts';
import { SeededRandom } from '../../../src/core/random.ts';
import { fakeIdentity } from './fake-identity.ts';
import { MemoryDisk } from './memory-disk.ts';

export interface OnePeerOptions {
  readonly name?: string;
  readonly cluster?: string;
  readonly seed?: number;
  readonly disk?: MemoryDisk;
}

export class OnePeer {
  readonly disk: MemoryDisk;
  readonly peer: Peer;
  readonly events: CoreEvent[] = [];
  readonly sent: { to: PeerId; message: Message }[] = [];
  readonly replies = new Map<number, Reply>();
  started: Extract<Output, { type: 'started' }> | undefined;
  #requests = 0;
  now: Instant = { mono: 1000, wall: 1_700_000_000_000 };

  constructor({ name = 'me', cluster = 'test', seed = 1, disk = new MemoryDisk() }: OnePeerOptions = {}) {
    this.disk = disk;
    this.peer = new Peer({
      cluster,
      partitions: 16,
      durableMin: 1,
      founder: true,
      identity: fakeIdentity(name),
      self: { host: name, zone: '', class: 'server', weight: 8, gateway: '' },
      times: defaultProbeTimes,
      random: new SeededRandom(seed),
      durable: true,
    });
    this.peer.start(this.now, ['/ip4/127.0.0.1']);
    this.carryOut();
  }

  /** The same disk under a new process. */
  restart(options: OnePeerOptions = {}): OnePeer {
    const disk = new MemoryDisk();
    disk.rows = this.disk.snapshot();
    return new OnePeer({ ...options, disk });
  }

  /** Does what the peer wants done until it wants nothing more. */
  carryOut(): void {
    for (let outputs = this.peer.drain(); outputs.length > 0; outputs = this.peer.drain()) for (const output of outputs) this.#one(output);
  }

  #one(output: Output): void {
    if (output.type === 'disk') this.peer.stored(this.now, this.disk.answer(output.request));
    else if (output.type === 'event') this.events.push(output.event);
    else if (output.type === 'send') this.sent.push(output);
    else if (output.type === 'reply') this.replies.set(output.id, output.reply);
    else if (output.type === 'started') this.started = output;
  }

  advance(ms: number): void {
    this.now = { mono: this.now.mono + ms, wall: this.now.wall + ms };
    this.peer.tick(this.now);
    this.carryOut();
  }

  request(request: Request): Reply {
    const id = ++this.#requests;
    this.peer.request(this.now, id, request);
    this.carryOut();
    this.advance(0);
    const reply = this.replies.get(id);
    if (reply === undefined) throw new Error('the request has not ended');
    return reply;
  }

  put(
    key: string,
    value: string,
    context: Extract<Request, { type: 'put' }>['command']['context'] = [],
  ): Extract<Reply, { type: 'put' }>['outcome'] {
    const bytes = new TextEncoder().encode(value);
    const what = { bucket: 'b', key: textToBytes(key), context, tombstone: false, bytes, contentType: undefined, priority: 0 };
    const reply = this.request({ type: 'put', command: { ...what, n: 1, w: 1, mode: 'strict', resolver: 'siblings', budgetMs: 1000 } });
    if (reply.type !== 'put') throw reply.type === 'failed' ? reply.error : new Error(reply.type);
    return reply.outcome;
  }

  get(key: string): Extract<Reply, { type: 'get' }>['outcome'] {
    const reply = this.request({
      type: 'get',
      command: { bucket: 'b', key: textToBytes(key), n: 1, r: 1, mode: 'strict', resolver: 'siblings', budgetMs: 1000 },
    });
    if (reply.type !== 'get') throw reply.type === 'failed' ? reply.error : new Error(reply.type);
    return reply.outcome;
  }
}
