/**
 * A network namespace for each peer, all joined by a router, which is the driver's own namespace: a cut is a rule of the router that drops what comes
 * from one address for another. Needs Linux with `ip`, `unshare` and `nsenter`, and no rights where users may make namespaces.
 */

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { readlink, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { until } from '../e2e/helpers/processes.ts';
import { endAtExit } from './children.ts';
import type { Cut, MeshNetwork, Place } from './network.ts';

const run = promisify(execFile);
const routerOf = (index: number): string => `10.77.${index + 1}.1`;
const addressOf = (index: number): string => `10.77.${index + 1}.2`;
const linkOf = (index: number): string => `ringmesh${index + 1}`;
const forwarding = '/proc/sys/net/ipv4/ip_forward';

/** A command that runs in a network of its own, as its administrator. */
export const inNewNetwork = (command: readonly string[]): readonly string[] => ['unshare', '--map-root-user', '--net', ...command];

export function namespacesWork(): boolean {
  if (process.platform !== 'linux') return false;
  const script = `ip link add ringmesh0 type veth peer name ringmesh1 && ip rule add from ${addressOf(0)} to ${addressOf(1)} blackhole &&
    echo 1 > ${forwarding} && unshare --net nsenter --target $$ --net true`;
  const [command = '', ...args] = inNewNetwork(['sh', '-c', script]);
  return spawnSync(command, args, { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

/** Only within `inNewNetwork`. */
export async function createNamespaces(count: number): Promise<MeshNetwork> {
  await run('ip', ['link', 'set', 'lo', 'up']);
  await writeFile(forwarding, '1');
  const holders: ChildProcess[] = [];
  const places: Place[] = [];
  for (let index = 0; index < count; index++) {
    const holder = await joinNamespace(index);
    holders.push(holder);
    const host = addressOf(index);
    const listen = `/ip4/${host}/tcp/7500`;
    places.push({ prefix: enter(holder), gateway: { host, port: 7400 }, listen, announce: listen });
  }
  let current: readonly Cut[] = [];
  return {
    places,
    async cut(cuts) {
      for (const cut of current) await rule('del', cut);
      current = cuts;
      for (const cut of cuts) await rule('add', cut);
    },
    close() {
      for (const holder of holders) holder.kill('SIGKILL');
    },
  };
}

const enter = (holder: ChildProcess): string[] => ['nsenter', '--target', `${holder.pid}`, '--net', '--'];

const rule = (change: 'add' | 'del', [from, to]: Cut): Promise<unknown> =>
  run('ip', ['rule', change, 'from', addressOf(from), 'to', addressOf(to), 'priority', '10', 'blackhole']);

/** The namespace lives as long as the process that this returns, which ends with its input, hence with the driver. */
async function joinNamespace(index: number): Promise<ChildProcess> {
  const holder = endAtExit(spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] }));
  const own = await readlink('/proc/self/ns/net');
  await until('a namespace is there', async () => (await readlink(`/proc/${holder.pid}/ns/net`)) !== own);
  const inside = (...command: string[]): Promise<unknown> => run('nsenter', [...enter(holder).slice(1), ...command]);
  await run('ip', ['link', 'add', linkOf(index), 'type', 'veth', 'peer', 'name', 'mesh', 'netns', `${holder.pid}`]);
  await run('ip', ['addr', 'add', `${routerOf(index)}/30`, 'dev', linkOf(index)]);
  await run('ip', ['link', 'set', linkOf(index), 'up']);
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('ip', 'addr', 'add', `${addressOf(index)}/30`, 'dev', 'mesh');
  await inside('ip', 'link', 'set', 'mesh', 'up');
  await inside('ip', 'route', 'add', 'default', 'via', routerOf(index));
  return holder;
}
