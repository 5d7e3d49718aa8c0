/** Folders into a bucket and back, before a fake peer. */

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayClient } from '../../../node/client/gateway-client.ts';
import { exportFiles, type ExportReport } from '../../../node/files/exporter.ts';
import { importFiles, type ImportReport } from '../../../node/files/importer.ts';
import { walk } from '../../../node/files/walk.ts';
import { json, key, openGateway, type TestGateway } from './gateway-harness.ts';

let gateway: TestGateway;
let client: GatewayClient;
let folder: string;
beforeEach(async () => {
  gateway = await openGateway();
  // The first gateway is not there: the client goes on to the second.
  client = new GatewayClient(['http://127.0.0.1:1', gateway.url]);
  folder = await mkdtemp(join(tmpdir(), 'ringmesh-files-'));
});
afterEach(async () => {
  client.close();
  await gateway.close();
  await rm(folder, { recursive: true });
});

const load = async (): Promise<ImportReport> =>
  importFiles(client, await walk(join(folder, 'in')), { bucket: 'b', prefix: '', concurrency: 4, onProgress: () => {} });

const save = (to: string, force = false): Promise<ExportReport> =>
  exportFiles(client, join(folder, to), { bucket: 'b', prefix: '', concurrency: 4, force, onTotal: () => {}, onProgress: () => {} });

const siblings = async (segment: string): Promise<unknown[]> =>
  json(await gateway.send('GET', key(segment), { headers: { Accept: 'application/json' } })).siblings;

describe('import', () => {
  beforeEach(async () => {
    await mkdir(join(folder, 'in/deep'), { recursive: true });
    await writeFile(join(folder, 'in/a.ts'), 'a');
    await writeFile(join(folder, 'in/deep/empty'), '');
    await symlink('/etc/hostname', join(folder, 'in/link'));
  });

  it('each file is a key with its type; links are left out', async () => {
    expect(await load()).toMatchObject({ files: 2, bytes: 1, replaced: 0, failed: [] });
    expect((await gateway.send('GET', key('a.ts'))).headers['content-type']).toBe('text/x-typescript');
    expect((await gateway.send('GET', key('deep%2Fempty'))).status).toBe(200);
    expect(json(await gateway.send('GET', '/v1/buckets/b/keys')).keys).toEqual(['a.ts', 'deep/empty']);
  });

  it('[VR1] a second import replaces what the first one wrote', async () => {
    await load();
    await writeFile(join(folder, 'in/a.ts'), 'changed');
    expect(await load()).toMatchObject({ files: 2, replaced: 2 });
    expect(await siblings('a.ts')).toHaveLength(1);
    expect((await gateway.send('GET', key('a.ts'))).body.toString()).toBe('changed');
  });

  it('[VR5] a put whose answer was lost leaves no conflict with its own retry', async () => {
    gateway.peer.loseAnswers = 2;
    const report = await load();
    expect(report).toMatchObject({ files: 2, failed: [] });
    expect(report.retried).toBeGreaterThanOrEqual(2);
    expect(await siblings('a.ts')).toHaveLength(1);
    expect(await siblings('deep%2Fempty')).toHaveLength(1);
  });

  it('no gateway at all ends it at once', async () => {
    const nobody = new GatewayClient(['http://127.0.0.1:1']);
    const options = { bucket: 'b', prefix: '', concurrency: 4, onProgress: () => {} };
    await expect(importFiles(nobody, await walk(join(folder, 'in')), options)).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  });
});

describe('export', () => {
  it('a key cannot leave the folder through a symbolic link', async () => {
    await mkdir(join(folder, 'out'));
    await mkdir(join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), join(folder, 'out/link'));
    await gateway.put(key('link%2Ffile'), 'x');
    await gateway.put(key('plain'), 'y');
    const report = await save('out');
    expect(report).toMatchObject({ files: 1, failed: [{ file: 'link/file', code: 'KEY_REFUSED' }] });
    await expect(readFile(join(folder, 'elsewhere/file'))).rejects.toThrow('ENOENT');
  });

  it('nothing is overwritten unless it is asked for', async () => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out/a'), 'mine');
    await gateway.put(key('a'), 'theirs');
    expect((await save('out')).failed).toMatchObject([{ file: 'a', code: 'FILE_EXISTS' }]);
    expect(await readFile(join(folder, 'out/a'), 'utf8')).toBe('mine');
    expect((await save('out', true)).failed).toEqual([]);
    expect(await readFile(join(folder, 'out/a'), 'utf8')).toBe('theirs');
  });

  it('a key that continues another one has no place for both', async () => {
    await gateway.put(key('a'), 'file');
    await gateway.put(key('a%2Fb'), 'below');
    const report = await save('out');
    expect([report.files, report.failed.length, report.failed[0]?.code]).toEqual([1, 1, 'FILE_EXISTS']);
  });
});
