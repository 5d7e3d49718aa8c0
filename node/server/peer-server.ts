/**
 * A peer with its gateway, as one thing that starts and stops. The gateway's port is bound first, since the peer announces its address; a failure after
 * that gives the port back.
 */

import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import { createPeer, type MeshEvent, type MeshPeer } from 'ringmesh/node';
import { checkFolder } from '../cli/data-folder.ts';
import { CliError, codeOf } from '../cli/errors.ts';
import { createApp } from '../gateway/app.ts';
import { BodyReader } from '../gateway/body.ts';
import { EventStreams } from '../gateway/events.ts';
import { createMetrics } from '../gateway/metrics.ts';
import { readPage } from '../gateway/page.ts';
import { bindServer, type GatewayServer } from '../gateway/server.ts';
import { pageFolder } from '../package-files.ts';
import type { ServeSettings } from './settings.ts';

export interface PeerServer {
  readonly peer: MeshPeer;
  readonly gatewayUrl: string;
  /** Whether the gateway shows the mesh as a page. */
  readonly hasPage: boolean;
  /** Resolves when the peer knows its ring; rejects with CLOSED when it is stopped before. */
  readonly ready: Promise<void>;
  /** Ends requests under way within the bound, then leaves the mesh. */
  stop(withinMs: number): Promise<void>;
}

export interface PeerServerHooks {
  onEvent(event: MeshEvent): void;
  onBug(error: unknown): void;
  /** Peers to have no connection with. */
  refuses(peer: string): boolean;
}

export async function startPeerServer(settings: ServeSettings, hooks: PeerServerHooks): Promise<PeerServer> {
  if (settings.data !== undefined) await checkFolder(settings.data);
  const server = await bind(settings);
  const gatewayUrl = announcedUrl(settings.gatewayHost, server.port);
  let peer: MeshPeer;
  try {
    peer = await openPeer(settings, gatewayUrl, hooks);
  } catch (error) {
    await server.close(0);
    throw error;
  }
  return serve(settings, hooks, server, peer, gatewayUrl);
}

async function serve(
  settings: ServeSettings,
  hooks: PeerServerHooks,
  server: GatewayServer,
  peer: MeshPeer,
  gatewayUrl: string,
): Promise<PeerServer> {
  const page = settings.page ? await readPage(pageFolder) : undefined;
  peer.onEvent(hooks.onEvent);
  const metrics = createMetrics(peer);
  const events = new EventStreams(peer);
  let isReady = false;
  const ready = readyWhenever(peer).then(() => {
    isReady = true;
  });
  const stopping = new AbortController();
  const gateway = { stopping: stopping.signal, peer, buckets: settings.buckets, bodies: new BodyReader(), isReady: () => isReady };
  const app = createApp({ gateway, metrics, events, page, onBug: hooks.onBug, supervisor: settings.supervisor });
  server.open((request, env) => app.fetch(request, env), metrics.countAnswer);
  return {
    peer,
    gatewayUrl,
    hasPage: page !== undefined,
    ready,
    stop: async (withinMs) => {
      isReady = false;
      events.close();
      stopping.abort();
      await server.close(withinMs);
      metrics.close();
      await peer.close();
    },
  };
}

/** A mesh that is down now may come up in an hour: waits as long as the peer runs. */
async function readyWhenever(peer: MeshPeer): Promise<void> {
  for (;;) {
    try {
      return await peer.ready();
    } catch (error) {
      if (codeOf(error) !== 'TIMEOUT') throw error;
    }
  }
}

function openPeer(settings: ServeSettings, gatewayUrl: string, hooks: PeerServerHooks): Promise<MeshPeer> {
  return createPeer({
    cluster: settings.cluster,
    removeAfterMs: Object.fromEntries(settings.removeAfter ?? []),
    ...(settings.replace === undefined ? {} : { replaces: settings.replace }),
    gateway: gatewayUrl,
    ...(settings.supervisor === undefined ? {} : { refuse: (other) => hooks.refuses(other) }),
    buckets: Object.fromEntries(settings.buckets),
    ...(settings.data === undefined ? {} : { folder: resolve(settings.data) }),
    ...(settings.listen === undefined ? {} : { listen: settings.listen }),
    ...(settings.announce === undefined ? {} : { announce: settings.announce }),
    ...(settings.bootstrap === undefined ? {} : { bootstrap: settings.bootstrap }),
    ...(settings.hostLabel === undefined ? {} : { host: settings.hostLabel }),
    ...(settings.zone === undefined ? {} : { zone: settings.zone }),
    ...(settings.class === undefined ? {} : { class: settings.class }),
    ...(settings.weight === undefined ? {} : { weight: settings.weight }),
    ...(settings.partitions === undefined ? {} : { partitions: settings.partitions }),
    ...(settings.durableMin === undefined ? {} : { durableMin: settings.durableMin }),
  });
}

async function bind(settings: ServeSettings): Promise<GatewayServer> {
  const { gatewayHost, port } = settings;
  try {
    return await bindServer(gatewayHost, port, { allowHosts: settings.allowHost ?? [], allowOrigins: settings.allowOrigin ?? [] });
  } catch (error) {
    const place = `port ${port} of ${gatewayHost}`;
    switch (codeOf(error)) {
      case 'EADDRINUSE':
        throw new CliError('ADDRESS_IN_USE', `${place} is in use; choose another with --port (0 takes any free one)`);
      case 'EACCES':
        throw new CliError('ADDRESS_FORBIDDEN', `${place} may not be used by this user; choose one above 1023 with --port`);
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        throw new CliError('ADDRESS_INVALID', `this machine has no address ${gatewayHost}; see --gateway-host`);
      default:
        throw error;
    }
  }
}

/** A base address that others can use: a gateway bound to all addresses announces the first that is not loopback. */
function announcedUrl(host: string, port: number): string {
  if (host !== '0.0.0.0' && host !== '::') return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const outside = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const address = outside.find((candidate) => candidate.family === 'IPv4' && !candidate.internal)?.address ?? '127.0.0.1';
  return `http://${address}:${port}`;
}
