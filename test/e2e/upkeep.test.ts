/** Repair and scrub with real processes: a byte that the disk has lost is found, and the value reads back everywhere. */

import { join } from 'node:path';
import { Level } from 'level';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RepairResult, ScrubResult } from '../../node/client/upkeep.ts';
import { awaitAgreement, http, startMesh } from './helpers/mesh.ts';
import { run, startPeer, temporaryFolder, type PeerProcess } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
let peers: PeerProcess[] = [];
const peer = (index: number): PeerProcess => peers[index] as PeerProcess;

beforeAll(async () => {
  folder = await temporaryFolder();
  peers = await startMesh(folder.path, 3);
}, 180_000);

afterAll(async () => {
  await Promise.all(peers.map((one) => one.kill()));
  await folder.remove();
});

const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
const path = (key: string): string => `/v1/buckets/default/keys/${key}`;

/** Flips a bit in the middle of each record of these keys, in the folder of a peer that is stopped. */
async function damage(data: string, names: readonly string[]): Promise<number> {
  const db = new Level<Buffer, Buffer>(join(data, 'records'), { keyEncoding: 'buffer', valueEncoding: 'buffer', createIfMissing: false });
  await db.open();
  let count = 0;
  for (const [key, value] of await db.iterator({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all()) {
    if (!names.some((name) => key.toString('latin1').endsWith(`\0${name}`))) continue;
    const at = value.length >> 1;
    value[at] = (value[at] ?? 0) ^ 1;
    await db.put(key, value);
    count++;
  }
  await db.close();
  return count;
}

describe('upkeep', { timeout: 120_000 }, () => {
  it('[ST3] [AE3] a damaged record is found by a scrub, brought back, and reads back at every peer', async () => {
    for (const key of keys) expect((await http(peer(0).url, 'PUT', `${path(key)}?w=3`, { body: `value of ${key}` })).status).toBe(200);
    const { options } = peer(1);
    await peer(1).stop();
    expect(await damage(options.data ?? '', ['key-3', 'key-7'])).toBe(2);
    peers[1] = await startPeer({ ...options, bootstrap: peer(0).addresses.slice(0, 1) });
    await awaitAgreement(peers);

    const scrubbed = await run(['scrub', '--json', '--gateway', peer(1).url]);
    expect([scrubbed.stderr, scrubbed.code]).toEqual(['', 0]);
    const result = JSON.parse(scrubbed.stdout) as ScrubResult & { names: { key: string }[] };
    expect(result).toMatchObject({ records: keys.length, damaged: 2, restored: 2, leaves: 0, repair: { failed: [] } });
    expect(result.names.map(({ key }) => key).toSorted()).toEqual(['key-3', 'key-7']);
    for (const one of peers) {
      for (const key of keys) {
        const local = await http(one.url, 'GET', `/v1/local/buckets/default/keys/${key}`);
        expect([local.status, local.body.includes(Buffer.from(`value of ${key}`).toString('base64'))], key).toEqual([200, true]);
        expect((await http(one.url, 'GET', `${path(key)}?r=3`)).body.toString()).toBe(`value of ${key}`);
      }
    }
    const again = await run(['scrub', '--gateway', peer(1).url]);
    expect(again.stdout).toMatch(/^20 records read, 0 damaged, 0 restored, 0 Merkle leaves put right, \d+\.\d seconds\n$/);
  });

  it('[AE3] a repair says what it compared; a partition that is none is a usage error', async () => {
    await awaitAgreement(peers);
    const whole = await run(['repair', '--gateway', peer(2).url]);
    expect(whole.stdout).toMatch(/^8192 partitions compared with 2 members, 0 different, 0 sent, 0 received, \d+\.\d seconds\n$/);
    expect([whole.stderr, whole.code]).toEqual(['', 0]);
    const one = await run(['repair', '--json', '--partition', '7', '--gateway', peer(2).url]);
    expect(JSON.parse(one.stdout) as RepairResult).toMatchObject({ compared: 2, peers: 2, failed: [] });
    const wrong = await run(['repair', '--partition', '4096', '--gateway', peer(2).url]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'ringmesh: error: partition must be a whole number from 0 to 4095, not "4096" [OPTION_INVALID]\n',
    ]);
  });

  it('[AE3] a member that cannot be compared makes the exit code 1', async () => {
    await peer(1).kill();
    const repaired = await run(['repair', '--gateway', peer(0).url]);
    expect(repaired.code).toBe(1);
    expect(repaired.stdout).toContain('4096 partitions compared with 1 member,');
    expect(repaired.stderr).toContain('could not be compared: out of reach');
  });
});
