/** All that a run consists of while it goes on: the peers, the network between them, the clients, and what is noted. */

import type { DriverOptions } from './options.ts';
import type { Recorder } from './history-client.ts';
import type { MeshNetwork } from './network.ts';
import { type LogEntry, PeerProcess } from './peer-process.ts';
import { createNamespaces } from './network-namespaces.ts';
import { createProxies } from './network-proxies.ts';
import { awaitWhole } from './convergence.ts';

export interface Scene {
  readonly peers: readonly PeerProcess[];
  readonly network: MeshNetwork;
  /** How often a peer was suspected or taken for dead so far, by any other. */
  readonly doubts: () => number;
  close(): Promise<void>;
}

/** Starts the peers and waits until they are one mesh. */
export async function openScene(options: DriverOptions, folder: string, recorder: Recorder, say: (text: string) => void): Promise<Scene> {
  const peers: PeerProcess[] = [];
  const network =
    options.network === 'namespaces'
      ? await createNamespaces(options.peers)
      : await createProxies(options.peers, (index) => peers[index]?.pid);
  let doubts = 0;
  const onEntry = (entry: LogEntry): void => {
    if (entry.type === 'member' && (entry.state === 'suspect' || entry.state === 'dead')) doubts++;
  };
  const onFailure = (message: string): void => recorder.report('exception', '', message);
  const bootstrap = network.places.map((place) => place.announce);
  for (const [index, place] of network.places.entries())
    peers.push(new PeerProcess({ index, place, bootstrap, folder, onEntry, onFailure, say }));
  await Promise.all(peers.map((peer) => peer.start()));
  await awaitWhole(peers);
  return {
    peers,
    network,
    doubts: () => doubts,
    async close() {
      await Promise.all(peers.map((peer) => peer.kill()));
      network.close();
    },
  };
}
