/** Three real peers: conflicts through different gateways, bad input, and the command line. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envelope, Holdings, KeysAnswer, Receipt } from '../../node/client/api.ts';
import type { GatewayAnswer } from '../../node/client/gateway-client.ts';
import { madeUpBytes, readFolder, writeFiles } from './helpers/files.ts';
import { errorCode, http, jsonOf, startMesh } from './helpers/mesh.ts';
import { run, temporaryFolder, type Finished, type PeerProcess } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
let peers: PeerProcess[] = [];
const url = (number: number): string => (peers[number - 1] as PeerProcess).url;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFiles(folder.path, { 'config.yaml': 'buckets: {latest: {resolver: lww}, careful: {n: 3, r: 3, w: 3, mode: strict}}' });
  peers = await startMesh(folder.path, 3, ['--config', join(folder.path, 'config.yaml')]);
}, 180_000);

afterAll(async () => {
  await Promise.all(peers.map((one) => one.kill()));
  await folder.remove();
});

const path = (key: string, bucket = 'b'): string => `/v1/buckets/${bucket}/keys/${key}`;
const put = (gateway: number, key: string, body: string, context?: string, bucket?: string): Promise<GatewayAnswer> =>
  http(url(gateway), 'PUT', path(key, bucket), {
    body,
    headers: { 'Content-Type': 'text/plain', ...(context === undefined ? {} : { 'X-Ringmesh-Context': context }) },
  });
const envelope = async (gateway: number, key: string, bucket?: string): Promise<Envelope> =>
  jsonOf<Envelope>(await http(url(gateway), 'GET', path(key, bucket), { headers: { Accept: 'application/json' } }));
const values = (answer: Envelope): string[] => answer.siblings.map((sibling) => Buffer.from(sibling.value, 'base64').toString()).toSorted();

describe('conflicts', () => {
  it('[VR1] [QR4] writers through different gateways leave siblings, and one context resolves them', async () => {
    const answers = await Promise.all([put(1, 'cart', 'apple'), put(2, 'cart', 'pear'), put(3, 'cart', 'plum')]);
    const dots = answers.map((answer) => jsonOf<Receipt>(answer).dot);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(new Set(dots).size).toBe(3);
    const seen = await envelope(2, 'cart');
    expect(values(seen)).toEqual(['apple', 'pear', 'plum']);
    const raw = await http(url(3), 'GET', path('cart'));
    expect([raw.status, raw.headers['content-type']?.split(';')[0]]).toEqual([300, 'multipart/mixed']);
    for (const part of ['apple', 'pear', 'plum']) expect(raw.body.toString()).toContain(`\r\n\r\n${part}\r\n`);
    expect((await put(1, 'cart', 'all three', seen.context)).status).toBe(200);
    for (const gateway of [1, 2, 3]) expect(values(await envelope(gateway, 'cart'))).toEqual(['all three']);
  });

  it('[VR1] a stale context supersedes only what its writer had seen', async () => {
    const first = jsonOf<Receipt>(await put(1, 'note', 'first'));
    await put(2, 'note', 'second', first.context);
    await put(3, 'note', 'late', first.context);
    expect(values(await envelope(1, 'note'))).toEqual(['late', 'second']);
  });

  it('[VR1] two writers that take turns never leave more than two siblings', async () => {
    const contexts: (string | undefined)[] = [undefined, undefined];
    for (let turn = 0; turn < 12; turn++) {
      const writer = turn % 2;
      contexts[writer] = jsonOf<Receipt>(await put(writer + 1, 'turns', `${writer} ${turn}`, contexts[writer])).context;
      expect((await envelope(3, 'turns')).siblings.length).toBeLessThanOrEqual(2);
    }
  });

  it('[TS1] a delete is a version: it removes what it saw and keeps what it did not', async () => {
    const first = jsonOf<Receipt>(await put(1, 'gone', 'first'));
    await put(2, 'gone', 'unseen');
    expect((await http(url(3), 'DELETE', path('gone'), { headers: { 'X-Ringmesh-Context': first.context } })).status).toBe(200);
    const left = await envelope(1, 'gone');
    expect(values(left)).toEqual(['unseen']);
    await http(url(2), 'DELETE', path('gone'), { headers: { 'X-Ringmesh-Context': left.context } });
    const after = await http(url(1), 'GET', path('gone'));
    expect([after.status, errorCode(after)]).toEqual([404, 'ABSENT']);
    // For pages: a browser takes every 404 for an error.
    const asked = await http(url(1), 'GET', `${path('gone')}?absent=200`, { headers: { Accept: 'application/json' } });
    expect([asked.status, jsonOf<{ outcome: string }>(asked).outcome]).toEqual([200, 'absent']);
  });

  it('[VR7] a bucket configured for the last write has one value', async () => {
    await put(1, 'k', 'one', undefined, 'latest');
    await put(2, 'k', 'two', undefined, 'latest');
    expect(values(await envelope(3, 'k', 'latest'))).toEqual(['two']);
  });

  it('[QR4] a receipt names the replicas, one a host', async () => {
    const receipt = jsonOf<Receipt>(await http(url(2), 'PUT', `${path('receipt')}?w=3&mode=strict`, { body: 'x' }));
    expect(receipt).toMatchObject({ outcome: 'ok', hosts: 3, sloppy: false, overlap: true });
    expect(receipt.replicas.map((replica) => replica.host).toSorted()).toEqual(['host-1', 'host-2', 'host-3']);
    for (const replica of receipt.replicas)
      expect(replica).toMatchObject({ role: 'primary', state: 'stored', durable: true, class: 'server' });
    for (const gateway of [1, 2, 3]) {
      const local = await http(url(gateway), 'GET', '/v1/local/buckets/b/keys/receipt');
      expect([local.status, jsonOf<Envelope>(local).siblings[0]?.dot]).toEqual([200, receipt.dot]);
      // The same, and how much that peer keeps, from another one.
      const asked = await http(url(gateway === 1 ? 2 : 1), 'GET', `/v1/local/buckets/b/keys/receipt?peer=${peers[gateway - 1]?.id}`);
      expect(jsonOf<Envelope>(asked).siblings[0]?.dot).toBe(receipt.dot);
      const holdings = await http(url(gateway === 1 ? 2 : 1), 'GET', `/v1/holdings?peer=${peers[gateway - 1]?.id}`);
      expect(jsonOf<Holdings>(holdings)).toMatchObject({ exact: true, hints: 0 });
      expect(jsonOf<Holdings>(holdings).keys).toBeGreaterThan(0);
    }
  });

  it('an entity tag holds at every gateway until the value changes', async () => {
    await put(1, 'tagged', 'v');
    const { etag } = (await http(url(1), 'GET', path('tagged'))).headers;
    const again = await http(url(2), 'GET', path('tagged'), { headers: { 'If-None-Match': String(etag) } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
  });
});

describe('bad input', () => {
  it.each([
    ['w=0', 'QUORUM_INVALID'],
    ['n=2&r=3', 'QUORUM_INVALID'],
    ['r=4', 'QUORUM_INVALID'],
    ['n=99', 'QUORUM_INVALID'],
    ['w=two', 'OPTION_INVALID'],
    ['quorum=2', 'OPTION_INVALID'],
    ['mode=loose', 'OPTION_INVALID'],
    ['timeoutMs=0', 'OPTION_INVALID'],
  ])('[QR1] ?%s is %s and changes nothing', async (query, code) => {
    const answer = await http(url(1), 'PUT', `${path('bad')}?${query}`, { body: 'x' });
    expect([answer.status, errorCode(answer)]).toEqual([400, code]);
    expect((await http(url(2), 'GET', path('bad'))).status).toBe(404);
  });

  it('[SE3] a value of 10 MiB is refused and changes nothing', async () => {
    const answer = await http(url(1), 'PUT', path('large'), { body: Buffer.alloc(10 * 1024 * 1024) });
    expect([answer.status, errorCode(answer)]).toEqual([413, 'VALUE_TOO_LARGE']);
    expect((await http(url(1), 'GET', path('large'))).status).toBe(404);
    const largest = madeUpBytes('largest', 4 * 1024 * 1024);
    expect((await http(url(1), 'PUT', path('largest'), { body: largest })).status).toBe(200);
    expect((await http(url(3), 'GET', path('largest'))).body.equals(largest)).toBe(true);
  });

  it.each([
    ['a letter', 'x'],
    ['no base64url', '%%%'],
    ['too short', 'AAAA'],
    ['no ASCII', 'ä'],
    ['20,000 letters', 'A'.repeat(20_000)],
    ['JSON', Buffer.from('{"a":1}').toString('base64url')],
  ])('a malformed context (%s) is refused', async (_, context) => {
    const answer = await put(1, 'ctx', 'x', Buffer.from(context).toString('latin1'));
    expect([answer.status, errorCode(answer)]).toEqual([400, 'CONTEXT_INVALID']);
    expect((await http(url(2), 'GET', path('ctx'))).status).toBe(404);
  });

  it('a context of another key is refused', async () => {
    const { context } = jsonOf<Receipt>(await put(1, 'mine', 'x'));
    expect(errorCode(await put(1, 'yours', 'x', context))).toBe('CONTEXT_INVALID');
  });

  it('[SE3] keys of 1 to 1024 bytes', async () => {
    expect((await put(1, 'k'.repeat(1024), 'x')).status).toBe(200);
    for (const key of ['k'.repeat(1025), 'k'.repeat(2048), '%FF'.repeat(1025), '']) {
      const answer = await put(1, key, 'x');
      expect([answer.status, errorCode(answer)]).toEqual([400, 'KEY_INVALID']);
    }
  });

  it('[VR8] odd keys are data: each keeps its own value', async () => {
    const keys = [
      '__proto__',
      'constructor',
      'toString',
      '%2F',
      '..',
      '.',
      '%00',
      '%FF',
      '%C0%AF',
      '%ED%A0%80',
      '%25',
      '%E2%82%AC',
      '%0A',
      'a%2F..%2Fb',
      '%20',
    ];
    for (const key of keys) expect((await put(1, key, `value of ${key}`, undefined, 'odd')).status, key).toBe(200);
    for (const key of keys) expect((await http(url(3), 'GET', path(key, 'odd'))).body.toString(), key).toBe(`value of ${key}`);
    const page = jsonOf<KeysAnswer>(await http(url(2), 'GET', '/v1/buckets/odd/keys'));
    expect(page.complete).toBe(true);
    expect(page.encoded.toSorted()).toEqual(keys.map((key) => key.replaceAll(/^\.+$/g, (dots) => dots.replaceAll('.', '%2E'))).toSorted());
    expect(page.keys.filter((key) => key === null)).toHaveLength(3);
  });

  it('wrong buckets, paths and methods', async () => {
    expect(errorCode(await http(url(1), 'GET', '/v1/buckets/no%2Fbucket/keys/a'))).toBe('BUCKET_INVALID');
    expect(errorCode(await http(url(1), 'GET', `/v1/buckets/${'b'.repeat(65)}/keys/a`))).toBe('BUCKET_INVALID');
    expect(errorCode(await http(url(1), 'GET', '/v1/buckets/b/keys?cursor=%00'))).toBe('CURSOR_INVALID');
    expect(errorCode(await http(url(1), 'GET', '/v1/nothing'))).toBe('NOT_FOUND');
    expect(errorCode(await http(url(1), 'DELETE', '/v1/ring'))).toBe('METHOD_NOT_ALLOWED');
  });

  it('[SE5] foreign pages and rebound names are refused', async () => {
    const foreign = await http(url(1), 'PUT', path('csrf'), { body: 'x', headers: { Origin: 'http://evil.example' } });
    expect([foreign.status, errorCode(foreign)]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    const rebound = await http(url(1), 'GET', '/v1/status', { headers: { Host: 'evil.example:7400' } });
    expect([rebound.status, errorCode(rebound)]).toEqual([421, 'HOST_NOT_ALLOWED']);
    expect((await http(url(1), 'GET', path('csrf'))).status).toBe(404);
  });
});

describe('what a gateway tells', () => {
  it('ring, members, partitions and placement agree', async () => {
    const ring = jsonOf<{ digest: string; partitions: number; members: unknown[]; tokens: unknown[] }>(
      await http(url(1), 'GET', '/v1/ring'),
    );
    expect([ring.partitions, ring.members.length, ring.tokens.length]).toEqual([4096, 3, 384]);
    const placement = jsonOf<{ partition: number; primaries: string[] }>(await http(url(2), 'GET', '/v1/placement?bucket=b&key=receipt'));
    const partition = jsonOf<{ primaries: string[]; root: string; keys: number }>(
      await http(url(3), 'GET', `/v1/partitions/${placement.partition}`),
    );
    expect(partition.primaries.toSorted()).toEqual(placement.primaries.toSorted());
    expect(partition.keys).toBeGreaterThan(0);
  });

  it('metrics count what was done', async () => {
    const text = (await http(url(1), 'GET', '/metrics')).body.toString();
    expect(text).toMatch(/ringmesh_requests_total\{op="put",outcome="ok"\} \d+/);
    expect(text).toMatch(/ringmesh_members\{state="alive"\} \d/);
    expect(text).toMatch(/ringmesh_http_answers_total\{method="PUT",status="413"\} 1/);
  });
});

describe('the command line', { timeout: 90_000 }, () => {
  const cli = (args: readonly string[], stdin?: string | Uint8Array): Promise<Finished> =>
    run([...args, '--gateway', url(1)], stdin === undefined ? {} : { stdin });

  it('writes from an argument, a file and standard input, and reads back', async () => {
    const stored = await cli(['put', 'greeting', 'hello', '--json']);
    expect(stored.code).toBe(0);
    expect(JSON.parse(stored.stdout)).toMatchObject({ outcome: 'ok', sloppy: false });
    expect(await cli(['get', 'greeting'])).toMatchObject({ code: 0, stdout: 'hello', stderr: '' });
    const bytes = madeUpBytes('picture', 70_000);
    await writeFiles(folder.path, { 'picture.png': bytes });
    expect((await cli(['put', 'picture', '--file', join(folder.path, 'picture.png'), '-w', '3'])).code).toBe(0);
    expect((await http(url(2), 'HEAD', path('picture', 'default'))).headers['content-type']).toBe('image/png');
    expect((await cli(['get', 'picture', '--output', join(folder.path, 'copy.png')])).code).toBe(0);
    expect((await readFile(join(folder.path, 'copy.png'))).equals(bytes)).toBe(true);
    expect((await cli(['put', 'piped', '--content-type', 'text/csv'], 'a,b\n')).code).toBe(0);
    expect((await cli(['get', 'piped'])).stdout).toBe('a,b\n');
  });

  it('[VR1] shows a conflict, says how to settle it, and settles it', async () => {
    await cli(['put', 'color', 'red']);
    await cli(['put', 'color', 'blue']);
    const conflict = await cli(['get', 'color']);
    expect([conflict.code, conflict.stdout]).toEqual([4, '']);
    expect(conflict.stderr).toContain('CONFLICT: default/color has 2 values');
    expect((await cli(['get', 'color', '--siblings'])).stdout).toMatch(/sibling 1 of 2 .*\nred\n--- sibling 2 of 2 .*\nblue\n/);
    expect((await cli(['put', 'color', 'green', '--replace'])).code).toBe(0);
    expect(await cli(['get', 'color'])).toMatchObject({ code: 0, stdout: 'green' });
    const { context } = JSON.parse((await cli(['get', 'color', '--json'])).stdout) as Envelope;
    expect((await cli(['put', 'color', 'black', '--context', context])).code).toBe(0);
    expect((await cli(['get', 'color'])).stdout).toBe('black');
  });

  it('deletes, and says absent with exit code 3', async () => {
    await cli(['put', 'short-lived', 'x']);
    expect((await cli(['delete', 'short-lived'])).code).toBe(0);
    const absent = await cli(['get', 'short-lived']);
    expect([absent.code, absent.stdout]).toEqual([3, '']);
    expect(JSON.parse((await cli(['get', 'short-lived', '--json'])).stdout)).toMatchObject({ outcome: 'absent', siblings: [] });
  });

  it('lists keys, members, ring and status', async () => {
    for (const key of ['list/a', 'list/b', 'list/c']) await cli(['put', key, 'x']);
    expect((await cli(['keys', '--prefix', 'list/'])).stdout).toBe('list/a\nlist/b\nlist/c\n');
    expect((await cli(['keys', '--prefix', 'list/', '--limit', '2'])).stdout).toBe('list/a\nlist/b\n');
    expect(JSON.parse((await cli(['keys', '--prefix', 'list/', '--json'])).stdout)).toEqual({
      keys: ['list/a', 'list/b', 'list/c'],
      encoded: ['list%2Fa', 'list%2Fb', 'list%2Fc'],
      complete: true,
    });
    expect((await cli(['members'])).stdout).toMatch(/host-3 .*\n\n\d of 3 members alive/);
    expect((JSON.parse((await cli(['members', '--json'])).stdout) as { members: unknown[] }).members).toHaveLength(3);
    expect((await cli(['ring'])).stdout).toContain('3 peers · 384 tokens');
    expect((await cli(['ring', '--key', 'greeting'])).stdout.match(/^primary/gm)).toHaveLength(3);
    expect((JSON.parse((await cli(['status', '--json'])).stdout) as { peer: string }).peer).toBe(peers[0]?.id);
  });

  it('an import lists files that are too large, an export refuses keys that leave the folder', async () => {
    await writeFiles(join(folder.path, 'in'), { 'a.txt': 'a', 'deep/b.txt': 'b', 'large.bin': Buffer.alloc(4 * 1024 * 1024 + 1) });
    const imported = await cli(['import', join(folder.path, 'in'), '--bucket', 'folder', '--prefix', 'p/']);
    expect(imported.code).toBe(1);
    expect(imported.stdout).toMatch(/^imported 2 files \(2 B\) into folder in .*, 0 retried, 1 failed\n$/);
    expect(imported.stderr).toContain('large.bin: has 4194305 bytes; a value may have at most 4194304 (4 MiB) [VALUE_TOO_LARGE]');
    for (const key of ['p%2F..%2F..%2Fescaped', 'p%2F%2Fetc', 'p%2Fnul%00', 'p%2F%FF']) await put(1, key, 'x', undefined, 'folder');
    await put(1, 'p%2Ftwice', 'one', undefined, 'folder');
    await put(2, 'p%2Ftwice', 'two', undefined, 'folder');
    const out = join(folder.path, 'out');
    const exported = await cli(['export', out, '--bucket', 'folder', '--prefix', 'p/']);
    expect(exported.code).toBe(1);
    expect(exported.stderr.match(/\[KEY_REFUSED\]/g)).toHaveLength(4);
    expect(exported.stderr).toContain('p/twice: conflict');
    expect([...(await readFolder(out)).keys()].toSorted()).toEqual(['a.txt', 'deep/b.txt', 'twice.sibling-1', 'twice.sibling-2']);
    const again = await cli(['export', out, '--bucket', 'folder', '--prefix', 'p/deep']);
    expect([again.code, again.stderr.includes('[KEY_REFUSED]')]).toEqual([1, true]);
    const kept = await cli(['export', out, '--bucket', 'folder', '--prefix', 'p/']);
    expect(kept.stderr).toContain('a.txt: the file exists already; overwrite with --force [FILE_EXISTS]');
  });

  it('keys that are no text can be named with --encoded', async () => {
    await put(1, '%FF%00', 'bytes', undefined, 'default');
    expect((await cli(['get', '%FF%00', '--encoded'])).stdout).toBe('bytes');
    expect((await cli(['put', '..', 'dots'])).code).toBe(0);
    expect((await cli(['get', '..'])).stdout).toBe('dots');
  });
});
