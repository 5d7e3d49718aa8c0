/** The pure parts of the gateway: errors, query options, entity tags, multipart, who may talk to it. */

import fc from 'fast-check';
import { MeshError, type Sibling } from 'ringmesh';
import { describe, expect, it } from 'vitest';
import { entityTag, tagMatches, wantsJson } from '../../../node/gateway/envelope.ts';
import { errorAnswer, GatewayError, isBug, statusOf } from '../../../node/gateway/errors.ts';
import { hostAllowed, hostName, originAllowed } from '../../../node/gateway/guard.ts';
import { chooseBoundary, headerText, safeContentType, writeMultipart } from '../../../node/gateway/multipart.ts';
import { requestOptions } from '../../../node/gateway/request-options.ts';

const sibling = (dot: string, value: Uint8Array, contentType?: string): Sibling => ({ dot, value, contentType, time: 0 });

describe('errors', () => {
  it('every code has a status of its family', () => {
    expect(statusOf.KEY_INVALID).toBe(400);
    expect(statusOf.VALUE_TOO_LARGE).toBe(413);
    expect(statusOf.UNREACHABLE).toBe(503);
    for (const status of Object.values(statusOf)) expect([400, 403, 404, 405, 409, 413, 421, 500, 503]).toContain(status);
  });

  it('known errors show code and message, unknown ones nothing', () => {
    expect(JSON.parse(errorAnswer(new MeshError('KEY_INVALID', 'too long')).body)).toEqual({
      error: { code: 'KEY_INVALID', message: 'too long' },
    });
    const answer = errorAnswer(new Error('secret /home/me'));
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('secret');
    expect(isBug(new Error('x'))).toBe(true);
    expect(isBug(new GatewayError('NOT_FOUND', 'x'))).toBe(false);
  });

  it('[QR6] what may pass says when to come back', () => {
    expect(errorAnswer(new MeshError('UNKNOWN', 'x'))).toMatchObject({ status: 503, headers: { 'Retry-After': '1' } });
  });
});

describe('query options', () => {
  it('[QR1] are laid over the configured ones', () => {
    expect(requestOptions('r=1&mode=sloppy', { n: 5, w: 4 })).toEqual({ n: 5, w: 4, r: 1, mode: 'sloppy' });
    expect(requestOptions('n=1&r=1&w=1&timeoutMs=50', {})).toEqual({ n: 1, r: 1, w: 1, timeoutMs: 50 });
  });

  it.each(['w=0', 'r=0', 'n=0', 'r=4', 'w=4', 'n=2&r=3', 'n=17', 'n=1&w=2'])('[QR1] %s cannot be', (query) => {
    expect(() => requestOptions(query, {})).toThrow(expect.objectContaining({ code: 'QUORUM_INVALID' }));
  });

  it.each([
    'r=',
    'r=x',
    'r=1.5',
    'r=-1',
    'r=0x1',
    'r=1e0',
    'r=%201',
    'r=1&r=1',
    'mode=loose',
    'mode=',
    'timeoutMs=0',
    'timeoutMs=999999',
    'q=1',
    'W=1',
  ])('[QR1] %s is malformed', (query) => {
    expect(() => requestOptions(query, {})).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
  });
});

describe('entity tags', () => {
  it('follow the dots, not their order', () => {
    const [a, b] = [sibling('a:1', new Uint8Array()), sibling('b:1', new Uint8Array())];
    expect(entityTag([a, b], 'bytes')).toBe(entityTag([b, a], 'bytes'));
    expect(entityTag([a], 'bytes')).not.toBe(entityTag([b], 'bytes'));
    expect(entityTag([a], 'json')).toMatch(/^W\//);
  });

  it('match in lists, weakly, and by star', () => {
    expect(tagMatches('"x", W/"y"', '"y"')).toBe(true);
    expect(tagMatches('*', '"y"')).toBe(true);
    expect(tagMatches('"yy"', '"y"')).toBe(false);
    expect(tagMatches(undefined, '"y"')).toBe(false);
  });

  it('JSON is answered to those who name it', () => {
    expect(wantsJson('application/json')).toBe(true);
    expect(wantsJson('text/html, application/json;q=0.5')).toBe(true);
    expect(wantsJson('application/json;q=0')).toBe(false);
    expect(wantsJson('*/*')).toBe(false);
    expect(wantsJson(undefined)).toBe(false);
  });
});

/** Reads what `writeMultipart` wrote, as RFC 2046 says. */
function readMultipart(contentType: string, body: Uint8Array): { head: string; value: string }[] {
  const boundary = /boundary="([^"]+)"/.exec(contentType)?.[1] ?? '';
  const text = `\r\n${Buffer.from(body).toString('latin1')}`;
  const parts = text.split(`\r\n--${boundary}`);
  expect(parts[0]).toBe('');
  expect(parts.at(-1)).toBe('--\r\n');
  return parts.slice(1, -1).map((part) => {
    const end = part.indexOf('\r\n\r\n');
    return { head: part.slice(2, end), value: part.slice(end + 4) };
  });
}

describe('multipart', () => {
  it('any siblings come back, each with its type and dot', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 2, maxLength: 5 }), (values) => {
        const siblings = values.map((value, index) => sibling(`actor:${index}`, value, 'text/plain'));
        const { contentType, body } = writeMultipart(siblings);
        const parts = readMultipart(contentType, body);
        expect(parts.map((part) => part.value)).toEqual(values.map((value) => Buffer.from(value).toString('latin1')));
        parts.forEach((part, index) => expect(part.head).toContain(`X-Ringmesh-Dot: actor:${index}`));
      }),
    );
  });

  it('a value that holds the boundary gets another boundary', () => {
    const plain = [sibling('a:1', new Uint8Array()), sibling('b:1', new Uint8Array())];
    const boundary = chooseBoundary(plain);
    const hostile = [sibling('a:1', Buffer.from(`\r\n--${boundary}--\r\n`)), sibling('b:1', new Uint8Array())];
    expect(chooseBoundary(hostile)).not.toBe(boundary);
    const { contentType, body } = writeMultipart(hostile);
    expect(readMultipart(contentType, body)).toHaveLength(2);
  });

  it('[VR8] stored types and actors cannot write headers', () => {
    expect(safeContentType('text/plain\r\nSet-Cookie: a=b')).toBe('application/octet-stream');
    expect(safeContentType('')).toBe('application/octet-stream');
    expect(safeContentType(undefined)).toBe('application/octet-stream');
    expect(safeContentType('text/plain; charset=utf-8')).toBe('text/plain; charset=utf-8');
    expect(headerText('a\r\nb:1')).toBe('a%0D%0Ab%3A1');
    expect(headerText('0f.1:2')).toBe('0f.1:2');
  });
});

describe('who may talk to the gateway', () => {
  const options = { boundHost: '127.0.0.1', allowHosts: ['mesh.example.org'], allowOrigins: ['https://app.example.org'] };

  it.each(['localhost', 'localhost:7400', '127.0.0.1:7400', '[::1]:7400', 'LOCALHOST', 'mesh.example.org:80', 'mesh.example.org.'])(
    '[SE5] the Host %s is ours',
    (host) => {
      expect(hostAllowed(host, options)).toBe(true);
    },
  );

  it.each([
    undefined,
    '',
    'evil.example.org',
    'evil.example.org:7400',
    '192.168.1.1:7400',
    'localhost.evil.org',
    '127.0.0.1.evil.org',
    'localhost:7400@evil',
    'a b',
  ])('[SE5] the Host %s is not ours', (host) => {
    expect(hostAllowed(host, options)).toBe(false);
  });

  it('[SE5] bound to all addresses, any address may be used but no strange name', () => {
    const open = { ...options, boundHost: '0.0.0.0' };
    expect(hostAllowed('192.168.1.1:7400', open)).toBe(true);
    expect(hostAllowed('evil.example.org', open)).toBe(false);
  });

  it('[SE5] the Origin is ours or allowed by name', () => {
    expect(originAllowed('http://127.0.0.1:7400', '127.0.0.1:7400', options)).toBe(true);
    expect(originAllowed('https://app.example.org', '127.0.0.1:7400', options)).toBe(true);
    for (const origin of ['null', 'http://127.0.0.1:7401', 'http://evil.org', 'https://app.example.org.evil.org', '']) {
      expect(originAllowed(origin, '127.0.0.1:7400', options)).toBe(false);
    }
    expect(originAllowed('http://undefined', undefined, options)).toBe(false);
  });

  it('never throws on any Host', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void hostName(Buffer.from(bytes).toString('latin1'))));
  });
});
