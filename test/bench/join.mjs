/**
 * What a join costs those who use the mesh meanwhile: peers with many keys serve a steady load of strict gets and puts (majorities of n), first among themselves, then
 * while another peer joins. Each peer is a process of its own on this machine, with a part of the load.
 *
 *   npm run build && node test/bench/join.mjs [--keys 100000] [--peers 5] [--rate 300] [--size 128] [--copies 3]
 *
 * Says how the latency of gets changes, how many records moved beside the least that could, how much memory each process had at most, and whether all is well afterwards: every
 * key is read back, lies at its owners and nowhere else, and the history of the load passes the checkers.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { heldAfter, mib, Process, say, seconds, tellPlaces, tellVerdict, until } from './fixtures/join-mesh.mjs';

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '100000' },
    peers: { type: 'string', default: '5' },
    rate: { type: 'string', default: '300' },
    size: { type: 'string', default: '128' },
    copies: { type: 'string', default: '3' },
    quiet: { type: 'string', default: '20' },
  },
});
const [keys, peers, rate, size, quietSeconds] = [values.keys, values.peers, values.rate, values.size, values.quiet].map(Number);
const n = Number(values.copies);
const joinMs = 3_600_000;
const afterwardsMs = 600_000;

/** Resident at most since the last call, and live objects now, in each peer. */
async function tellMemory(when) {
  const all = await each('memory');
  const list = (of) => all.map((memory) => mib(of(memory))).join(', ');
  say(`memory ${when}: at most ${list(({ peakBytes }) => peakBytes)}; of it objects ${list(({ heapUsed }) => heapUsed)} after collection`);
}

function quantiles(gets) {
  const sorted = gets.map(([, ms]) => ms).sort((a, b) => a - b);
  return { count: sorted.length, p50: sorted[Math.floor(sorted.length * 0.5)], p99: sorted[Math.floor(sorted.length * 0.99)] };
}

const folder = await mkdtemp(join(tmpdir(), 'ringmesh-join-'));
const all = [];
const each = (type, options = () => ({})) => Promise.all(all.map((process, index) => process.ask(type, options(index))));
try {
  const addresses = [];
  for (let index = 0; index < peers; index++) {
    all.push(new Process(folder, index));
    addresses.push(await all[index].ask('start', { bootstrap: addresses, n }));
  }
  const areWhole = async () =>
    (await each('status')).every(({ status, ready, owners }) => status === 'up' && ready && owners === all.length);
  await until('the peers are one mesh', areWhole);
  let began = performance.now();
  await each('load', (index) => ({ from: index, to: keys, step: peers, size }));
  say(
    `${keys} keys of ${size} bytes on ${peers} peers, written in ${seconds(began)}; then ${rate} operations a second, a fifth of them puts\n`,
  );

  await tellMemory('while they were written');
  await each('work', () => ({ rate: rate / peers }));
  await sleep(2000);
  const quietFrom = Date.now();
  await sleep(quietSeconds * 1000);
  await tellMemory('in quiet');
  const joinFrom = Date.now();
  began = performance.now();
  const newcomer = new Process(folder, peers);
  await newcomer.ask('start', { bootstrap: addresses, n });
  await until('it owns its places', async () => (await newcomer.ask('status')).status === 'up', joinMs);
  const joinTo = Date.now();
  const joinedIn = seconds(began);
  const loads = await each('endWork');
  all.push(newcomer);
  await until('all agree', areWhole);
  const { copied } = await newcomer.ask('status');

  const gets = loads.flatMap((load) => load.gets);
  const quiet = quantiles(gets.filter(([due]) => due >= quietFrom && due < joinFrom));
  const busy = quantiles(gets.filter(([due]) => due >= joinFrom && due < joinTo));
  say(`             gets    p50 ms    p99 ms`);
  for (const [name, { count, p50, p99 }] of [
    ['quiet', quiet],
    ['joining', busy],
  ])
    say(`${name.padEnd(8)}${[count, p50.toFixed(1), p99.toFixed(1)].map((cell) => `${cell}`.padStart(9)).join(' ')}`);
  say(`p99 while it joins, to the quiet one: ${(busy.p99 / quiet.p99).toFixed(2)}\n`);

  const work = loads.flatMap((load) => load.rows);
  const held = heldAfter(keys, work);
  const ideal = (n * held.least) / (peers + 1);
  say(`joined in ${joinedIn}, ${copied} records copied: ${(copied / ideal).toFixed(2)} of ${n} keys / ${peers + 1} peers`);
  await tellMemory('while it joined');

  await tellPlaces(all, held, n, afterwardsMs);
  await tellVerdict(all, work, { keys, size });
  await tellMemory('afterwards');
} finally {
  for (const peer of all) peer.end();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
