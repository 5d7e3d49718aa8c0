/**
 * The entry `ringmesh/node`: a ready-made peer for Node.js, with LevelDB, TCP and WebSocket.
 */

import './adapters/polyfill.ts';

import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { measuredWeight } from './adapters/capacity.ts';
import { systemClock, systemRandom } from './adapters/clock.ts';
import { createIdentity, type KeyIdentity, loadIdentity, saveIdentity } from './adapters/identity.ts';
import { type Rescue, withRescue } from './adapters/level-rescue.ts';
import { clusterDht } from './adapters/libp2p-dht.ts';
import { nodeTransports } from './adapters/libp2p-node.ts';
import { relayServer } from './adapters/libp2p-relayed.ts';
import { createLibp2pNetwork } from './adapters/libp2p.ts';
import { openMemoryStorage } from './adapters/memory.ts';
import type { DurabilityClass, MeshPeer } from './api.ts';
import { clusterName } from './core/member-table.ts';
import { Mesh } from './mesh.ts';
import {
  checkPeerOptions,
  commonOptions,
  describeSelf,
  hintLimits,
  meshOptions,
  type PeerOptions,
  type PlatformDefaults,
  probeTimes,
  removeAfter,
} from './peer-options.ts';
import type { Storage } from './ports.ts';
import { Runtime } from './runtime.ts';

export * from './api.ts';
export { version } from './version.ts';

export interface NodePeerOptions extends Omit<PeerOptions, 'weight'> {
  /** Tokens on the ring, 0 to 1024; `auto`: by the disk and memory of the machine, measured at the first start. Default 128. */
  readonly weight?: number | 'auto';
  /** Holds the LevelDB and the identity. Without it both live in memory and are gone with the process. */
  readonly folder?: string;
  /** Multiaddrs. Default: a free TCP and a free WebSocket port on loopback. */
  readonly listen?: readonly string[];
  /** Multiaddrs that others are told instead. */
  readonly announce?: readonly string[];
  /** Peers with one label fail together and never hold two copies while there are other hosts. Default: the peer's own id, so that each peer counts as a host. */
  readonly host?: string;
  /** Default `server` with a folder, `ephemeral` without. */
  readonly class?: DurabilityClass;
  /** Peers to have no connection with, asked again and again: what there is with them is closed. Default: none. */
  readonly refuse?: (peer: string) => boolean;
  /** A dead member, by its id or an end of it that no other has, whose place on the ring this peer takes when it joins. */
  readonly replaces?: string;
  /** Base URL of this peer's HTTP gateway, told to the others. */
  readonly gateway?: string;
}

const defaultWeight = 128;

type PlacedOptions = NodePeerOptions & { readonly weight: number };

/** Starts a peer: resolves when it serves requests. `ready()` of the peer tells when it has found the others. */
export async function createPeer({ weight, ...rest }: NodePeerOptions = {}): Promise<MeshPeer> {
  const { folder } = rest;
  const options = { ...rest, weight: weight === 'auto' ? await measuredWeight(folder) : (weight ?? defaultWeight) };
  checkPeerOptions(options);
  if (folder === undefined) return startPeer(options, openMemoryStorage(), createIdentity());
  return withRescue(join(folder, 'records'), async (storage, rescue) => startPeer(options, storage, await identityIn(folder), rescue));
}

/** The caller closes the storage when it rejects. */
async function startPeer(options: PlacedOptions, storage: Storage, identity: KeyIdentity, rescue?: Rescue): Promise<MeshPeer> {
  const { cluster, bootstrap, partitions, durableMin } = commonOptions(options);
  const runtime = new Runtime({
    clock: systemClock,
    storage,
    network: createLibp2pNetwork({
      cluster: clusterName({ cluster, partitions, durableMin }),
      privateKey: identity.privateKey,
      transports: nodeTransports(),
      listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
      ...(options.announce === undefined ? {} : { announce: options.announce }),
      ...(options.refuse === undefined ? {} : { refuse: options.refuse }),
      bootstrap,
      onEvent: (event) => {
        if (event.type === 'dial-failed') runtime.notReached(event.address ?? event.peer ?? '', event.error);
      },
      dht: clusterDht,
      services: { relay: relayServer() },
    }),
    peer: {
      cluster,
      partitions,
      durableMin,
      founder: bootstrap.length === 0,
      removeAfterMs: removeAfter(options),
      ...(options.replaces === undefined ? {} : { replaces: options.replaces }),
      identity,
      self: describeSelf(options, selfDefaults(identity, storage)),
      times: probeTimes(options),
      hints: hintLimits(options),
      random: systemRandom,
    },
  });
  await runtime.start();
  const mesh = new Mesh(runtime, { ...meshOptions(options), warnings: rescue === undefined ? [] : [rescue.message] });
  // Trees that are not what is left of their records would hide what is missing.
  if (rescue?.action === 'repaired') mesh.scrub().catch(() => {});
  return mesh;
}

const selfDefaults = (identity: KeyIdentity, storage: Storage): PlatformDefaults => ({
  host: identity.peerId,
  zone: hostname(),
  class: storage.durable ? 'server' : 'ephemeral',
  weight: defaultWeight,
});

/** The key in the folder, made at the first start. It is written under another name first, so that a crash leaves a whole key or none. */
async function identityIn(folder: string): Promise<KeyIdentity> {
  const file = join(folder, 'peer.key');
  try {
    return loadIdentity(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const identity = createIdentity();
  await mkdir(folder, { recursive: true });
  await writeFile(`${file}.new`, saveIdentity(identity), { mode: 0o600 });
  await rename(`${file}.new`, file);
  await chmod(file, 0o600);
  return identity;
}
