/** Values, bad requests and listings of the gateway over real HTTP, before a fake peer. */

import { connect } from 'node:net';
import { MeshError } from 'ringmesh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, json, key, openGateway, type TestGateway } from './gateway-harness.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(() => gateway.close());

const send: TestGateway['send'] = (...args) => gateway.send(...args);
const put: TestGateway['put'] = (...args) => gateway.put(...args);
const raw: TestGateway['raw'] = (...args) => gateway.raw(...args);

describe('values', () => {
  it('a value comes back with its type, context and dot', async () => {
    const stored = await put(key('a'), 'hello', { 'Content-Type': 'text/x-test; a=b' });
    expect(stored.status).toBe(200);
    expect(json(stored)).toMatchObject({ outcome: 'ok', dot: 'actor.1:1', hosts: 1, sloppy: false, overlap: true });
    expect(json(stored).replicas).toEqual([
      { peer: 'peer', host: 'host', class: 'server', role: 'primary', durable: true, state: 'stored' },
    ]);
    const got = await send('GET', key('a'));
    expect(got.status).toBe(200);
    expect(got.body.toString()).toBe('hello');
    expect(got.headers).toMatchObject({
      'content-type': 'text/x-test; a=b',
      'x-ringmesh-dot': 'actor.1:1',
      'x-ringmesh-context': json(stored).context,
      'content-length': '5',
    });
    expect(got.headers['x-content-type-options']).toBe('nosniff');
    expect(got.headers['content-security-policy']).toContain('sandbox');
  });

  it('HEAD tells the same without the value', async () => {
    await put(key('a'), 'hello');
    const got = await send('HEAD', key('a'));
    expect(got.status).toBe(200);
    expect(got.body).toHaveLength(0);
    expect(got.headers).toMatchObject({ 'content-length': '5', 'x-ringmesh-dot': 'actor.1:1' });
    expect((await send('HEAD', key('none'))).status).toBe(404);
  });

  it('an empty value is a value', async () => {
    await put(key('empty'), '');
    const got = await send('GET', key('empty'));
    expect([got.status, got.body.length, got.headers['content-type']]).toEqual([200, 0, 'application/octet-stream']);
  });

  it.each([
    '%2F',
    '..',
    '.',
    '%2E%2E',
    '%2e',
    '%00',
    '%FF%FE',
    '__proto__',
    'constructor',
    'toString',
    '%25',
    'a%2Fb%2F..',
    '%E2%82%AC',
    '%ED%A0%80',
    ':key',
    '*',
    'a;b',
    'a%3Fb',
    '%0D%0A',
  ])('[VR8] the key %s is its bytes', async (segment) => {
    expect((await put(key(segment), `of ${segment}`)).status).toBe(200);
    expect((await send('GET', key(segment))).body.toString()).toBe(`of ${segment}`);
    const [encoded] = json(await send('GET', '/v1/buckets/b/keys')).encoded;
    expect((await send('GET', key(encoded))).body.toString()).toBe(`of ${segment}`);
    expect(json(await send('GET', '/v1/buckets/b/keys')).keys).toHaveLength(1);
  });

  it('keys that differ in one byte are different', async () => {
    await put(key('a%2Fb'), 'slash');
    await put(key('a%252Fb'), 'percent');
    expect((await send('GET', key('a%2fb'))).body.toString()).toBe('slash');
    expect((await send('GET', key('a%252Fb'))).body.toString()).toBe('percent');
  });

  it('[VR1] siblings come as 300 multipart, and a put with the context replaces them', async () => {
    await put(key('a'), 'one', { 'Content-Type': 'text/one' });
    await put(key('a'), 'two', { 'Content-Type': 'text/two' });
    const both = await send('GET', key('a'));
    expect(both.status).toBe(300);
    expect(both.headers['content-type']).toMatch(/^multipart\/mixed; boundary=/);
    expect(both.body.toString()).toContain('Content-Type: text/two');
    expect((await send('HEAD', key('a'))).status).toBe(300);
    await put(key('a'), 'three', { 'X-Ringmesh-Context': String(both.headers['x-ringmesh-context']) });
    expect((await send('GET', key('a'))).body.toString()).toBe('three');
  });

  it('one value written twice is one value to a reader, and both dots to who asks for JSON', async () => {
    await put(key('a'), 'same', { 'Content-Type': 'text/plain' });
    const second = await put(key('a'), 'same', { 'Content-Type': 'text/plain' });
    const got = await send('GET', key('a'));
    expect([got.status, got.body.toString(), got.headers['x-ringmesh-context']]).toEqual([200, 'same', json(second).context]);
    expect(json(await send('GET', key('a'), { headers: { Accept: 'application/json' } })).siblings).toHaveLength(2);
    await put(key('a'), 'same', { 'Content-Type': 'text/html' });
    expect((await send('GET', key('a'))).status).toBe(300);
  });

  it('with Accept: application/json a get always answers the envelope', async () => {
    await put(key('a'), '{"stored":"json"}', { 'Content-Type': 'application/json' });
    const accept = { headers: { Accept: 'application/json' } };
    const got = await send('GET', key('a'), accept);
    expect(json(got)).toMatchObject({ outcome: 'ok', siblings: [{ dot: 'actor.1:1', contentType: 'application/json', time: 1000 }] });
    expect(Buffer.from(json(got).siblings[0].value, 'base64').toString()).toBe('{"stored":"json"}');
    await put(key('a'), 'second');
    const both = await send('GET', key('a'), accept);
    expect([both.status, json(both).siblings.length]).toEqual([200, 2]);
    const none = await send('GET', key('none'), accept);
    expect([none.status, json(none).outcome, json(none).siblings]).toEqual([404, 'absent', []]);
  });

  it('a delete answers a receipt, and the absence carries the context', async () => {
    const stored = await put(key('a'));
    const deleted = await send('DELETE', key('a'), { headers: { 'X-Ringmesh-Context': json(stored).context } });
    expect([deleted.status, json(deleted).outcome]).toEqual([200, 'ok']);
    const got = await send('GET', key('a'));
    expect([got.status, codeOf(got)]).toEqual([404, 'ABSENT']);
    expect(got.headers['x-ringmesh-context']).toBe(json(deleted).context);
  });

  it('[QR5] a missed write quorum is 202 with the receipt', async () => {
    gateway.peer.putOutcome = 'partial';
    const answer = await put(key('a'));
    expect([answer.status, json(answer).outcome]).toEqual([202, 'partial']);
  });

  it('If-None-Match spares the value', async () => {
    await put(key('a'), 'hello');
    const { etag } = (await send('GET', key('a'))).headers;
    const same = await send('GET', key('a'), { headers: { 'If-None-Match': String(etag) } });
    expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, etag]);
    expect(same.headers['x-ringmesh-context']).toBeDefined();
    await put(key('a'), 'other');
    expect((await send('GET', key('a'), { headers: { 'If-None-Match': String(etag) } })).status).toBe(300);
  });

  it('shows this replica’s own copy', async () => {
    await put(key('a'), 'mine');
    const got = await send('GET', '/v1/local/buckets/b/keys/a');
    expect([got.status, json(got).outcome, json(got).siblings.length]).toEqual([200, 'ok', 1]);
    const none = await send('GET', '/v1/local/buckets/b/keys/none');
    expect([none.status, json(none).outcome]).toEqual([404, 'absent']);
  });

  it('shows what a peer keeps, its own or another one’s', async () => {
    await put(key('a'), 'mine');
    const copy = await send('GET', '/v1/local/buckets/b/keys/a?peer=peer');
    expect([copy.status, json(copy).keptFor]).toEqual([200, ['other']]);
    expect(json(await send('GET', '/v1/holdings'))).toEqual({ keys: 7, bytes: 70, exact: true, hints: 1 });
    expect(json(await send('GET', '/v1/connections'))).toEqual({ connections: [] });
    for (const path of ['/v1/local/buckets/b/keys/a?peer=gone', '/v1/holdings?peer=gone'])
      expect(codeOf(await send('GET', path))).toBe('UNREACHABLE');
  });
});

describe('bad requests', () => {
  it.each([
    ['PUT', `${key('a')}?w=0`, 400, 'QUORUM_INVALID'],
    ['PUT', `${key('a')}?n=2&r=3`, 400, 'QUORUM_INVALID'],
    ['GET', `/v1/buckets/five/keys/a?r=6`, 400, 'QUORUM_INVALID'],
    ['GET', `${key('a')}?r=x`, 400, 'OPTION_INVALID'],
    ['GET', `${key('a')}?color=red`, 400, 'OPTION_INVALID'],
    ['GET', '/v1/status?verbose', 400, 'OPTION_INVALID'],
    ['GET', key(''), 400, 'KEY_INVALID'],
    ['GET', key('%'), 400, 'KEY_INVALID'],
    ['GET', key('a/b'), 400, 'KEY_INVALID'],
    ['GET', '/v1/buckets/no%20bucket/keys/a', 400, 'BUCKET_INVALID'],
    ['GET', '/v1/buckets/%/keys/a', 400, 'BUCKET_INVALID'],
    ['GET', '/v1/buckets/b/keys?limit=0', 400, 'OPTION_INVALID'],
    ['GET', '/v1/buckets/b/keys?limit=1001', 400, 'OPTION_INVALID'],
    ['GET', '/v1/partitions/4096', 400, 'OPTION_INVALID'],
    ['GET', '/v1/partitions/-1', 400, 'OPTION_INVALID'],
    ['GET', '/v1/placement', 400, 'KEY_INVALID'],
    ['GET', '/v2/status', 404, 'NOT_FOUND'],
    ['GET', '/v1/status/', 404, 'NOT_FOUND'],
    ['PUT', '/v1/status', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/v1/buckets/b/keys', 405, 'METHOD_NOT_ALLOWED'],
  ] as const)('%s %s is %i %s', async (method, path, status, code) => {
    const answer = await send(method, path, method === 'PUT' ? { body: Buffer.from('x') } : {});
    expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    expect(answer.headers['content-type']).toContain('application/json');
  });

  it('[QR1] a configured bucket keeps its own quorum', async () => {
    expect((await send('GET', '/v1/buckets/five/keys/a?r=5')).status).toBe(404);
  });

  it('a malformed context changes nothing', async () => {
    const answer = await put(key('a'), 'x', { 'X-Ringmesh-Context': '%%%' });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'CONTEXT_INVALID']);
    expect((await send('GET', key('a'))).status).toBe(404);
  });

  it('conditions on writes are refused rather than ignored', async () => {
    expect(codeOf(await put(key('a'), 'x', { 'If-Match': '"e"' }))).toBe('OPTION_INVALID');
    expect(codeOf(await put(key('a'), 'x', { 'If-None-Match': '*' }))).toBe('OPTION_INVALID');
    expect(codeOf(await put(key('a'), 'x', { 'Content-Encoding': 'gzip' }))).toBe('OPTION_INVALID');
  });

  it('[SE3] a value that says it is too large is refused unread', async () => {
    const answer = await put(key('a'), Buffer.alloc(10 * 1024 * 1024));
    expect([answer.status, codeOf(answer)]).toEqual([413, 'VALUE_TOO_LARGE']);
    expect((await send('GET', key('a'))).status).toBe(404);
    expect((await put(key('a'), Buffer.alloc(4 * 1024 * 1024))).status).toBe(200);
    expect((await put(key('a'), Buffer.alloc(4 * 1024 * 1024 + 1))).status).toBe(413);
  });

  it('[SE3] a value that grows too large is cut off, and the connection ends', async () => {
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
    const head = `PUT ${key('a')} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await raw(head, chunk, 100);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('VALUE_TOO_LARGE');
    expect((await send('GET', key('a'))).status).toBe(404);
  });

  it('[SE3] Expect: 100-continue with too large a value is refused before it is sent', async () => {
    const answer = await raw(`PUT ${key('a')} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('[SE3] a request cut off in its value is not stored', async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(gateway.server.port, '127.0.0.1', () => {
        socket.write(`PUT ${key('a')} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf`, () => socket.destroy());
      });
      socket.on('error', () => {}).on('close', () => resolve());
    });
    expect((await send('GET', key('a'))).status).toBe(404);
    expect(gateway.bugs).toEqual([]);
  });

  it.each(['GET http://example.org/v1/status HTTP/1.1', 'GET /v1\\status HTTP/1.1', 'GET * HTTP/1.1'])(
    '%s is refused in our form',
    async (line) => {
      const answer = await raw(`${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain('REQUEST_INVALID');
    },
  );

  it('failures of the mesh have their codes, bugs have no details', async () => {
    gateway.peer.failWith = new MeshError('UNKNOWN', 'only 1 of 2 answered');
    const unknown = await send('GET', key('a'));
    expect([unknown.status, codeOf(unknown), unknown.headers['retry-after']]).toEqual([503, 'UNKNOWN', '1']);
    gateway.peer.failWith = new TypeError('secret') as MeshError;
    const bug = await send('GET', key('a'));
    expect([bug.status, codeOf(bug)]).toEqual([500, 'INTERNAL']);
    expect(bug.body.toString()).not.toContain('secret');
    expect(gateway.bugs).toHaveLength(1);
  });
});

describe('who may talk to it', () => {
  it('[SE5] strange hosts and origins are refused', async () => {
    const rebound = await send('GET', '/v1/status', { headers: { Host: 'evil.test' } });
    expect([rebound.status, codeOf(rebound)]).toEqual([421, 'HOST_NOT_ALLOWED']);
    const foreign = await put(key('a'), 'x', { Origin: 'http://evil.test' });
    expect([foreign.status, codeOf(foreign)]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    expect(foreign.headers['access-control-allow-origin']).toBeUndefined();
    expect((await send('GET', key('a'))).status).toBe(404);
  });

  it('[SE5] allowed origins get exactly their own name', async () => {
    const allowed = await send('GET', '/v1/status', { headers: { Origin: 'http://app.test' } });
    expect(allowed.headers['access-control-allow-origin']).toBe('http://app.test');
    const same = await send('GET', '/v1/status', { headers: { Origin: `http://127.0.0.1:${gateway.server.port}` } });
    expect(same.status).toBe(200);
    const preflight = await raw(
      `OPTIONS ${key('a')} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://app.test\r\nAccess-Control-Request-Method: PUT\r\nConnection: close\r\n\r\n`,
    );
    expect(preflight).toMatch(/^HTTP\/1\.1 204 /);
    expect(preflight).toContain('Access-Control-Allow-Methods: GET, HEAD, PUT, POST, DELETE');
  });
});

describe('listing', () => {
  it('pages through keys, text beside percent-encoding', async () => {
    for (const name of ['a', 'a%2F1', 'a%2F2', '%FF']) await put(key(name));
    const first = json(await send('GET', '/v1/buckets/b/keys?limit=3'));
    expect(first).toEqual({ keys: ['a', 'a/1', 'a/2'], encoded: ['a', 'a%2F1', 'a%2F2'], cursor: '3', complete: true });
    const second = json(await send('GET', '/v1/buckets/b/keys?limit=3&cursor=3'));
    expect(second).toEqual({ keys: [null], encoded: ['%FF'], cursor: null, complete: true });
    expect(json(await send('GET', '/v1/buckets/b/keys?prefix=a/')).keys).toEqual(['a/1', 'a/2']);
    expect(json(await send('GET', '/v1/buckets/b/keys?prefix=%FF')).encoded).toEqual(['%FF']);
  });
});
