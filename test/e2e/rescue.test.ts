/** A real peer whose LevelDB files are damaged while it is down: it starts all the same, says what it did, and has everything again. */

import { readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { GatewayAnswer } from '../../node/client/gateway-client.ts';
import { awaitAgreement, http, jsonOf, startMesh } from './helpers/mesh.ts';
import { startPeer, temporaryFolder, until, type PeerProcess } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
beforeAll(async () => (folder = await temporaryFolder()));
afterAll(() => folder.remove());

let peers: PeerProcess[] = [];
afterEach(async () => {
  await Promise.all(peers.splice(0).map((peer) => peer.kill()));
});

const keys = Array.from({ length: 60 }, (_, i) => `key-${i}`);
const valueOf = (key: string): string => `${key} `.repeat(200);

/** How many of the keys this peer holds itself. */
async function heldBy(peer: PeerProcess): Promise<number> {
  const answers = await Promise.all(keys.map((key) => http(peer.url, 'GET', `/v1/local/buckets/default/keys/${key}`)));
  const isHeld = (answer: GatewayAnswer, i: number): boolean => {
    if (answer.status !== 200) return false;
    const [sibling] = jsonOf<{ siblings: { value: string }[] }>(answer).siblings;
    return sibling !== undefined && Buffer.from(sibling.value, 'base64').toString() === valueOf(keys[i] as string);
  };
  return answers.filter(isHeld).length;
}

describe('a damaged LevelDB', { timeout: 300_000 }, () => {
  it.each([
    {
      how: 'whose list of tables is lost is repaired',
      says: 'it was repaired',
      damage: async (names: readonly string[]) => {
        for (const name of names.filter((file) => /CURRENT$|MANIFEST-/.test(file))) await unlink(name);
      },
    },
    {
      how: 'in which nothing can be read is repaired to nothing, or set aside',
      says: 'the store in',
      damage: async (names: readonly string[]) => {
        for (const name of names.filter((file) => !file.endsWith('LOCK'))) await writeFile(name, 'not a store');
      },
    },
  ])('[ST3] [AE3] $how, under the same peer id, and filled again from the others', async ({ damage, says }) => {
    const root = join(folder.path, says.replaceAll(/\W/g, '') + String(Math.floor(performance.now())));
    peers = await startMesh(root, 3);
    const [first, , victim] = peers as [PeerProcess, PeerProcess, PeerProcess];
    for (const key of keys) {
      expect((await http(first.url, 'PUT', `/v1/buckets/default/keys/${key}?w=3`, { body: valueOf(key) })).status).toBe(200);
    }
    expect(await heldBy(victim)).toBe(keys.length);
    // What its log holds becomes a table at the next start.
    await victim.stop();
    await (await startPeer(victim.options)).stop();
    const records = join(victim.options.data ?? '', 'records');
    await damage((await readdir(records)).map((name) => join(records, name)));
    const again = await startPeer(victim.options);
    peers[2] = again;
    expect(again.id).toBe(victim.id);
    const { warnings } = jsonOf<{ warnings: string[] }>(await http(again.url, 'GET', '/v1/status'));
    expect(warnings).toEqual([expect.stringContaining(records)]);
    expect(warnings[0]).toContain(says);
    expect(again.running.output()).toContain('"type":"warning"');
    await awaitAgreement(peers);
    await until('the peer has everything again', async () => (await heldBy(again)) === keys.length, 150_000);
    expect((await http(again.url, 'PUT', '/v1/buckets/default/keys/key-0?w=3', { body: 'new' })).status).toBe(200);
  });
});
