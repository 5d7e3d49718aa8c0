/** Health, metrics, page and events of the gateway, and how requests end. */

import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, key, openGateway, type TestGateway } from './gateway-harness.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.close());

const send: TestGateway['send'] = (...args) => gateway.send(...args);

describe('health, metrics, page, events', () => {
  it('is healthy at once and ready later', async () => {
    expect((await send('GET', '/healthz')).status).toBe(200);
    const early = await send('GET', '/readyz');
    expect([early.status, codeOf(early)]).toEqual([503, 'NOT_READY']);
    gateway.becomeReady();
    expect((await send('GET', '/readyz')).status).toBe(200);
    gateway.peer.healthy = false;
    expect((await send('GET', '/healthz')).status).toBe(503);
  });

  it('counts requests for Prometheus', async () => {
    gateway.peer.emit({
      type: 'request',
      op: 'put',
      bucket: 'b',
      outcome: 'ok',
      code: undefined,
      ms: 3,
      siblings: 1,
      forwarded: false,
      at: 0,
    });
    gateway.peer.emit({ type: 'badFrame', peer: 'p', reason: 'r', at: 0 });
    const text = (await send('GET', '/metrics')).body.toString();
    expect(text).toContain('ringmesh_requests_total{op="put",outcome="ok"} 1');
    expect(text).toContain('ringmesh_request_duration_seconds_bucket{le="0.005",op="put"} 1');
    expect(text).toContain('ringmesh_members{state="alive"} 1');
    expect(text).toContain('ringmesh_bad_frames_total 1');
    expect(text).toContain('process_cpu_seconds_total');
  });

  it('serves the page and only the page', async () => {
    const page = await send('GET', '/');
    expect([page.status, page.body.toString()]).toEqual([200, '<html>']);
    expect((await send('GET', '/', { headers: { 'If-None-Match': '"p"' } })).status).toBe(304);
    expect((await send('GET', '/../package.json')).status).toBe(404);
  });

  it('streams events and ends with the gateway', async () => {
    const text = new Promise<string>((resolve, reject) => {
      fetch(`${gateway.url}/v1/events`).then(async (response) => {
        expect(response.headers.get('content-type')).toContain('text/event-stream');
        const reader = (response.body as ReadableStream<Uint8Array>).getReader();
        let received = '';
        for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
          received += Buffer.from(chunk.value).toString();
          if (received.includes('following') && !received.includes('data:'))
            gateway.peer.emit({ type: 'ring', digest: 'd', members: 2, at: 5 });
          if (received.includes('data:')) gateway.events.close();
        }
        resolve(received);
      }, reject);
    });
    expect(await text).toContain('data: {"type":"ring","digest":"d","members":2,"at":5}\nid: 1\n\n');
  });

  it('[SE3] a reader of events that does not read is dropped', async () => {
    const closed = new Promise<void>((resolve) => {
      const socket = connect(gateway.server.port, '127.0.0.1', () => socket.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n'));
      socket.once('data', () => {
        socket.pause();
        const reason = 'x'.repeat(10_000);
        const flood = setInterval(() => {
          for (let index = 0; index < 500; index++) gateway.peer.emit({ type: 'badFrame', peer: 'p', reason, at: 0 });
        }, 1);
        setTimeout(() => socket.resume(), 500);
        socket.on('error', () => {});
        socket.on('close', () => {
          clearInterval(flood);
          resolve();
        });
      });
    });
    await closed;
  });
});

describe('the life of a request', () => {
  it('[QR9] a client that goes away aborts its request', async () => {
    let open = (): void => {};
    gateway.peer.gate = new Promise<void>((resolve) => (open = resolve));
    const socket = connect(gateway.server.port, '127.0.0.1', () => socket.write(`GET ${key('a')} HTTP/1.1\r\nHost: localhost\r\n\r\n`));
    socket.on('error', () => {});
    await expect.poll(() => gateway.peer.signals.length).toBe(1);
    socket.destroy();
    await expect.poll(() => gateway.peer.signals[0]?.aborted).toBe(true);
    open();
  });

  it('closing lets a request under way finish and refuses new ones', async () => {
    let open = (): void => {};
    gateway.peer.gate = new Promise<void>((resolve) => (open = resolve));
    const underWay = send('GET', key('a'));
    await expect.poll(() => gateway.peer.signals.length).toBe(1);
    const closed = gateway.server.close(5000);
    await expect(send('GET', '/v1/status')).rejects.toThrow();
    open();
    expect((await underWay).status).toBe(404);
    await closed;
  });

  it('closing cuts what does not finish in time', async () => {
    gateway.peer.gate = new Promise<void>(() => {});
    const underWay = send('GET', key('a'));
    await expect.poll(() => gateway.peer.signals.length).toBe(1);
    await Promise.all([gateway.server.close(50), expect(underWay).rejects.toThrow()]);
  });
});
