/** Real processes that join, leave, are replaced and removed while clients read and write: nothing is lost, and the command line says how far it is. */

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanResult } from '../../node/client/api.ts';
import { awaitAgreement, http, jsonOf, startMesh, stateOf } from './helpers/mesh.ts';
import { run, startPeer, temporaryFolder, until, type PeerProcess } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
let peers: PeerProcess[] = [];
const peer = (index: number): PeerProcess => peers[index] as PeerProcess;
const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
const path = (key: string): string => `/v1/buckets/default/keys/${key}`;

beforeAll(async () => {
  folder = await temporaryFolder();
  peers = await startMesh(folder.path, 4);
  for (const key of keys) expect((await http(peer(0).url, 'PUT', `${path(key)}?w=3`, { body: `value of ${key}` })).status).toBe(200);
}, 180_000);

afterAll(async () => {
  await Promise.all(peers.map((one) => one.kill()));
  await folder.remove();
});

async function statusOf(one: PeerProcess): Promise<string> {
  return jsonOf<{ status: string }>(await http(one.url, 'GET', '/v1/status')).status;
}

/** It has copied what it owns; an end of its process is told at once. */
async function owns(one: PeerProcess): Promise<void> {
  let end: string | undefined;
  void one.running.finished.then(({ stderr, stdout }) => {
    end = `${stderr}${stdout.slice(-2000)}`;
  });
  await until('it owns its places, or has ended', async () => end !== undefined || (await statusOf(one)) === 'up', 60_000);
  expect(end).toBeUndefined();
}

/** Every value through every gateway, by strict reads of two. */
async function expectAll(): Promise<void> {
  for (const one of peers) {
    for (const key of keys) {
      const answer = await http(one.url, 'GET', `${path(key)}?r=2&mode=strict&timeoutMs=20000`);
      expect([answer.status, answer.body.toString()], `${key} at ${one.url}`).toEqual([200, `value of ${key}`]);
    }
  }
}

const bootstrap = (): string[] => peer(0).addresses.slice(0, 1);

describe('an elastic mesh', { timeout: 180_000 }, () => {
  it('[TR1] [RG6] a plan says what a fifth peer would copy; it joins under reads and writes, and owns about that', async () => {
    const plan = JSON.parse((await run(['plan', 'join', '--json', '--gateway', peer(0).url])).stdout) as PlanResult;
    expect(plan.copies).toBeGreaterThan(0);
    expect(plan.copies).toBeLessThanOrEqual((1.3 * plan.partitions) / 5);
    expect(plan.peers.find((entry) => entry.peer === '(new)')?.gains).toBe(plan.copies);
    let writing = true;
    const writes = (async () => {
      for (let i = 0; writing; i++) expect((await http(peer(i % 4).url, 'PUT', path(`during-${i}`), { body: 'x' })).status).toBe(200);
    })();
    const fifth = await startPeer({ data: join(folder.path, 'peer-5'), label: 'host-5', bootstrap: bootstrap() });
    peers.push(fifth);
    await owns(fifth);
    writing = false;
    await writes;
    await awaitAgreement(peers);
    await expectAll();
  });

  it('[TR3] a peer that leaves says when it is safe to stop it, and nothing is lost without it', async () => {
    const [leaver] = peers.splice(2, 1) as [PeerProcess];
    const { stdout, stderr, code } = await run(['leave', '--gateway', leaver.url]);
    expect([code, stderr, stdout.trim()]).toEqual([0, '', 'left: it is safe to stop this peer']);
    await leaver.kill();
    expect(await stateOf(leaver, peer(0))).toBe('left');
    await expectAll();
  });

  it('[TR3] a new peer takes the place of a dead one, and just that', async () => {
    const [dead] = peers.splice(2, 1) as [PeerProcess];
    await dead.kill();
    await until('it is seen dead', async () => (await stateOf(dead, peer(0))) === 'dead', 30_000);
    const plan = JSON.parse((await run(['plan', 'replace', dead.id, '--json', '--gateway', peer(0).url])).stdout) as PlanResult;
    expect(plan.peers.filter((entry) => entry.gains > 0).map((entry) => entry.peer)).toEqual(['(new)']);
    const next = await startPeer({
      data: join(folder.path, 'peer-6'),
      label: 'host-6',
      bootstrap: bootstrap(),
      flags: ['--replace', dead.id.slice(-8)],
    });
    peers.push(next);
    await owns(next);
    expect(await stateOf(dead, peer(0))).toBe('removed');
    await expectAll();
  });

  it('[MB2] a removed peer that comes back ends with one line, and joins anew when it is started again', async () => {
    const [removed] = peers.splice(1, 1) as [PeerProcess];
    await removed.kill();
    await until('it is seen dead', async () => (await stateOf(removed, peer(0))) === 'dead', 30_000);
    expect((await run(['remove', removed.id.slice(-8), '--gateway', peer(0).url])).code).toBe(0);
    expect(await stateOf(removed, peer(0))).toBe('removed');
    await expectAll();
    const ended = await startPeer({ ...removed.options, bootstrap: bootstrap() }).then(
      async (one) => (await one.running.finished).stderr,
      (error: unknown) => String(error),
    );
    expect(ended).toContain('[REMOVED]');
    const again = await startPeer({ ...removed.options, bootstrap: bootstrap() });
    peers.push(again);
    await owns(again);
    await expectAll();
  });

  it('bad requests have a code and change nothing', async () => {
    expect((await http(peer(0).url, 'DELETE', '/v1/members/nobody')).status).toBe(400);
    expect((await http(peer(0).url, 'GET', '/v1/plan?action=fly')).status).toBe(400);
    expect((await run(['remove', 'nobody', '--gateway', peer(0).url])).code).toBe(2);
    expect((await run(['replace', 'nobody', ...bootstrap()])).stderr).toContain('its last 8 characters');
    const { code, stderr } = await run(['remove', peer(1).id, '--gateway', peer(0).url]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('is alive')]);
    expect(await stateOf(peer(1), peer(0))).toBe('alive');
    const mistaken = await startPeer({ label: 'host-9', bootstrap: bootstrap(), flags: ['--replace', peer(1).id] });
    try {
      const waits = `"type":"replacing","peer":"${peer(1).id}","state":"alive"`;
      await until('it says why it waits', () => {
        const output = mistaken.running.output();
        if (output.includes(waits)) return true;
        throw new Error(output.slice(-1500));
      });
    } finally {
      await mistaken.stop();
    }
    expect(await stateOf(peer(1), peer(0))).toBe('alive');
  });
});
