/**
 * The life of `ringmesh serve`: start, say where, wait for a signal, stop in order. What it prints when it is up is what a person needs next: the
 * gateway's address, where the data is, and how another peer joins.
 */

import { facts } from '../cli/output.ts';
import { programCall } from '../cli/program-call.ts';
import { onStopSignal } from '../cli/stop-signal.ts';
import { createLog, type Log } from './log.ts';
import { startPeerServer, type PeerServer } from './peer-server.ts';
import type { ServeSettings } from './settings.ts';

const requestsEndWithinMs = 5000;
const stopWithinMs = 15_000;

export async function serveUntilStopped(settings: ServeSettings): Promise<void> {
  const log = createLog(settings.log);
  // A parent that reads our lines may go away first.
  process.stdout.on('error', () => {});
  let stopping = false;
  const stopped = stopRequest(log).then(() => {
    stopping = true;
  });
  const refused = refusedByParent();
  const server = await startPeerServer(settings, {
    refuses: (peer) => refused.has(peer),
    onEvent: (event) => {
      if (!stopping) log.event(event);
    },
    onBug: (error) =>
      process.stderr.write(`ringmesh: bug in the gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`),
  });
  announce(settings, server, log);
  for (const message of server.peer.status().warnings) log.write({ type: 'warning', message }, `warning: ${message}`);
  server.ready.then(
    () => log.write({ type: 'ready', peer: server.peer.id }, readyText(server)),
    () => {},
  );
  server.peer.ended.then(
    (reason) => {
      if (stopping) return;
      process.stderr.write(`ringmesh: error: ${reason.message} [${reason.code}]\n`);
      process.exit(1);
    },
    () => {},
  );
  await stopped;
  await stop(server, log);
}

/** Whom the demo's supervisor puts apart from this peer, by its channel: the demo splits its mesh with it. */
function refusedByParent(): ReadonlySet<string> {
  const refused = new Set<string>();
  process.on('message', (message: unknown) => {
    const { apart } = message as { apart?: readonly string[] };
    if (apart === undefined) return;
    refused.clear();
    for (const peer of apart) refused.add(peer);
  });
  return refused;
}

/** Resolves at the first signal, or when the parent's channel closes. */
function stopRequest(log: Log): Promise<void> {
  return new Promise((resolve) => {
    onStopSignal((signal) => {
      log.write({ type: 'stopping', reason: signal }, `stopping (${signal}); once more to stop at once`);
      resolve();
    });
    process.once('disconnect', () => resolve());
  });
}

async function stop(server: PeerServer, log: Log): Promise<never> {
  const late = setTimeout(() => {
    process.stderr.write(`ringmesh: error: the peer did not stop within ${stopWithinMs / 1000} s [TIMEOUT]\n`);
    process.exit(1);
  }, stopWithinMs);
  await server.stop(requestsEndWithinMs);
  clearTimeout(late);
  log.write({ type: 'stopped' }, 'stopped');
  process.exit(0);
}

function announce(settings: ServeSettings, server: PeerServer, log: Log): void {
  const status = server.peer.status();
  const entry = {
    type: 'serving',
    peer: server.peer.id,
    cluster: status.cluster,
    version: status.version,
    gateway: server.gatewayUrl,
    addresses: status.addresses,
    data: settings.data ?? null,
  };
  const [first, ...others] = status.addresses;
  const lines = facts(
    [
      ['peer', server.peer.id],
      ['gateway', server.gatewayUrl],
      ...(server.hasPage ? [['page', `${server.gatewayUrl}/`] as const] : []),
      ['data', settings.data ?? 'in memory only: gone when this peer stops (see --data)'],
      ['addresses', first ?? 'none'],
      ...others.map((address) => ['', address] as const),
    ],
    '  ',
  );
  const join =
    first === undefined ? '' : `\n\nAnother peer joins with:\n  ${programCall()} serve --port 0 --data FOLDER --bootstrap ${first}\n`;
  log.write(entry, `ringmesh ${status.version} · cluster ${status.cluster}\n${lines}${join}`);
}

function readyText(server: PeerServer): string {
  const { alive } = server.peer.status().members;
  return `ready: ${alive === 1 ? 'this peer is alone so far' : `${alive} peers are alive`}`;
}
