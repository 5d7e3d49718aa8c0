/** How processes start and stop, and the one clear line when they cannot. */

import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { http } from './helpers/mesh.ts';
import { run, start, startPeer, temporaryFolder, until, type PeerProcess } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
beforeAll(async () => (folder = await temporaryFolder()));
afterAll(() => folder.remove());

const started: PeerProcess[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((peer) => peer.kill()));
});
const peer = async (...flags: string[]): Promise<PeerProcess> => {
  const one = await startPeer({ flags });
  started.push(one);
  return one;
};

const listen = (port = 0): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
  });
const portOf = (server: Server): number => (server.address() as { port: number }).port;

describe('wrong flags and places', { timeout: 60_000 }, () => {
  it.each([
    [['serve', '--prot', '1'], 2, "unknown option '--prot' (Did you mean --port?)"],
    [['serve', '--port', '70000'], 2, "option '--port <port>' argument '70000' is invalid. Expected a whole number from 0 to 65535."],
    [['serve', '--log', 'xml'], 2, 'Allowed choices are text, json, none.'],
    [['put'], 2, "missing required argument 'key'"],
    [['put', 'a', 'b', 'c'], 2, 'too many arguments'],
    [['fly'], 2, "unknown command 'fly'"],
    [['get', 'a', '--gateway', 'nowhere'], 2, 'Expected a URL such as http://127.0.0.1:7400.'],
    [['get', 'a', '--gateway', 'http://127.0.0.1:1'], 1, 'no gateway answers at http://127.0.0.1:1 (connection refused)'],
    [['import', '/nowhere/at/all'], 2, '/nowhere/at/all is not a folder'],
    [['serve', '--config', '/nowhere.yaml'], 2, 'cannot read the configuration file /nowhere.yaml'],
    [['serve', '--port', '0', '--listen', '/ip4/nonsense/tcp/1'], 1, '[ADDRESS_INVALID]'],
    [['serve', '--port', '0', '--bootstrap', 'http://127.0.0.1:7400'], 1, '[ADDRESS_INVALID]'],
    [['serve', '--port', '0', '--partitions', '1000'], 1, '[OPTION_INVALID]'],
    [['serve', '--port', '0', '--gateway-host', '203.0.113.1'], 1, 'this machine has no address 203.0.113.1'],
    [['serve', '--port', '0', '--data', '/dev/null/x'], 1, 'the data folder /dev/null/x cannot be written'],
    [['serve', '--port', '0', '--data', '/proc/x/y'], 1, 'the data folder /proc/x/y cannot be written'],
    [['demo', '--peers', '0'], 2, 'Expected a whole number from 1 to 50.'],
    [['demo', '--data', '/dev/null/x', '--port', '17310'], 1, 'the data folder /dev/null/x cannot be written'],
  ])('%j ends with %i and one line', async (args, code, message) => {
    const finished = await run(args);
    expect(finished.stderr).toContain(message);
    expect(finished.stderr).toMatch(/^ringmesh: error: .* \[[A-Z_]+\]\n$/);
    expect([finished.code, finished.stdout]).toEqual([code, '']);
  });

  it('a wrong bucket in the configuration names its place', async () => {
    const file = join(folder.path, 'wrong.yaml');
    await writeFile(file, 'buckets:\n  carts: { n: 3, r: 4 }\n');
    const finished = await run(['serve', '--config', file]);
    expect([finished.code, finished.stderr]).toEqual([
      2,
      `ringmesh: error: ${file}: buckets.carts: r = 4 is more than n = 3 replicas can give [CONFIG_INVALID]\n`,
    ]);
  });

  it('a port in use is one line, of the gateway and of the demo before any peer starts', async () => {
    const taken = await listen();
    const port = portOf(taken);
    const serve = await run(['serve', '--port', `${port}`]);
    expect([serve.code, serve.stderr]).toEqual([
      1,
      `ringmesh: error: port ${port} of 127.0.0.1 is in use; choose another with --port (0 takes any free one) [ADDRESS_IN_USE]\n`,
    ]);
    const demo = await run(['demo', '--port', `${port}`, '--data', join(folder.path, 'unused')]);
    expect([demo.code, demo.stdout]).toEqual([1, '']);
    expect(demo.stderr).toMatch(new RegExp(`^ringmesh: error: port ${port} of 127.0.0.1 is in use .* \\[ADDRESS_IN_USE\\]\\n$`));
    const listening = await run(['serve', '--port', '0', '--listen', `/ip4/127.0.0.1/tcp/${port}`]);
    expect([listening.code, listening.stderr.includes('[ADDRESS_IN_USE]')]).toEqual([1, true]);
    taken.close();
  });

  it('a data folder that another peer uses is one line', async () => {
    const data = join(folder.path, 'shared');
    await peer('--data', data);
    const second = await run(['serve', '--port', '0', '--data', data]);
    expect([second.code, second.stderr]).toEqual([1, expect.stringMatching(/^ringmesh: error: .* \[STORAGE_LOCKED\]\n$/)]);
  });

  it('help and version are on standard output and no failure', async () => {
    for (const args of [['--help'], ['serve', '--help'], ['import', '--help']]) {
      const { code, stdout, stderr } = await run(args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/Examples:|Start here:/);
    }
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('the life of a peer', { timeout: 60_000 }, () => {
  it('alone it is healthy and ready, and its configuration may come from the environment', async () => {
    const one = await peer();
    expect((await http(one.url, 'GET', '/healthz')).status).toBe(200);
    await until('it is ready', async () => (await http(one.url, 'GET', '/readyz')).status === 200);
    const failing = await run(['status', '--json'], { environment: { RINGMESH_GATEWAY: one.url } });
    expect(JSON.parse(failing.stdout)).toMatchObject({ peer: one.id, cluster: 'test', ready: true });
  });

  it('a peer that reaches no other one says whom it tried, and why that failed', async () => {
    const closed = await listen();
    const port = portOf(closed);
    closed.close();
    const one = await peer();
    const [address = ''] = one.addresses;
    const refused = `/ip4/127.0.0.1/tcp/${port}`;
    const stranger = 'no peer of this cluster: its cluster, partitions or durableMin differ';
    const cases: readonly [string, string, readonly string[]][] = [
      [refused, 'ECONNREFUSED', ['--bootstrap', refused]],
      [one.id, stranger, ['--bootstrap', address, '--cluster', 'another']],
      [one.id, stranger, ['--bootstrap', address, '--durable-min', '1']],
      [one.id, stranger, ['--bootstrap', address, '--partitions', '64']],
    ];
    for (const [where, reason, flags] of cases) {
      const lost = await peer(...flags);
      const told = await until('it tells', () =>
        lost.running
          .output()
          .split('\n')
          .find((line) => line.includes('"alone"')),
      );
      expect(JSON.parse(told)).toMatchObject({ type: 'alone', where, reason: expect.stringContaining(reason) });
      expect((await http(lost.url, 'GET', '/readyz')).status).toBe(503);
    }
  });

  it('with a bootstrap that does not answer it is up but not ready', async () => {
    const one = await peer('--bootstrap', '/ip4/127.0.0.1/tcp/1');
    expect((await http(one.url, 'GET', '/healthz')).status).toBe(200);
    expect((await http(one.url, 'GET', '/readyz')).status).toBe(503);
  });

  it('SIGTERM ends it with 0, and its stream of events with it', async () => {
    const one = await peer();
    const events = new Promise<void>((resolve, reject) => {
      request(`${one.url}/v1/events`, (incoming) => incoming.resume().on('end', resolve).on('error', reject))
        .on('error', reject)
        .end();
    });
    await until('the stream is open', async () => (await http(one.url, 'GET', '/healthz')).status === 200);
    const { code, stderr } = await one.stop();
    expect([code, stderr]).toEqual([0, '']);
    await events;
    await expect(http(one.url, 'GET', '/healthz')).rejects.toThrow();
  });

  it('[QR9] a put under way at SIGTERM is answered', async () => {
    const one = await peer();
    const answers = Array.from({ length: 20 }, (_, index) =>
      http(one.url, 'PUT', `/v1/buckets/b/keys/${index}?n=1&r=1&w=1`, { body: 'x' }),
    );
    const settled = Promise.allSettled(answers);
    await Promise.any(answers);
    expect((await one.stop()).code).toBe(0);
    // Connections whose request was not read yet are cut; all others are answered.
    const statuses = (await settled).flatMap((end) => (end.status === 'fulfilled' ? [end.value.status] : []));
    expect(statuses).toContain(200);
    for (const status of statuses) expect([200, 503]).toContain(status);
  });

  it('the text log says what a person needs', async () => {
    const running = start(['serve', '--port', '0', '--data', join(folder.path, 'text')]);
    await until('it is ready', () => running.output().includes('ready: '));
    expect(running.output()).toMatch(/gateway {4}http:\/\/127\.0\.0\.1:\d+\n/);
    expect(running.output()).toMatch(/--bootstrap \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/\w+/);
    running.child.kill('SIGINT');
    const { code, stdout, stderr } = await running.finished;
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/stopping \(SIGINT\); once more to stop at once\nstopped\n$/);
  });
});
