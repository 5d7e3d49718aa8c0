/**
 * The entry `ringmesh/node`: a ready-made peer for Node.js, with LevelDB, TCP and WebSocket.
 */

import './adapters/polyfill.ts';

import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { systemClock, systemRandom } from './adapters/clock.ts';
import { createIdentity, type KeyIdentity, loadIdentity, saveIdentity } from './adapters/identity.ts';
import { openLevelStorage } from './adapters/level.ts';
import { nodeTransports } from './adapters/libp2p-node.ts';
import { createLibp2pNetwork } from './adapters/libp2p.ts';
import { openMemoryStorage } from './adapters/memory.ts';
import type { BucketOptions, DurabilityClass, MeshPeer } from './api.ts';
import { bucketOptions, checkBucketName } from './bucket.ts';
import { MeshError } from './core/errors.ts';
import { limits } from './core/limits.ts';
import { defaultProbeTimes } from './core/prober.ts';
import { defaultPartitions } from './core/ring.ts';
import { Mesh } from './mesh.ts';
import type { Storage } from './ports.ts';
import { Runtime } from './runtime.ts';

export * from './api.ts';
export { version } from './version.ts';

export interface NodePeerOptions {
  /** Peers of one cluster name find each other. Default `ringmesh`. */
  readonly cluster?: string;
  /** Holds the LevelDB and the identity. Without it both live in memory and are gone with the process. */
  readonly folder?: string;
  /** Multiaddrs. Default: a free TCP and a free WebSocket port on loopback. */
  readonly listen?: readonly string[];
  /** Multiaddrs that others are told instead. */
  readonly announce?: readonly string[];
  /** Multiaddrs of peers to join through. */
  readonly bootstrap?: readonly string[];
  /** Peers with one label fail together and never hold two copies while there are other hosts. Default: the peer's own id, so that each peer counts as a host. */
  readonly host?: string;
  readonly zone?: string;
  /** Default `server` with a folder, `ephemeral` without. */
  readonly class?: DurabilityClass;
  /** Tokens on the ring, 0 to 1024; 0 coordinates but stores nothing. Default 128. */
  readonly weight?: number;
  /** Base URL of this peer's HTTP gateway, told to the others. */
  readonly gateway?: string;
  /** A power of two, the same for all peers of a cluster for ever. Default 4096. */
  readonly partitions?: number;
  /** Copies of each key on peers of class `server`, where there are such. Default 2. */
  readonly durableMin?: number;
  readonly probeIntervalMs?: number;
  /** From the first suspicion to the declaration of death. */
  readonly suspicionMs?: number;
  /** Options of buckets by name. */
  readonly buckets?: Readonly<Record<string, BucketOptions>>;
}

const defaultWeight = 128;

/** Starts a peer: resolves when it serves requests. `ready()` of the peer tells when it has found the others. */
export async function createPeer(options: NodePeerOptions = {}): Promise<MeshPeer> {
  const { cluster = 'ringmesh', folder, partitions = defaultPartitions, durableMin = 2, bootstrap = [] } = options;
  checkOptions(options);
  const storage = folder === undefined ? openMemoryStorage() : await openLevelStorage(join(folder, 'records'));
  try {
    const identity = folder === undefined ? createIdentity() : await identityIn(folder);
    const runtime = new Runtime({
      clock: systemClock,
      storage,
      network: createLibp2pNetwork({
        cluster,
        privateKey: identity.privateKey,
        transports: nodeTransports(),
        listen: options.listen ?? ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'],
        ...(options.announce === undefined ? {} : { announce: options.announce }),
        bootstrap,
        dht: 'server',
      }),
      peer: { cluster, partitions, durableMin, identity, self: describeSelf(options, identity, storage), times: probeTimes(options), random: systemRandom },
    });
    await runtime.start();
    const buckets = new Map(Object.entries(options.buckets ?? {}));
    return new Mesh(runtime, { cluster, durableMin, hasBootstrap: bootstrap.length > 0, buckets });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function describeSelf(options: NodePeerOptions, identity: KeyIdentity, storage: Storage) {
  const { host = identity.peerId, zone = hostname(), weight = defaultWeight, gateway = '' } = options;
  return { host, zone, weight, gateway, class: options.class ?? (storage.durable ? 'server' : 'ephemeral') } as const;
}

function probeTimes(options: NodePeerOptions) {
  const { probeIntervalMs = defaultProbeTimes.probeIntervalMs, suspicionMs = defaultProbeTimes.suspicionMs } = options;
  return { probeIntervalMs, suspicionMs, probeTimeoutMs: Math.max(100, Math.round(probeIntervalMs * 0.6)) };
}

function checkOptions(options: NodePeerOptions): void {
  const { cluster = 'ringmesh', partitions = defaultPartitions, weight = defaultWeight, durableMin = 2, host = '', zone = '' } = options;
  const check = (holds: boolean, message: string): void => {
    if (!holds) throw new MeshError('OPTION_INVALID', message);
  };
  check(/^[^\0/]{1,64}$/.test(cluster), 'a cluster name has 1 to 64 characters and no slash');
  check(Number.isInteger(Math.log2(partitions)) && partitions >= 2 && partitions <= 65_536, 'partitions must be a power of two from 2 to 65536');
  check(Number.isInteger(weight) && weight >= 0 && weight <= limits.weightMax, `weight must be a whole number from 0 to ${limits.weightMax}`);
  check(Number.isInteger(durableMin) && durableMin >= 0, 'durableMin must be a whole number, 0 or more');
  check(Math.max(host.length, zone.length) <= limits.labelMaxBytes, `labels have at most ${limits.labelMaxBytes} characters`);
  for (const [name, bucket] of Object.entries(options.buckets ?? {})) {
    checkBucketName(name);
    bucketOptions(bucket);
  }
}

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
