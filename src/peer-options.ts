/**
 * The options that peers of every platform take, their checks and their defaults. What differs between a server and a tab (where the data lives, how the
 * others are reached) is in `node.ts` and `browser.ts`.
 */

import type { BucketOptions, DurabilityClass } from './api.ts';
import { bucketOptions, checkBucketName } from './bucket.ts';
import { MeshError } from './core/errors.ts';
import { defaultHintLimits, type HintLimits } from './core/hint-index.ts';
import { limits } from './core/limits.ts';
import { defaultRemoveAfter, type RemoveAfter } from './core/late-removals.ts';
import { defaultDurableMin } from './core/member-table.ts';
import type { SelfDescription } from './core/own-record.ts';
import { defaultProbeTimes, type ProbeTimes } from './core/prober.ts';
import { defaultPartitions } from './core/ring.ts';
import type { MeshOptions } from './mesh.ts';

export interface PeerOptions {
  /** Peers of one cluster name find each other. Default `ringmesh`. */
  readonly cluster?: string;
  /** Multiaddrs of peers to join through. */
  readonly bootstrap?: readonly string[];
  readonly zone?: string;
  /** Tokens on the ring, 0 to 1024; 0 coordinates but stores nothing. Default 128 for a Node.js peer, 32 for a tab. */
  readonly weight?: number;
  /** A power of two, the same for all peers of a cluster for ever. Default 4096. */
  readonly partitions?: number;
  /** Copies of each key on peers of class `server`, where there are such; the same for all peers of a cluster for ever. Default 2. */
  readonly durableMin?: number;
  readonly probeIntervalMs?: number;
  /** From the first suspicion to the declaration of death. */
  readonly suspicionMs?: number;
  /** What is kept for peers that cannot be reached, at the most. Default 100,000 hints, 256 MiB, 3 hours. */
  readonly hints?: { readonly max?: number; readonly maxBytes?: number; readonly maxAgeMs?: number };
  /**
   * For how many milliseconds a member of a class may be dead before the others remove it and own its part; it joins anew when it comes back. Default: tabs for 15
   * minutes, ephemeral peers for one, servers for ever.
   */
  readonly removeAfterMs?: Readonly<Partial<Record<DurabilityClass, number>>>;
  /** Options of buckets by name. */
  readonly buckets?: Readonly<Record<string, BucketOptions>>;
}

/** What the platform adds before the options are checked: an explicit option wins. */
export interface PlatformDefaults {
  readonly host: string;
  readonly zone: string;
  readonly class: DurabilityClass;
  readonly weight: number;
}

type Described = PeerOptions & { readonly host?: string; readonly class?: DurabilityClass; readonly gateway?: string };

/** Options with the defaults that no platform changes. */
export const commonOptions = (options: PeerOptions) => {
  const { cluster = 'ringmesh', bootstrap = [], partitions = defaultPartitions, durableMin = defaultDurableMin } = options;
  return { cluster, bootstrap, partitions, durableMin };
};

export function describeSelf(options: Described, defaults: PlatformDefaults): SelfDescription {
  const { host = defaults.host, zone = defaults.zone, weight = defaults.weight, gateway = '' } = options;
  return { host, zone, weight, gateway, class: options.class ?? defaults.class };
}

export const hintLimits = (options: PeerOptions): HintLimits => ({ ...defaultHintLimits, ...options.hints });

export function probeTimes(options: PeerOptions): ProbeTimes {
  const { probeIntervalMs = defaultProbeTimes.probeIntervalMs, suspicionMs = defaultProbeTimes.suspicionMs } = options;
  return { probeIntervalMs, suspicionMs, probeTimeoutMs: Math.max(100, Math.round(probeIntervalMs * 0.6)) };
}

/** What an option does not name keeps its default. */
export const removeAfter = ({ removeAfterMs }: PeerOptions): RemoveAfter => ({ ...defaultRemoveAfter, ...removeAfterMs });

export function meshOptions(options: PeerOptions): MeshOptions {
  const { cluster, durableMin, bootstrap } = commonOptions(options);
  return { cluster, durableMin, hasBootstrap: bootstrap.length > 0, buckets: new Map(Object.entries(options.buckets ?? {})) };
}

/** Throws `OPTION_INVALID`, `QUORUM_INVALID` or `BUCKET_INVALID`. */
export function checkPeerOptions(options: Described): void {
  const { cluster, partitions, durableMin } = commonOptions(options);
  const { weight = 0, host = '', zone = '' } = options;
  const check = (holds: boolean, message: string): void => {
    if (!holds) throw new MeshError('OPTION_INVALID', message);
  };
  check(/^[^\0/]{1,64}$/.test(cluster), 'a cluster name has 1 to 64 characters and no slash');
  check(
    Number.isInteger(Math.log2(partitions)) && partitions >= 2 && partitions <= 65_536,
    'partitions must be a power of two from 2 to 65536',
  );
  check(
    Number.isInteger(weight) && weight >= 0 && weight <= limits.weightMax,
    `weight must be a whole number from 0 to ${limits.weightMax}`,
  );
  for (const [name, value] of Object.entries(hintLimits(options)))
    check(Number.isSafeInteger(value) && value >= 0, `hints.${name} must be a whole number, 0 or more`);
  check(
    Number.isInteger(durableMin) && durableMin >= 0 && durableMin <= limits.replicasMax,
    `durableMin must be a whole number from 0 to ${limits.replicasMax}`,
  );
  check(Math.max(host.length, zone.length) <= limits.labelMaxBytes, `labels have at most ${limits.labelMaxBytes} characters`);
  for (const [name, bucket] of Object.entries(options.buckets ?? {})) {
    checkBucketName(name);
    bucketOptions(bucket);
  }
}
