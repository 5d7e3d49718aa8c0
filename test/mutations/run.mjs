/**
 * `npm run test:mutations`: makes one mistake after the other in a copy of the sources and runs the tests that must notice it. A mistake that no test notices is
 * a gap in the tests: the exit code is 1. Words on the command line choose the mutations whose names hold one of them.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { mutations } from './mutations.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const copied = ['src', 'node', 'web', 'test', 'package.json', 'tsconfig.json', 'vite.config.ts'];
const words = process.argv.slice(2);
const chosen = mutations.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));

const folder = mkdtempSync(path.join(tmpdir(), 'ringmesh-mutations-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
for (const name of copied) cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));

/** What a program said, if it failed. */
function failure(program, ...args) {
  const script = path.join(root, 'node_modules', program);
  // Golden transcripts are compared, never written.
  const env = { ...process.env, CI: 'true' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8', env });
  return status === 0 ? undefined : `${stdout}${stderr}`;
}

const compile = () => failure('typescript/bin/tsc', '-b', 'src', '--pretty', 'false');
const test = (tests) => failure('vitest/vitest.mjs', 'run', '--bail', '1', '--reporter', 'dot', ...tests);

/** `killed`, `survived`, or why it is no mutation. */
function outcome({ file, search, replace, tests }) {
  const place = path.join(folder, file);
  const text = readFileSync(place, 'utf8');
  const count = text.split(search).length - 1;
  if (count !== 1) return `invalid: its text occurs ${count} times in ${file}`;
  writeFileSync(
    place,
    text.replace(search, () => replace),
  );
  try {
    const broken = compile();
    if (broken !== undefined) return `invalid: it does not compile\n${broken}`;
    return test(tests) === undefined ? 'survived' : 'killed';
  } finally {
    writeFileSync(place, text);
  }
}

const files = [...new Set(chosen.flatMap(({ tests }) => tests.filter((name) => name.startsWith('test/'))))];
const before = compile() ?? test(files);
if (before !== undefined) {
  console.log(`${before}\nThe tests fail already without a mutation.`);
  process.exit(1);
}
const bad = [];
for (const mutation of chosen) {
  const began = performance.now();
  const result = outcome(mutation);
  if (result !== 'killed') bad.push(mutation);
  const seconds = `${((performance.now() - began) / 1000).toFixed(1)} s`;
  console.log(`${result.padEnd(9)} ${seconds.padStart(7)}  ${mutation.name}${result === 'killed' ? '' : `: ${mutation.why}`}`);
}
console.log(`${chosen.length - bad.length} of ${chosen.length} mutations killed`);
process.exitCode = bad.length === 0 && chosen.length > 0 ? 0 : 1;
