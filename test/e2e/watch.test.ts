/** `ringmesh watch` on real processes: at a peer that stores nothing, while a replica is killed and started again, and when its own gateway goes away. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyPath, type Receipt } from '../../node/client/api.ts';
import type { ChangeJson, WatchLine } from '../../node/client/watch.ts';
import { awaitAgreement, http, jsonOf, startMesh } from './helpers/mesh.ts';
import { type PeerProcess, type Running, start, startPeer, temporaryFolder, until } from './helpers/processes.ts';

const bucket = 'watched';
let folder: { path: string; remove: () => Promise<void> };
let peers: PeerProcess[] = [];
let coordinator: PeerProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  peers = await startMesh(folder.path, 3);
  const bootstrap = (peers[0] as PeerProcess).addresses.slice(0, 1);
  coordinator = await startPeer({ data: join(folder.path, 'coordinator'), label: 'host-4', bootstrap, flags: ['--weight', '0'] });
  await awaitAgreement([...peers, coordinator]);
}, 180_000);

afterAll(async () => {
  await Promise.all([...peers, coordinator].map((peer) => peer.kill()));
  await folder.remove();
});

const linesOf = (watch: Running): WatchLine[] =>
  watch
    .output()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WatchLine);

const changesOf = (watch: Running): ChangeJson[] => linesOf(watch).filter((line) => line.type === 'change');

function watchAt(gateways: readonly PeerProcess[], prefix: string): Running {
  return start(['watch', '--json', '--bucket', bucket, '--prefix', prefix, '--gateway', gateways.map(({ url }) => url).join(',')]);
}

/** The dot of an acknowledged put. */
async function put(peer: PeerProcess, key: string, body: string): Promise<string> {
  const answer = await http(peer.url, 'PUT', keyPath(bucket, key), { body });
  const { outcome, dot } = jsonOf<Receipt>(answer);
  expect(outcome).toBe('ok');
  return String(dot);
}

describe('ringmesh watch', () => {
  it('[WA1] [WA2] tells each version once, while a replica is killed and comes back', { timeout: 180_000 }, async () => {
    const watch = watchAt([coordinator], 'k/');
    await until('it watches', () => linesOf(watch)[0]?.type === 'ready');
    const dots: string[] = [];
    const writeSome = async (from: number): Promise<void> => {
      for (let i = from; i < from + 30; i++)
        dots.push(await put(i % 2 === 0 ? (peers[0] as PeerProcess) : coordinator, `k%2F${i % 40}`, `value ${i}`));
    };
    await writeSome(0);
    const victim = peers[2] as PeerProcess;
    await victim.kill();
    await writeSome(30);
    peers[2] = await startPeer({ ...victim.options, bootstrap: (peers[0] as PeerProcess).addresses.slice(0, 1) });
    await writeSome(60);
    await awaitAgreement([...peers, coordinator]);
    await writeSome(90);
    await until('all is told', () => changesOf(watch).length >= dots.length);
    // What the peer that was away gets from the others now is told already.
    await until('it has got what it missed', async () => {
      const answer = await http((peers[2] as PeerProcess).url, 'GET', `/v1/local/buckets/${bucket}/keys/k%2F39`);
      return answer.status === 200;
    });
    expect(
      changesOf(watch)
        .map(({ dot }) => dot)
        .sort(),
    ).toEqual(dots.sort());
    watch.child.kill('SIGINT');
    await watch.finished;
  });

  it('[WA2] goes on at another gateway, and says that changes may be missing', { timeout: 120_000 }, async () => {
    const watch = watchAt([coordinator, peers[0] as PeerProcess], 'j/');
    await until('it watches', () => linesOf(watch).length === 1);
    const first = await put(peers[1] as PeerProcess, 'j%2F1', 'before');
    await until('it is told', () => changesOf(watch).length === 1);
    await coordinator.kill();
    await until('it has begun anew', () => linesOf(watch).some(({ type }) => type === 'resync') && linesOf(watch).at(-1)?.type === 'ready');
    const second = await put(peers[1] as PeerProcess, 'j%2F2', 'after');
    await until('it is told', () => changesOf(watch).length === 2);
    expect(changesOf(watch).map(({ dot }) => dot)).toEqual([first, second]);
    watch.child.kill('SIGINT');
    expect((await watch.finished).stderr).toContain('the connection was lost');
  });

  it('says what is wrong in one line', { timeout: 60_000 }, async () => {
    const both = await start(['watch', 'key', '--prefix', 'k']).finished;
    expect([both.code, both.stderr]).toEqual([2, 'ringmesh: error: give a key or --prefix, not both [OPTION_INVALID]\n']);
    const nobody = await start(['watch', 'key', '--gateway', 'http://127.0.0.1:1']).finished;
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('[GATEWAY_UNREACHABLE]')]);
  });
});
