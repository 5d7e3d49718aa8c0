/**
 * How fast three peers serve puts (n=3, W=2) and gets (R=2) of 1 KiB values at c=64, beside a bare program in the same run: three processes with `node:net` and
 * LevelDB that write to their own disk, send to the others, and count two acknowledgements, with no versions, membership, encryption or repair.
 *
 *   npm run build && node test/bench/mesh.mjs [rounds] [operations]
 *
 * The load runs inside the first process, in both programs. CPU is that of all three processes together.
 */

import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const rounds = Number(process.argv[2] ?? 5);
const operations = Number(process.argv[3] ?? 4000);

const warmUps = 4;

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** One of the three processes of a program; answers each message with one message. */
class Process {
  constructor(program, folder) {
    this.child = fork(new URL(`fixtures/${program}-process.mjs`, import.meta.url), [folder], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  ask(message) {
    return new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`process ended with ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (answer) => {
        this.child.off('exit', ended);
        resolve(answer);
      });
      this.child.send(message);
    });
  }
}

async function startProgram(program, folder) {
  const processes = [0, 1, 2].map((index) => new Process(program, join(folder, `${program}-${index}`)));
  const addresses = [];
  for (const process of processes) addresses.push(await process.ask({ type: 'start', bootstrap: addresses }));
  for (const process of processes) await process.ask({ type: 'ready', peers: addresses });
  return processes;
}

async function measure(processes, operation, round) {
  const before = await Promise.all(processes.map((process) => process.ask({ type: 'cpu' })));
  const { seconds, p50, p99 } = await processes[0].ask({ type: 'run', operation, operations, concurrency: 64, round });
  const after = await Promise.all(processes.map((process) => process.ask({ type: 'cpu' })));
  const cpu = after.reduce((sum, value, index) => sum + value - before[index], 0);
  return { rate: operations / seconds, cpu: cpu / operations, p50, p99 };
}

const folder = await mkdtemp(join(tmpdir(), 'ringmesh-bench-'));
const programs = { bare: await startProgram('bare', folder), ringmesh: await startProgram('ringmesh', folder) };
const results = { put: { bare: [], ringmesh: [] }, get: { bare: [], ringmesh: [] } };
for (let round = -warmUps; round < rounds; round++) {
  for (const operation of ['put', 'get']) {
    for (const [program, processes] of Object.entries(programs)) {
      const result = await measure(processes, operation, round);
      // The first rounds warm both up and are not counted: V8 goes on compiling for some tens of thousands of operations.
      if (round >= 0) results[operation][program].push(result);
    }
  }
}
for (const processes of Object.values(programs)) for (const process of processes) process.child.kill('SIGKILL');
await rm(folder, { recursive: true, force: true });

console.log(`${operations} operations of 1 KiB at c=64, ${rounds} rounds, medians\n`);
console.log('             rate/s    CPU µs/op     p50 ms     p99 ms');
for (const [operation, byProgram] of Object.entries(results)) {
  for (const [program, runs] of Object.entries(byProgram)) {
    const of = (name) => median(runs.map((run) => run[name]));
    const cells = [of('rate').toFixed(0), of('cpu').toFixed(0), of('p50').toFixed(1), of('p99').toFixed(1)];
    console.log(`${operation} ${program.padEnd(9)}${cells.map((cell) => cell.padStart(9)).join('  ')}`);
  }
  const ratios = byProgram.ringmesh.map((run, index) => run.rate / byProgram.bare[index].rate);
  console.log(`${operation} ratio of rates, ringmesh to bare: ${median(ratios).toFixed(2)}\n`);
}
