/**
 * The main job on real input: five processes, a real folder imported while one of them is killed, read back through the others, and again after a restart
 * of the killed one and of the whole mesh.
 */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPath, type KeysAnswer } from '../../node/client/api.ts';
import { encodeSegment } from '../../node/key-path.ts';
import { inParallel } from '../../node/files/patience.ts';
import { makeInput, readFolder } from './helpers/files.ts';
import { awaitAgreement, http, jsonOf, startMesh, stateOf } from './helpers/mesh.ts';
import { run, start, startPeer, temporaryFolder, until, type PeerProcess } from './helpers/processes.ts';

const bucket = 'files';
let folder: { path: string; remove: () => Promise<void> };
let input: Map<string, Buffer>;
let peers: PeerProcess[] = [];

const peer = (number: number): PeerProcess => peers[number - 1] as PeerProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  await makeInput(join(folder.path, 'input'));
  input = await readFolder(join(folder.path, 'input'));
  peers = await startMesh(folder.path, 5);
}, 180_000);

afterAll(async () => {
  await Promise.all(peers.map((one) => one.kill()));
  await folder.remove();
});

async function keysAt(url: string): Promise<string[]> {
  const page = jsonOf<KeysAnswer>(await http(url, 'GET', `/v1/buckets/${bucket}/keys`));
  return page.keys.map(String);
}

/** Every file through one gateway, with r = 2, byte for byte. */
async function readAllThrough(url: string): Promise<string[]> {
  const wrong: string[] = [];
  await inParallel([...input], 16, async ([name, bytes]) => {
    const answer = await http(url, 'GET', keyPath(bucket, encodeSegment(name), { r: 2 }));
    if (answer.status !== 200 || !answer.body.equals(bytes))
      wrong.push(`${name}: ${answer.status}, ${answer.body.length} of ${bytes.length} bytes`);
  });
  return wrong;
}

describe('a real folder in a mesh of five processes', () => {
  it('[QR2] [QR5] an import goes on to its end when a peer is killed under it', { timeout: 240_000 }, async () => {
    expect(input.size).toBeGreaterThan(200);
    const victim = peer(3);
    const importing = start([
      'import',
      join(folder.path, 'input'),
      '--bucket',
      bucket,
      '--gateway',
      `${victim.url},${peer(1).url}`,
      '--json',
    ]);
    const atKill = await until('some of the files are there', async () => {
      const keys = await keysAt(peer(2).url);
      return keys.length >= 20 ? keys.length : undefined;
    });
    expect(atKill).toBeLessThan(input.size);
    await victim.kill();
    const { code, stdout, stderr } = await importing.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ files: input.size, failed: [] });
  });

  it('[QR6] every file comes back byte for byte through another gateway with r = 2', { timeout: 120_000 }, async () => {
    expect(await readAllThrough(peer(5).url)).toEqual([]);
    expect(await keysAt(peer(4).url)).toEqual([...input.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  });

  it('keeps the type of each file', async () => {
    const type = async (name: string): Promise<string | undefined> =>
      (await http(peer(2).url, 'HEAD', keyPath(bucket, encodeSegment(name)))).headers['content-type'];
    expect(await type('package.json')).toBe('application/json');
    expect(await type('README.md')).toBe('text/markdown');
    expect(await type('made-up/plain-1023.bin')).toBe('application/octet-stream');
  });

  it('[MB2] [VR4] the killed peer comes back as itself, and all is there', { timeout: 240_000 }, async () => {
    const killed = peer(3);
    await until('the others see it dead', async () => (await stateOf(killed, peer(1))) === 'dead');
    peers[2] = await startPeer({ ...killed.options, bootstrap: peer(2).addresses.slice(0, 1) });
    expect(peer(3).id).toBe(killed.id);
    await awaitAgreement(peers);
    expect(await readAllThrough(peer(3).url)).toEqual([]);
  });

  it('[ST2] the whole mesh stops in order, starts again, and has everything', { timeout: 240_000 }, async () => {
    const ends = await Promise.all(peers.map((one) => one.stop()));
    expect(ends.map((end) => end.code)).toEqual([0, 0, 0, 0, 0]);
    const ids = peers.map((one) => one.id);
    peers = await startMesh(folder.path, 5);
    expect(peers.map((one) => one.id)).toEqual(ids);
    expect(await readAllThrough(peer(4).url)).toEqual([]);
  });

  it('a second import replaces instead of leaving conflicts, and an export writes the same folder', { timeout: 240_000 }, async () => {
    const again = await run(['import', join(folder.path, 'input'), '--bucket', bucket, '--gateway', peer(2).url, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ files: input.size, replaced: input.size, failed: [] });
    const copy = join(folder.path, 'copy');
    const { code, stderr } = await run(['export', copy, '--bucket', bucket, '--gateway', peer(5).url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const exported = await readFolder(copy);
    expect([...exported.keys()]).toEqual([...input.keys()]);
    for (const [name, bytes] of input) expect(exported.get(name)?.equals(bytes), name).toBe(true);
  });
});
