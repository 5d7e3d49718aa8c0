/**
 * How many events the simulator executes in a second: of the clock, and of the CPU time of the thread that it runs in (on Linux), which other programs on the machine
 * disturb less. Compiling and most of the garbage collection happen in other threads and are in the last column.
 *
 *   npm run build && node test/bench/simulator.mjs [rounds]
 */

import { readFileSync } from 'node:fs';
import { peersOfSeed, runSimulation } from 'ringmesh/sim';

const rounds = Number(process.argv[2] ?? 3);
const clockTicks = 100;

/** CPU seconds of the main thread, whose id is that of the process; those of all threads where the system does not tell. */
function threadSeconds() {
  try {
    const fields = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / clockTicks;
  } catch {
    return processSeconds();
  }
}

function processSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const loads = {
  'one mesh: 20 peers, 20,000 operations': () => [{ seed: 7, peers: 20, ops: 20_000 }],
  'many: 6 seeds, --faults all': () =>
    [7001, 7002, 7003, 7004, 7005, 7006].map((seed) => ({ seed, peers: peersOfSeed(seed), faults: 'all' })),
};

console.log('events a second                           of the clock   of thread CPU   of process CPU');
for (let round = 1; round <= rounds; round++) {
  for (const [name, runs] of Object.entries(loads)) {
    const before = [performance.now() / 1000, threadSeconds(), processSeconds()];
    let events = 0;
    for (const options of runs()) events += runSimulation(options).summary.events;
    const after = [performance.now() / 1000, threadSeconds(), processSeconds()];
    const cells = after.map((seconds, index) => Math.round(events / (seconds - before[index])).toLocaleString('en'));
    console.log(name.padEnd(40) + cells.map((cell, index) => cell.padStart([13, 15, 16][index])).join(' '));
  }
}
