/** The short form of `npm run test:faults`: the same driver with a few of its faults, for half a minute, and a seed that stays. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parseHistory } from 'ringmesh/sim';
import { projectFolder, temporaryFolder } from './helpers/processes.ts';

const seed = 2654;
const driver = join(projectFolder, 'test/faults/main.mjs');

let child: ChildProcess | undefined;
afterEach(() => void child?.kill('SIGTERM'));

async function drive(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const driving = spawn(process.execPath, [driver, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  child = driving;
  let output = '';
  for (const stream of [driving.stdout, driving.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(driving, 'close')) as [number | null];
  return { code, output };
}

describe('real processes under faults', { timeout: 180_000 }, () => {
  it(`[IN] killed, paused and split, they lose nothing, bring nothing back and become equal (seed ${seed})`, async () => {
    const folder = await temporaryFolder();
    const history = join(folder.path, 'history.jsonl');
    const flags = ['--minutes', '0.3', '--faults', 'kill,pause,split', '--converge-within', '90', '--history', history];
    const { code, output } = await drive(['--seed', `${seed}`, ...flags]);
    console.log(output);
    expect(output).toContain('every check holds');
    expect(code).toBe(0);
    const rows = parseHistory(await readFile(history, 'utf8'));
    const finals = rows.filter((row) => row.phase === 'final');
    expect(new Set(finals.map((row) => row.node))).toEqual(new Set(['peer-1', 'peer-2', 'peer-3', 'peer-4', 'peer-5']));
    expect(rows.filter((row) => row.op === 'put' && row.status === 'ok').length).toBeGreaterThan(20);
    await folder.remove();
  });

  it('a flag that is wrong is one line', async () => {
    const { code, output } = await drive(['--faults', 'flood']);
    expect([code, output]).toEqual([2, expect.stringMatching(/^error: .*There is no fault 'flood'\. .*\n$/)]);
  });
});
