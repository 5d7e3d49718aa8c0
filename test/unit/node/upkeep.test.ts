/** Repair and scrub over HTTP: lines of progress and one result, clear refusals, and an end when the client goes away. */

import { MeshError } from 'ringmesh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, json, openGateway, type TestGateway } from './gateway-harness.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.close());

const linesOf = (body: Buffer): unknown[] =>
  body
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

describe('POST /v1/repair', () => {
  it('answers progress and a result, a line each', async () => {
    const lines: string[] = [];
    const answer = await gateway.send('POST', '/v1/repair', { onLine: (line) => lines.push(line) });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    const expected = [
      { progress: { peer: 'other', peersDone: 0, peersTotal: 1, compared: 0, different: 0, sent: 0, received: 0 } },
      { result: { peers: 1, compared: 4096, different: 5, sent: 3, received: 2, failed: [], seconds: 0.25 } },
    ];
    expect(linesOf(answer.body)).toEqual(expected);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(expected);
  });

  it('takes one partition, and refuses what is none', async () => {
    const one = await gateway.send('POST', '/v1/repair?partition=4095');
    expect(linesOf(one.body).at(-1)).toMatchObject({ result: { compared: 1 } });
    for (const query of ['partition=4096', 'partition=-1', 'partition=x', 'partition=', 'part=1']) {
      const answer = await gateway.send('POST', `/v1/repair?${query}`);
      expect([answer.status, codeOf(answer)], query).toEqual([400, 'OPTION_INVALID']);
    }
  });

  it('is a POST, and not for other origins', async () => {
    const get = await gateway.send('GET', '/v1/repair');
    expect([get.status, codeOf(get), get.headers['allow']]).toEqual([405, 'METHOD_NOT_ALLOWED', 'POST']);
    const other = await gateway.send('POST', '/v1/repair', { headers: { Origin: 'http://evil.test' } });
    expect([other.status, codeOf(other)]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
  });

  it('ends with an error line when it fails half-way', async () => {
    gateway.peer.failWith = new MeshError('STORAGE_FAILED', 'the disk is gone');
    const answer = await gateway.send('POST', '/v1/repair');
    expect(answer.status).toBe(200);
    expect(linesOf(answer.body).at(-1)).toEqual({ error: { code: 'STORAGE_FAILED', message: 'the disk is gone' } });
  });

  it('[QR9] is aborted when the client goes away', async () => {
    let open = (): void => {};
    gateway.peer.gate = new Promise((resolve) => (open = resolve));
    const stop = new AbortController();
    const answer = await fetch(`${gateway.url}/v1/repair`, { method: 'POST', signal: stop.signal });
    await answer.body?.getReader().read();
    const [signal] = gateway.peer.signals;
    expect(signal?.aborted).toBe(false);
    stop.abort();
    await expect.poll(() => signal?.aborted).toBe(true);
    open();
  });
});

describe('a peer that is about to stop', () => {
  it('[QR9] ends a repair under way at once, and says so in a line', async () => {
    let open = (): void => {};
    gateway.peer.gate = new Promise((resolve) => (open = resolve));
    const answer = await fetch(`${gateway.url}/v1/repair`, { method: 'POST' });
    const body = answer.text();
    await expect.poll(() => gateway.peer.signals.length).toBe(1);
    gateway.stopSoon();
    await expect.poll(() => gateway.peer.signals[0]?.aborted).toBe(true);
    gateway.peer.failWith = new MeshError('ABORTED', 'the request was aborted');
    open();
    expect(linesOf(Buffer.from(await body)).at(-1)).toEqual({
      error: { code: 'CLOSED', message: 'this peer is stopping; to go on, run it again' },
    });
  });
});

describe('POST /v1/scrub', () => {
  it('names damaged keys as text and percent-encoded', async () => {
    const answer = await gateway.send('POST', '/v1/scrub');
    expect(linesOf(answer.body).at(-1)).toMatchObject({
      result: { records: 7, damaged: 1, names: [{ bucket: 'b', key: 'k', encoded: 'k' }], restored: 1, leaves: 0, seconds: 0.5 },
    });
  });

  it('has a status of its own when it cannot begin', async () => {
    gateway.peer.failWith = new MeshError('OVERLOADED', 'a repair is under way');
    const answer = await gateway.send('POST', '/v1/scrub');
    expect([answer.status, json(answer)]).toEqual([503, { error: { code: 'OVERLOADED', message: 'a repair is under way' } }]);
  });
});
