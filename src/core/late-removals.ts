/**
 * Members that will not come back: who has been dead for longer than its class may be is removed (MB2), by the first of the members that are alive; the others would do so
 * when that one is gone.
 */

import type { DurabilityClass, Instant, PeerId } from './ids.ts';
import { type MemberTable, stateOf } from './member-table.ts';

/** In milliseconds; absent: for ever. */
export type RemoveAfter = Readonly<Partial<Record<DurabilityClass, number>>>;

/** A server comes back; a tab that has been closed for a while does not. */
export const defaultRemoveAfter: RemoveAfter = { tab: 15 * 60_000, ephemeral: 60_000 };

export class LateRemovals {
  readonly #self: PeerId;
  readonly #table: MemberTable;
  readonly #after: RemoveAfter;
  readonly #deadSince = new Map<PeerId, number>();

  constructor(self: PeerId, table: MemberTable, after: RemoveAfter = defaultRemoveAfter) {
    this.#self = self;
    this.#table = table;
    this.#after = after;
  }

  /** Whom this peer is to remove now. Called now and then, for it notes who is dead. */
  due(now: Instant): PeerId[] {
    let isFirst = this.#table.get(this.#self)?.signed.record.status === 'up';
    const late: PeerId[] = [];
    for (const member of this.#table.all()) {
      const { peer, class: durability, status } = member.signed.record;
      const state = stateOf(member);
      if (state !== 'dead') {
        this.#deadSince.delete(peer);
        if (state === 'alive' && status === 'up' && peer < this.#self) isFirst = false;
        continue;
      }
      const since = this.#deadSince.get(peer) ?? now.mono;
      this.#deadSince.set(peer, since);
      if (now.mono - since > (this.#after[durability] ?? Infinity)) late.push(peer);
    }
    return isFirst ? late : [];
  }
}
