/**
 * What a mesh of many peers costs each of them: the simulator runs 10, 100 and 1,000 peers (or those that are named) with 64 tokens each at rest, then through a peer that joins,
 * one that leaves, one that is killed, and a split in halves. Then the placement of 4,096 partitions with n = 3 is worked out for up to 10,000 peers.
 *
 *   npm run build && node test/bench/scale.mjs [--peers 10,100,1000] [--svg FILE] [--json FILE]
 *
 * `--json` keeps the figures, and takes from there those that it has. Time is virtual, so that the figures are the same on every machine, but for those of CPU and memory. A round is
 * 1.5 s: how often each peer compares its table with another one.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Cluster, World } from 'ringmesh/sim';

import { plot } from './fixtures/scale-plot.mjs';

const { values } = parseArgs({
  options: { peers: { type: 'string', default: '10,100,1000' }, svg: { type: 'string' }, json: { type: 'string' } },
});
const sizes = values.peers.split(',').map(Number);
const roundMs = 1500;
const lookMs = 10;
const keys = 50;
const say = (text) => console.log(text);

/** What all peers have sent since the last call. */
function meter(cluster) {
  let last = { messages: 0, bytes: 0, atMs: 0 };
  return () => {
    const { sent, sentBytes, gossipSent, gossipBytes } = cluster.network.counters;
    const now = { messages: sent + gossipSent, bytes: sentBytes + gossipBytes, atMs: cluster.world.nowMs };
    const spent = { messages: now.messages - last.messages, bytes: now.bytes - last.bytes, ms: now.atMs - last.atMs };
    last = now;
    return spent;
  };
}

/** How long it takes until something holds, in virtual milliseconds. */
function timeUntil(cluster, condition, withinMs = 300_000) {
  const began = cluster.world.nowMs;
  while (!condition()) {
    if (cluster.world.nowMs - began > withinMs) return Infinity;
    cluster.world.runFor(lookMs);
  }
  return cluster.world.nowMs - began;
}

/** All that are up have one ring, with so many owners, and nobody comes or goes. */
function agree(cluster, owners) {
  const digests = new Set();
  for (const { up, serving, core } of cluster.peers) {
    if (!up) continue;
    if (!serving || !core.membership.placement.isSettled || core.membership.placement.ring.members.length !== owners) return false;
    digests.add(core.membership.placement.digest);
    if (digests.size > 1) return false;
  }
  return true;
}

/** It knows one address, as with `--bootstrap`. */
function startAt(cluster, index) {
  cluster.peer(index).start();
  cluster.network.connect(index, cluster.peer(0).id);
}

function write(cluster, peer, key) {
  const bytes = new TextEncoder().encode(`value of ${key}`);
  const command = { bucket: 'bucket', key, context: [], tombstone: false, bytes, contentType: undefined, priority: 0, n: 3, w: 3 };
  cluster.ask(peer, { type: 'put', command: { ...command, mode: 'sloppy', resolver: 'siblings', budgetMs: 5000 } });
}

function measure(peers) {
  const began = performance.now();
  say(`${peers} peers`);
  const cluster = new Cluster(new World(7), { peers: peers + 1, founders: peers, bootstrap: 0, partitions: 4096, weight: 64 });
  cluster.startFormed(peers);
  for (let i = 0; i < keys; i++) write(cluster, i % 3, `key-${i}`);
  const all = cluster.peers.slice(0, peers).map(({ index }) => index);
  const spent = meter(cluster);
  const cost = (name, change, condition) => {
    spent();
    change();
    const ms = timeUntil(cluster, condition);
    const { messages, bytes } = spent();
    const row = { ms, messages: messages / peers, bytes: bytes / peers };
    say(
      `  ${name}: ${(ms / 1000).toFixed(2)} s, ${(ms / roundMs).toFixed(1)} rounds, ${row.messages.toFixed(0)} messages and ${(row.bytes / 1024).toFixed(1)} KiB a peer   (${((performance.now() - began) / 1000).toFixed(0)} s)`,
    );
    return row;
  };
  say(`  formed, with ${keys} keys   (${((performance.now() - began) / 1000).toFixed(0)} s)`);
  // Until those that have given dots have renewed their records.
  cluster.world.runFor(360_000);
  spent();
  cluster.world.runFor(30_000);
  const rest = spent();
  const perSecond = (count) => (count / peers / rest.ms) * 1000;
  say(
    `  at rest: ${perSecond(rest.messages).toFixed(1)} messages and ${perSecond(rest.bytes).toFixed(0)} bytes a peer and second   (${((performance.now() - began) / 1000).toFixed(0)} s)`,
  );
  const last = cluster.peer(peers);
  const join = cost(
    'join',
    () => startAt(cluster, peers),
    () => agree(cluster, peers + 1),
  );
  cluster.world.runFor(30_000);
  const leave = cost(
    'leave',
    () => last.request({ type: 'leave' }, () => {}),
    () => cluster.allSee(peers, 'left'),
  );
  last.kill();
  cluster.world.runFor(30_000);
  const kill = cost(
    'kill',
    () => cluster.peer(1).kill(),
    () => cluster.allSee(1, 'dead'),
  );
  cluster.peer(1).start();
  timeUntil(cluster, () => cluster.peer(1).serving && cluster.allSee(1, 'alive'));
  cluster.world.runFor(30_000);
  const [left, right] = [all.filter((index) => index % 2 === 0), all.filter((index) => index % 2 === 1)];
  cluster.split([left, right]);
  cluster.world.runFor(20_000);
  const heal = cost(
    'heal',
    () => cluster.network.mendAll(),
    () => agree(cluster, peers) && all.every((index) => cluster.allSee(index, 'alive')),
  );
  cluster.world.runFor(30_000);
  cluster.network.faults.gossipLoss = 1;
  const silent = cost(
    'join without gossip',
    () => startAt(cluster, peers),
    () => agree(cluster, peers + 1),
  );
  const resting = { messages: perSecond(rest.messages), bytes: perSecond(rest.bytes) };
  return { peers, rest: resting, join, leave, kill, heal, silent };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

function heldBytes() {
  // What the first collection frees leaves more behind for a second one.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The ring of so many members and the owners of all partitions: from nothing, and for one member more. */
function measurePlacement(peers) {
  const cluster = new Cluster(new World(7), { peers: 1, founders: 1, bootstrap: 0, partitions: 4096, weight: 64 });
  cluster.startFormed();
  const { table } = cluster.peer(0).core.membership;
  const memberOf = (i) => ({ peer: `peer-${i}`, host: `host-${i}`, class: 'server', weight: 64 });
  const members = Array.from({ length: peers }, (_, i) => memberOf(i));
  const work = (owners) => {
    const began = process.cpuUsage().user;
    const placement = table.placementOf(owners);
    for (let partition = 0; partition < 4096; partition++) placement.primaries(partition, 3);
    return { placement, ms: (process.cpuUsage().user - began) / 1000 };
  };
  const before = heldBytes();
  const first = work(members);
  const bytes = heldBytes() - before;
  const times = Array.from({ length: 5 }, (_, i) => work([...members, memberOf(peers + i)]).ms).sort((a, b) => a - b);
  say(
    `placement of ${first.placement.ring.members.length} peers: ${first.ms.toFixed(1)} ms, ${times[2].toFixed(1)} ms with one more, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
  );
  return { peers, freshMs: first.ms, againMs: times[2], bytes };
}

const known = values.json === undefined ? [] : JSON.parse(await readFile(values.json, 'utf8').catch(() => '[]'));
const results = [];
for (const peers of sizes) {
  results.push(known.find((result) => result.peers === peers) ?? measure(peers));
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(results));
}
// Once before, for the compiler.
measurePlacement(1000);
const placements = [10, 100, 1000, 10_000].map(measurePlacement);
if (values.svg !== undefined) await writeFile(values.svg, plot(results, placements));
