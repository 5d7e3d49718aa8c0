/**
 * What a peer costs the others while it is away: of four peers one is killed, and one of those that are left takes writes all the time. They may keep only so much
 * for it. Prints memory, disk and what is kept, and fails when these are not bounded.
 *
 *   npm run build && node test/bench/away.mjs [seconds]
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const seconds = Number(process.argv[2] ?? 120);
const hints = { max: 50, maxBytes: 64 * 1024 };
const load = { keys: 1000, bytes: 1024, concurrency: 16 };
const samples = 12;
/** Between the first third, in which programs warm up, and the end. */
const memoryGrowthMax = 64 * 2 ** 20;
/** LevelDB keeps what was overwritten for a while: its logs and tables have 4 MiB and 2 MiB each. */
const diskMax = 4 * load.keys * load.bytes + 24 * 2 ** 20;

class Process {
  #nextId = 1;
  #waiting = new Map();

  constructor(folder) {
    this.folder = folder;
    this.child = fork(new URL('fixtures/away-process.mjs', import.meta.url), [folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child.on('message', ({ id, answer }) => this.#waiting.get(id)?.(answer));
    this.child.on('exit', (code) => {
      if (code !== null && code !== 0) process.exit(code);
    });
  }

  ask(type, message = {}) {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.child.send({ id, type, ...message });
    });
  }

  async kill() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** Files come and go while they are looked at. */
async function sizeOf(folder) {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const sizes = entries.map((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory()
      ? sizeOf(path)
      : stat(path).then(
          ({ size }) => size,
          () => 0,
        );
  });
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function look(processes) {
  const found = await Promise.all(processes.map(async (one) => ({ ...(await one.ask('sample')), disk: await sizeOf(one.folder) })));
  const most = (name) => Math.max(...found.map((one) => one[name]));
  const sum = (name) => found.reduce((total, one) => total + one[name], 0);
  return {
    written: sum('written'),
    failed: sum('failed'),
    rss: most('rss'),
    disk: most('disk'),
    hints: most('hints'),
    refused: sum('refused'),
  };
}

const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);

const folder = await mkdtemp(join(tmpdir(), 'ringmesh-away-'));
const processes = [0, 1, 2, 3].map((index) => new Process(join(folder, `peer-${index}`)));
const addresses = [];
for (const one of processes) addresses.push(await one.ask('start', { bootstrap: addresses, hints }));
await Promise.all(processes.map((one) => one.ask('agree', { count: processes.length })));
await processes.pop().kill();

console.log('seconds    writes   failed   memory MiB   disk MiB   hints   refused   (most of any peer; writes and refusals of all)');
const began = performance.now();
const writing = processes[0].ask('write', { ...load, seconds });
const rows = [];
for (let index = 1; index <= samples; index++) {
  const due = began + (index * seconds * 1000) / samples;
  await new Promise((resolve) => void setTimeout(resolve, due - performance.now()));
  const row = await look(processes);
  rows.push(row);
  const cells = [
    ((index * seconds) / samples).toFixed(0),
    row.written,
    row.failed,
    mebibytes(row.rss),
    mebibytes(row.disk),
    row.hints,
    row.refused,
  ];
  console.log(cells.map((cell, at) => String(cell).padStart([7, 9, 8, 12, 10, 7, 9][at])).join(' '));
}
await writing;
for (const one of processes) await one.kill();
await rm(folder, { recursive: true, force: true });

const early = rows[Math.floor(samples / 3)];
const last = rows.at(-1);
const complaints = [
  [rows.some((row) => row.hints > hints.max), `more than ${hints.max} hints were kept`],
  [last.refused === 0, 'nothing was refused: the bound was not reached'],
  [last.failed > last.written / 20, 'more than one write in twenty missed its quorum'],
  [last.rss - early.rss > memoryGrowthMax, `memory grew by ${mebibytes(last.rss - early.rss)} MiB`],
  [last.disk > diskMax, `the disk holds ${mebibytes(last.disk)} MiB`],
].flatMap(([isWrong, text]) => (isWrong ? [text] : []));
console.log(complaints.length === 0 ? 'bounded' : `NOT BOUNDED: ${complaints.join(', ')}`);
process.exitCode = complaints.length === 0 ? 0 : 1;
