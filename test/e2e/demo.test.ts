/** `ringmesh demo` as a person runs it. */

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { http } from './helpers/mesh.ts';
import { freePort, startDemo as startDemoIn, supervise } from './helpers/demo.ts';
import { projectFolder, temporaryFolder, until, type Running } from './helpers/processes.ts';

let folder: { path: string; remove: () => Promise<void> };
beforeAll(async () => (folder = await temporaryFolder()));
afterAll(() => folder.remove());

const peerCount = 3;

const startDemo = (port: number, peers: number | undefined = peerCount): Promise<Running> =>
  startDemoIn(port, peers, join(folder.path, 'data'));

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await http(url, 'GET', '/healthz')).status === 200;
  } catch {
    return false;
  }
};

/** Process ids of the children, from the system. */
async function childrenOf(demo: Running): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', `${demo.child.pid}`]);
  return stdout.trim().split(/\s+/).map(Number);
}

describe('the demo', { timeout: 240_000 }, () => {
  it('shows one screen whose lines work, restarts a peer that dies, keeps the data and who was added', async () => {
    const port = await freePort(peerCount + 1);
    const first = `http://127.0.0.1:${port}`;
    const added = `http://127.0.0.1:${port + peerCount}`;
    const demo = await startDemo(port);
    expect(demo.output()).toMatch(/ringmesh demo · 3 peers agree on one ring \([0-9a-f]{8}\)/);
    for (let index = 0; index < peerCount; index++) expect(demo.output()).toContain(`peer-${index + 1}  http://127.0.0.1:${port + index}`);

    const lines = demo
      .output()
      .split('\n')
      .map((line) => line.trim());
    const pasted = async (beginning: string): Promise<string> => {
      const line = lines.find((candidate) => candidate.startsWith(beginning)) ?? `echo nothing begins with ${beginning}; false`;
      const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: projectFolder });
      return stdout;
    };
    await pasted('curl -X PUT');
    expect(await pasted('curl http')).toBe('hello');
    expect(await pasted("node dist/node/main.js put greeting 'good night'")).toContain('stored default/greeting');
    expect(await pasted('node dist/node/main.js get')).toBe('good night');
    expect(await pasted('node dist/node/main.js members')).toMatch(/\d of 3 members alive/);

    await pasted('kill -9');
    await until('it says so', () => /peer-\d ended \(SIGKILL\); starting it again/.test(demo.output()));
    await until('it is back', () => /peer-\d is back/.test(demo.output()), 40_000);

    await supervise(first, '/peers');
    await supervise(first, '/peers/peer-2/remove');
    demo.child.kill('SIGINT');
    const { code, stdout } = await demo.finished;
    expect(code).toBe(0);
    expect(stdout).toContain('all peers have stopped; their data stays in');
    expect(await answers(first)).toBe(false);

    const again = await startDemo(port, undefined);
    expect(again.output()).toMatch(/ringmesh demo · 3 peers/);
    expect(again.output().match(/^ {2}peer-\d/gm)).toEqual(['  peer-1', '  peer-3', '  peer-4']);
    expect((await http(added, 'GET', '/v1/buckets/default/keys/greeting')).body.toString()).toBe('good night');
    again.child.kill('SIGTERM');
    expect((await again.finished).code).toBe(0);
  });

  it('leaves no peer behind, even when it is killed', async () => {
    const port = await freePort(peerCount);
    const demo = await startDemo(port);
    const children = await childrenOf(demo);
    expect(children).toHaveLength(peerCount);
    demo.child.kill('SIGKILL');
    await demo.finished;
    const isGone = (pid: number): boolean => {
      try {
        return process.kill(pid, 0) && false;
      } catch {
        return true;
      }
    };
    await until('all peers are gone', () => children.every(isGone));
    expect(await readdir(join(folder.path, 'data'))).toEqual(expect.arrayContaining(['peer-1', 'peer-1.log']));
  });
});
