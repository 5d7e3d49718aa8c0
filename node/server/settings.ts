/** What `ringmesh serve` was told. */

import type { BucketOptions, DurabilityClass } from 'ringmesh';

export type LogFormat = 'text' | 'json' | 'none';

export interface ServeSettings {
  readonly cluster: string;
  readonly data?: string;
  readonly port: number;
  readonly gatewayHost: string;
  readonly listen?: readonly string[];
  readonly announce?: readonly string[];
  readonly bootstrap?: readonly string[];
  readonly hostLabel?: string;
  /** The dead member whose place the peer takes. */
  readonly replace?: string;
  /** Class and milliseconds. */
  readonly removeAfter?: readonly (readonly [DurabilityClass, number])[];
  readonly zone?: string;
  readonly class?: DurabilityClass;
  readonly weight?: number | 'auto';
  readonly partitions?: number;
  readonly durableMin?: number;
  readonly allowOrigin?: readonly string[];
  readonly allowHost?: readonly string[];
  /** Whether the gateway serves the page that shows the mesh. */
  readonly page: boolean;
  /** Where the demo's supervisor listens, with its token as the fragment. */
  readonly supervisor?: string;
  readonly log: LogFormat;
  readonly buckets: ReadonlyMap<string, BucketOptions>;
}
