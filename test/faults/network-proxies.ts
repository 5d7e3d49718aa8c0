/**
 * A TCP proxy in front of each peer, which the peer announces instead of its own address. A proxy asks the system which peer's process a connection comes
 * from, so that it knows between whom it stands. Needs /proc, hence Linux, but no namespaces.
 */

import { randomInt } from 'node:crypto';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { until } from '../e2e/helpers/processes.ts';
import type { Cut, MeshNetwork, Place } from './network.ts';

const host = '127.0.0.1';
/** Below the ports that systems give to outgoing connections: a peer that is down finds its port free again. */
const firstPort = 20_000;
const lastPort = 32_000;

/** One direction of a connection. A cut one takes nothing in, so that its sender's buffers fill up. */
class Flow {
  readonly from: Socket;
  readonly to: Socket;
  #cut = false;
  #ended = false;

  constructor(from: Socket, to: Socket) {
    this.from = from;
    this.to = to;
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!this.#cut) from.resume();
    });
    from.on('error', () => {});
    from.on('close', () => this.#end());
    from.on('end', () => this.#end());
  }

  set cut(cut: boolean) {
    this.#cut = cut;
    if (cut) this.from.pause();
    else if (this.#ended) this.#end();
    else this.from.resume();
  }

  /** The other side does not hear of it while the line is cut. */
  #end(): void {
    this.#ended = true;
    if (!this.#cut) this.to.destroySoon();
  }
}

interface Line {
  readonly dialler: number;
  readonly dialled: number;
  readonly out: Flow;
  readonly back: Flow;
}

/** `pidOf`: of the peer's process that runs now. */
export async function createProxies(count: number, pidOf: (index: number) => number | undefined): Promise<MeshNetwork> {
  const ports = await freePorts(3 * count);
  const lines = new Set<Line>();
  let cuts: readonly Cut[] = [];
  const isCut = (from: number, to: number): boolean => cuts.some((cut) => cut[0] === from && cut[1] === to);
  const apply = (line: Line): void => {
    line.out.cut = isCut(line.dialler, line.dialled);
    line.back.cut = isCut(line.dialled, line.dialler);
  };
  const places: Place[] = [];
  const servers: Server[] = [];
  for (let index = 0; index < count; index++) {
    const [gateway = 0, listening = 0, announced = 0] = ports.slice(3 * index);
    const address = (port: number): string => `/ip4/${host}/tcp/${port}`;
    places.push({ prefix: [], gateway: { host, port: gateway }, listen: address(listening), announce: address(announced) });
    const accept = async (socket: Socket): Promise<void> => {
      const dialler = await diallerOf(socket, count, pidOf);
      // One that is cut off from the start is held until the healing, and then made or broken off by who has waited for it.
      const blocked = (): boolean => dialler !== undefined && (isCut(dialler, index) || isCut(index, dialler));
      await until('the line is whole', () => !blocked() || socket.destroyed, 600_000);
      if (socket.destroyed) return;
      const inner = connect({ host, port: listening, noDelay: true });
      const line = { dialler: dialler ?? -1, dialled: index, out: new Flow(socket, inner), back: new Flow(inner, socket) };
      lines.add(line);
      inner.on('close', () => lines.delete(line));
      apply(line);
    };
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {});
      accept(socket).catch(() => socket.destroy());
    });
    await new Promise<void>((resolve, reject) => void server.once('error', reject).listen(announced, host, resolve));
    servers.push(server);
  }
  return {
    places,
    async cut(next) {
      cuts = next;
      for (const line of lines) apply(line);
    },
    close() {
      for (const server of servers) server.close();
      for (const { out } of lines) for (const socket of [out.from, out.to]) socket.destroy();
    },
  };
}

/** The peer whose process holds the other end of the socket; undefined when it is none of them, or is gone already. */
async function diallerOf(socket: Socket, count: number, pidOf: (index: number) => number | undefined): Promise<number | undefined> {
  const { remotePort = 0, localPort = 0 } = socket;
  const portText = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  const table = await readFile('/proc/net/tcp', 'utf8');
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  const row = rows.find(
    ([, local = '', remote = '']) => local.endsWith(`:${portText(remotePort)}`) && remote.endsWith(`:${portText(localPort)}`),
  );
  const inode = row?.[9];
  if (inode === undefined) return undefined;
  for (let index = 0; index < count; index++) {
    const pid = pidOf(index);
    if (pid !== undefined && (await holds(pid, `socket:[${inode}]`))) return index;
  }
  return undefined;
}

async function holds(pid: number, name: string): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  const descriptors = await readdir(folder).catch(() => []);
  const names = await Promise.all(descriptors.map((descriptor) => readlink(`${folder}/${descriptor}`).catch(() => '')));
  return names.includes(name);
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = randomInt(firstPort, lastPort - 1000); ports.length < count && port < lastPort; port++)
    if (await isFree(port)) ports.push(port);
  return ports;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
