/** Changes over HTTP: server-sent events with ids, and a reader that breaks off and comes back. */

import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, openGateway, type TestGateway } from './gateway-harness.ts';

interface Told {
  readonly id: string;
  readonly event: string;
  // oxlint-disable-next-line no-explicit-any
  readonly data: any;
}

interface Reader {
  readonly told: Told[];
  isOpen(): boolean;
  stop(): void;
}

let gateway: TestGateway;
const readers: Reader[] = [];

beforeEach(async () => {
  gateway = await openGateway();
});

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.stop();
  await gateway.close();
});

const holds = (condition: () => boolean): Promise<void> => expect.poll(condition, { timeout: 5000, interval: 5 }).toBe(true);
const watchPath = (query: string): string => `/v1/buckets/b/watch?${query}`;

function read(query: string, lastId?: string): Reader {
  const told: Told[] = [];
  let open = true;
  let text = '';
  const headers = lastId === undefined ? {} : { 'Last-Event-ID': lastId };
  const outgoing = request(`${gateway.url}${watchPath(query)}`, { headers }, (incoming) => {
    incoming.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const fields = new Map(part.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]));
        const data = fields.get('data');
        if (data !== undefined) told.push({ id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) });
      }
    });
    incoming.on('close', () => (open = false)).on('error', () => {});
  });
  outgoing.on('error', () => (open = false)).end();
  const reader = { told, isOpen: () => open, stop: () => void outgoing.destroy() };
  readers.push(reader);
  return reader;
}

const events = ({ told }: Reader): string[] =>
  told.map(({ event, data }) => (event === 'change' ? `${data.encoded}=${data.value}` : event));
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('GET /v1/buckets/:bucket/watch', () => {
  it('[WA1] tells each change with its context', async () => {
    const reader = read('prefix=a');
    await holds(() => events(reader).includes('ready'));
    await gateway.put('/v1/buckets/b/keys/a%2F1', 'one', { 'Content-Type': 'text/plain' });
    await gateway.put('/v1/buckets/b/keys/other', 'no');
    await gateway.send('DELETE', '/v1/buckets/b/keys/a%2F1');
    await holds(() => reader.told.length === 3);
    expect(events(reader)).toEqual(['ready', `a%2F1=${base64('one')}`, 'a%2F1=null']);
    expect(reader.told[1]?.data).toMatchObject({ key: 'a/1', deleted: false, contentType: 'text/plain', current: ['actor.1:1'] });
    expect(reader.told[2]?.data).toMatchObject({ deleted: true });
  });

  it('[WA2] goes on after the last event that the reader had', async () => {
    const first = read('key=k');
    await holds(() => first.told.length === 1);
    await gateway.put('/v1/buckets/b/keys/k', '1');
    await gateway.put('/v1/buckets/b/keys/k', '2');
    await holds(() => first.told.length === 3);
    first.stop();
    await holds(() => !first.isOpen());
    await gateway.put('/v1/buckets/b/keys/k', '3');
    const again = read('key=k', first.told[1]?.id);
    await holds(() => again.told.length === 2);
    expect(events(again)).toEqual([`k=${base64('2')}`, `k=${base64('3')}`]);
    await gateway.put('/v1/buckets/b/keys/k', '4');
    await holds(() => again.told.length === 3);
    expect(events(again).at(-1)).toBe(`k=${base64('4')}`);
  });

  it('[WA2] who comes back while its old connection seems to stand takes its place', async () => {
    const first = read('key=k');
    await holds(() => first.told.length === 1);
    const again = read('key=k', first.told[0]?.id);
    await holds(() => !first.isOpen());
    await gateway.put('/v1/buckets/b/keys/k', '1');
    await holds(() => again.told.length === 1);
    expect(events(again)).toEqual([`k=${base64('1')}`]);
  });

  it.each(['00000000-0000-0000-0000-000000000000.7', 'nonsense'])('[WA2] says resync where it cannot go on (%s)', async (id) => {
    const reader = read('key=k', id);
    await holds(() => reader.told.length === 2);
    expect(events(reader)).toEqual(['resync', 'ready']);
  });

  it('[WA2] an id of another watch is no place to go on', async () => {
    const first = read('key=k');
    await holds(() => first.told.length === 1);
    const other = read('key=j', first.told[0]?.id);
    await holds(() => other.told.length === 2);
    expect(events(other)).toEqual(['resync', 'ready']);
  });

  it('[WA2] says resync to a reader that missed more than is kept', async () => {
    const first = read('key=k');
    await holds(() => first.told.length === 1);
    for (let i = 0; i < 600; i++) await gateway.put('/v1/buckets/b/keys/k', `${i}`);
    await holds(() => first.told.length === 601);
    const again = read('key=k', first.told[3]?.id);
    await holds(() => again.told.length === 2);
    expect(events(again)).toEqual(['resync', 'ready']);
  });

  it.each(['', 'key=a&prefix=b', 'key=a&initial=perhaps', 'key=a&other=1'])('refuses the query %j', async (query) => {
    const answer = await gateway.send('GET', watchPath(query));
    expect([answer.status, codeOf(answer)]).toEqual([400, 'OPTION_INVALID']);
  });

  it('[SE3] bounds the watches of one gateway', async () => {
    for (let i = 0; i < 128; i++) read('key=k');
    await holds(() => readers.every(({ told }) => told.length === 1));
    const answer = await gateway.send('GET', watchPath('key=k'));
    expect([answer.status, codeOf(answer)]).toEqual([503, 'OVERLOADED']);
  });

  it('ends when the peer stops', async () => {
    const reader = read('key=k');
    await holds(() => reader.told.length === 1);
    gateway.stopSoon();
    await holds(() => !reader.isOpen());
    expect(codeOf(await gateway.send('GET', watchPath('key=k')))).toBe('CLOSED');
  });
});
