/** What every request's machine works with: one peer's parts, handed in so that each can be read and tested alone. */

import type { Calls } from './calls.ts';
import type { CoreEvent } from './events.ts';
import type { Hedging } from './hedging.ts';
import type { Random } from './random.ts';
import type { Replica } from './replica.ts';
import type { MembersView } from './targets.ts';
import type { Timers } from './timers.ts';

export interface Environment {
  readonly calls: Calls;
  readonly timers: Timers;
  readonly hedging: Hedging;
  readonly replica: Replica;
  readonly members: MembersView;
  readonly random: Random;
  readonly emit: (event: CoreEvent) => void;
  /** Numbers the gets and puts of this peer. */
  readonly nextRun: () => number;
  /** Whether anyone wants the events: those of requests are made for nobody else. */
  readonly watched: () => boolean;
  /** Those that this peer has copied from know that it owns its places: until then its copies count in no strict request. */
  readonly confirmed: () => boolean;
}
