/**
 * What the demo runs: peers with fixed ports, so that each knows where the others are before any of them is up, and can be found again after a restart.
 * Peer i has its gateway at `port + i - 1`, TCP at that plus 100 and WebSocket at that plus 200; the supervisor listens at `port + 300`.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { CliError, codeOf } from '../cli/errors.ts';

export interface PeerPlan {
  readonly index: number;
  readonly name: string;
  readonly gatewayPort: number;
  readonly tcpPort: number;
  readonly webSocketPort: number;
  readonly gatewayUrl: string;
  readonly folder: string;
  readonly logFile: string;
}

export interface DemoOptions {
  /** How many; undefined: those of the last time. */
  readonly peers?: number;
  readonly data: string;
  readonly port: number;
  readonly config?: string;
}

export const peersMax = 50;
/** The supervisor's port must exist. */
export const portMax = 65_535 - 300 - peersMax;

const host = '127.0.0.1';
const cluster = 'demo';

export function planPeer(options: DemoOptions, index: number): PeerPlan {
  const name = `peer-${index + 1}`;
  const gatewayPort = options.port + index;
  return {
    index,
    name,
    gatewayPort,
    tcpPort: gatewayPort + 100,
    webSocketPort: gatewayPort + 200,
    gatewayUrl: `http://${host}:${gatewayPort}`,
    folder: join(options.data, name),
    logFile: join(options.data, `${name}.log`),
  };
}

/** Of the program that looks after the peers. */
export const supervisorPort = (options: DemoOptions): number => options.port + 300;

/** Where the pages of all peers that there can be come from. */
export const pageOrigins = (options: DemoOptions): string[] =>
  Array.from({ length: peersMax }, (_, index) => options.port + index).flatMap((port) => [
    `http://${host}:${port}`,
    `http://localhost:${port}`,
  ]);

/** The flags of `ringmesh serve` for one peer. Each serves the demo page, which may use the gateways of all. */
export function serveFlags(plan: PeerPlan, all: readonly PeerPlan[], options: DemoOptions): string[] {
  const others = all.filter((other) => other !== plan);
  return [
    ...['--cluster', cluster, '--data', plan.folder, '--host-label', plan.name, '--log', 'json'],
    ...['--port', `${plan.gatewayPort}`, '--gateway-host', host],
    ...['--listen', `/ip4/${host}/tcp/${plan.tcpPort}`, '--listen', `/ip4/${host}/tcp/${plan.webSocketPort}/ws`],
    ...others.flatMap((other) => ['--bootstrap', `/ip4/${host}/tcp/${other.tcpPort}`]),
    ...pageOrigins(options).flatMap((origin) => ['--allow-origin', origin]),
    // Tabs of the demo come and go, and keep nothing unless somebody wants it: soon nothing is left of one that was closed.
    ...['--remove-after', 'tab=90'],
    ...(options.config === undefined ? [] : ['--config', options.config]),
  ];
}

/** Stops at the first port that something else uses. */
export async function checkPorts(plans: readonly PeerPlan[], supervisor?: number): Promise<void> {
  if (supervisor !== undefined) await checkPort(supervisor);
  for (const plan of plans) {
    for (const port of [plan.gatewayPort, plan.tcpPort, plan.webSocketPort]) await checkPort(port);
  }
}

async function checkPort(port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const reason = code === 'EADDRINUSE' ? 'is in use (is another demo running?)' : 'may not be used by this user';
    throw new CliError('ADDRESS_IN_USE', `port ${port} of ${host} ${reason}; choose other ports with --port`);
  }
  server.close();
  await once(server, 'close');
}
