/** What this peer does with the calls of other peers, and with those that it makes to itself. */

import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { serveCompare, serveFetchMany, serveLeaves } from './exchange.ts';
import { addressOf } from './hash.ts';
import type { Instant, PeerId } from './ids.ts';
import type { Looks } from './looks.ts';
import type { Membership } from './membership.ts';
import type { Answer, Call } from './messages.ts';
import { PutsServed } from './puts-served.ts';
import { serveReap } from './reaper.ts';
import { clockOf, recordSize } from './record.ts';
import type { Takeover } from './takeover.ts';
import { Watchers } from './watchers.ts';
import type { Watches } from './watches.ts';

export interface ServingParts {
  readonly env: Environment;
  readonly membership: Membership;
  readonly takeover: Takeover;
  readonly looks: Looks;
  readonly watches: Watches;
}

const otherOwners = new MeshError('RING_DIFFERS', 'the key has other owners by the ring of this peer');
const notCopied = new MeshError('NOT_OWNER', 'this peer has not copied the partition of the key yet');

export class Serving {
  readonly #parts: ServingParts;
  readonly #puts: PutsServed;
  readonly #watchers: Watchers;

  constructor(parts: ServingParts) {
    this.#parts = parts;
    this.#puts = new PutsServed(parts.env);
    this.#watchers = new Watchers(parts.env);
    parts.env.replica.records.committed = (now, address, record) => this.#watchers.committed(now, address, record);
  }

  /** Whether this peer sees the same owners as the quorum in which its answer is to count; always when it is to count in none. */
  #agreesOn({ bucket, key, n, among }: Pick<Extract<Call, { type: 'fetch' }>, 'bucket' | 'key' | 'n' | 'among'>): boolean {
    if (among === undefined) return true;
    const { membership, takeover } = this.#parts;
    const { placement } = membership;
    return !takeover.isUnconfirmed && placement.nameOf(placement.partition(addressOf(bucket, key).position), n) === among;
  }

  /** Whether this peer has all that an owner of the key has; asked of owners only. */
  #isVerified({ bucket, key, n }: Extract<Call, { type: 'fetch' }>): boolean {
    const { membership, takeover } = this.#parts;
    return n === 0 || takeover.owns(membership.placement.partition(addressOf(bucket, key).position), n);
  }

  serve(now: Instant, from: PeerId, call: Call, answer: (now: Instant, answer: Answer) => void): void {
    const { env, membership, takeover, looks, watches } = this.#parts;
    const { replica } = env;
    const refuse = (then: Instant, { code, message }: MeshError): void => answer(then, { type: 'refused', code, message });
    switch (call.type) {
      case 'put':
        return this.#puts.serve(now, call.command, (then, result) => {
          if (result instanceof MeshError) refuse(then, result);
          else answer(then, { type: 'putDone', result });
        });
      case 'store':
        return replica.store(now, call, (then, error) => {
          if (error instanceof MeshError) return refuse(then, error);
          answer(then, { type: 'stored', durable: replica.durable, agrees: this.#agreesOn(call) });
        });
      case 'fetch': {
        if (!this.#agreesOn(call)) return refuse(now, otherOwners);
        const isVerified = this.#isVerified(call);
        if (!isVerified && call.among !== undefined) return refuse(now, notCopied);
        return replica.fetch(call, (then, record) => {
          if (record instanceof MeshError) refuse(then, record);
          // That it has nothing is no evidence of absence.
          else if (!isVerified && record.context.length === 0) refuse(then, notCopied);
          else if (recordSize(record) > (call.wholeMaxBytes ?? Infinity)) answer(then, { type: 'clock', clock: clockOf(record) });
          else answer(then, { type: 'fetched', record });
        });
      }
      case 'list':
        return replica.list(call, (then, page) => {
          if (page instanceof MeshError) refuse(then, page);
          else answer(then, { type: 'listed', ...page });
        });
      case 'compare':
        return serveCompare(env, now, from, call, answer);
      case 'leaves':
        return serveLeaves(env, now, call, answer);
      case 'fetchMany':
        return serveFetchMany(env, now, call, answer);
      case 'reap':
        return serveReap(env, now, call, answer);
      case 'holdings':
        return looks.holdings((then, holdings) => {
          if (holdings instanceof MeshError) refuse(then, holdings);
          else answer(then, { type: 'holdings', holdings });
        });
      case 'copy':
        return looks.copy(call.bucket, call.key, (then, copy) => {
          if (copy instanceof MeshError) refuse(then, copy);
          else answer(then, { type: 'copied', ...copy });
        });
      case 'takeover': {
        const counts = replica.records.trees.replicaCounts;
        return answer(now, { type: 'takenOver', progress: takeover.progress(call.placement), counts });
      }
      case 'probe':
        return answer(now, { type: 'probed', alive: true });
      case 'probeFor':
        return membership.probeFor(now, call.target, (then, alive) => answer(then, { type: 'probed', alive }));
      case 'sync':
        return answer(now, membership.compared(from, call.view, call.parts));
      case 'watch':
        return answer(now, this.#watchers.watch(now, from, call.filters));
      case 'changed':
        return answer(now, watches.changed(now, from, call.entries));
    }
  }
}
