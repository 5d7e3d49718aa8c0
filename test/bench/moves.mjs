/**
 * Members that come and go one after the other under load: peers with many keys serve a steady load of strict gets and puts (r = w = 2 of n = 3), and in turn a new one joins and
 * one leaves. The first one stays, the others leave by lot. Each peer is a process of its own on this machine.
 *
 *   npm run build && node test/bench/moves.mjs [--moves 20] [--keys 20000] [--size 1024] [--peers 5] [--rate 100] [--seed 1]
 *
 * Says how long each move took, and whether all is well in the end: every key lies at its three owners and nowhere else and is read back, the history of the load passes the checkers;
 * and how large the folders are, before and after.
 */

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { heldAfter, mib, Process, say, seconds, tellPlaces, tellVerdict, until } from './fixtures/join-mesh.mjs';

const { values } = parseArgs({
  options: {
    moves: { type: 'string', default: '20' },
    keys: { type: 'string', default: '20000' },
    size: { type: 'string', default: '1024' },
    peers: { type: 'string', default: '5' },
    rate: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
  },
});
const [moves, keys, size, peers, rate, seed] = [values.moves, values.keys, values.size, values.peers, values.rate, values.seed].map(Number);
const n = 3;
const afterwardsMs = 240_000;

const folder = await mkdtemp(join(tmpdir(), 'ringmesh-moves-'));
const all = [];
const addresses = new Map();
const rows = [];
let started = 0;
let drawn = seed;
const each = (type, options = () => ({})) => Promise.all(all.map((process, index) => process.ask(type, options(index))));

/** A number below another one, the same ones for the same seed. */
function below(count) {
  drawn = (Math.imul(drawn, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((drawn / 2 ** 32) * count);
}

async function folderBytes(path) {
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true, recursive: true })) {
    // A file that is compacted away meanwhile holds nothing.
    if (entry.isFile())
      bytes += await stat(join(entry.parentPath, entry.name)).then(
        (file) => file.size,
        () => 0,
      );
  }
  return bytes;
}

const isWhole = async () => (await each('status')).every(({ status, ready, owners }) => status === 'up' && ready && owners === all.length);

async function joins() {
  const peer = new Process(folder, started++);
  addresses.set(peer, await peer.ask('start', { bootstrap: [...addresses.values()], n }));
  all.push(peer);
  await until('it owns its places, and all agree', isWhole);
  return peer;
}

async function leaves(peer) {
  all.splice(all.indexOf(peer), 1);
  addresses.delete(peer);
  rows.push(...(await peer.ask('endWork')).rows);
  await peer.ask('leave');
  peer.end();
  await until('all agree', isWhole);
}

async function tellSizes(counts) {
  const sizes = await Promise.all(all.map(({ name }) => folderBytes(join(folder, name))));
  all.forEach(({ name }, index) =>
    say(`  ${name}: ${counts[index]} records, ${mib(sizes[index])}, ${Math.round(sizes[index] / counts[index])} bytes a record`),
  );
}

try {
  for (let index = 0; index < peers; index++) await joins();
  await each('load', (index) => ({ from: index, to: keys, step: peers, size }));
  say(`${keys} keys of ${size} bytes on ${peers} peers:`);
  await tellSizes(await tellPlaces(all, heldAfter(keys, []), n, afterwardsMs));
  await each('work', () => ({ rate: rate / peers }));
  say(`${rate} operations a second, a fifth of them puts, and ${moves} moves:`);
  for (let move = 0; move < moves; move++) {
    const began = performance.now();
    const peer = move % 2 === 0 ? await joins() : all[1 + below(all.length - 1)];
    if (move % 2 === 0) await peer.ask('work', { rate: rate / peers });
    else await leaves(peer);
    say(`  ${peer.name} ${move % 2 === 0 ? 'joined' : 'left'} in ${seconds(began)}`);
  }
  for (const work of await each('endWork')) rows.push(...work.rows);
  await tellSizes(await tellPlaces(all, heldAfter(keys, rows), n, afterwardsMs));
  await tellVerdict(all, rows, { keys, size });
} finally {
  for (const peer of all) peer.end();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
