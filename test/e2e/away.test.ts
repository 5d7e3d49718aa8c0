/** A peer that is away while the others work: what they keep for it is bounded, and what it took by itself gets home. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Receipt } from '../../node/client/api.ts';
import { awaitAgreement, http, jsonOf, startMesh } from './helpers/mesh.ts';
import { type PeerProcess, projectFolder, startPeer, temporaryFolder, until } from './helpers/processes.ts';

const peers: PeerProcess[] = [];
const folders: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
  for (const remove of folders.splice(0)) await remove();
});

const path = '/v1/buckets/default/keys/cart';

async function hintsAt(peer: PeerProcess): Promise<number> {
  const { body } = await http(peer.url, 'GET', '/metrics');
  return Number(/^ringmesh_hints (\d+)$/m.exec(body.toString())?.[1] ?? NaN);
}

describe('a peer that is away', { timeout: 240_000 }, () => {
  it('[HH3] memory, disk and hints stay bounded while the others take writes', async () => {
    // With more to spend V8 lets garbage lie: what is kept must fit into this.
    const env = { ...process.env, NODE_OPTIONS: '--max-old-space-size=72' };
    const bench = spawn(process.execPath, [join(projectFolder, 'test/bench/away.mjs'), '20'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    });
    let output = '';
    bench.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(bench, 'close')) as [number | null];
    console.log(output);
    expect(output).toMatch(/\nbounded\n$/);
    expect(code).toBe(0);
  });

  it('[QR8] [HH2] takes a put at level `any` that reaches nobody, is killed, and delivers it once the mesh is back', async () => {
    const folder = await temporaryFolder();
    folders.push(folder.remove);
    const mesh = await startMesh(folder.path, 3);
    peers.push(...mesh);
    const [alone, ...others] = mesh as [PeerProcess, PeerProcess, PeerProcess];
    await Promise.all(others.map((peer) => peer.kill()));
    const taken = await http(alone.url, 'PUT', `${path}?mode=any&timeoutMs=20000`, { body: 'kept' });
    expect(taken.status).toBe(200);
    const { outcome, replicas } = jsonOf<Receipt>(taken);
    expect([outcome, replicas.filter(({ state }) => state === 'stored').map(({ peer, durable }) => ({ peer, durable }))]).toEqual([
      'ok',
      [{ peer: alone.id, durable: true }],
    ]);
    await alone.kill();

    const first = await startPeer(alone.options);
    peers.push(first);
    const bootstrap = first.addresses.slice(0, 1);
    const back = await Promise.all(others.map(({ options }) => startPeer({ ...options, bootstrap })));
    peers.push(...back);
    await awaitAgreement([first, ...back]);
    for (const peer of back) {
      await until(`${peer.options.label ?? ''} has the value itself`, async () => {
        const local = await http(peer.url, 'GET', `/v1/local/buckets/default/keys/cart`);
        return local.status === 200 && local.body.includes(Buffer.from('kept').toString('base64'));
      });
      expect((await http(peer.url, 'GET', `${path}?r=3&mode=strict`)).body.toString()).toBe('kept');
    }
    await until('nothing is kept for others any more', async () => (await hintsAt(first)) === 0);
  });
});
