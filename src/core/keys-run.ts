/**
 * One page of a bucket's keys: every reachable peer lists its own, sorted; the answers are merged by key and by version, so that a key deleted at one
 * replica is not listed because another one is behind. A page ends where the shortest answer that has more to come ends.
 */

import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import type { Listed } from './messages.ts';
import { liveSiblings, type RecordSet } from './record.ts';
import { merge } from './versions.ts';

export interface KeysCommand {
  readonly bucket: string;
  readonly prefix: ByteString;
  readonly after: ByteString | undefined;
  readonly limit: number;
  readonly n: number;
  readonly budgetMs: number;
}

export interface KeysOutcome {
  readonly keys: readonly ByteString[];
  /** The next page begins after this key; undefined on the last page. */
  readonly next: ByteString | undefined;
  /** Every partition had a primary that answered. */
  readonly complete: boolean;
}

type Reply = (now: Instant, result: KeysOutcome | MeshError) => void;

export class KeysRun {
  readonly #env: Environment;
  readonly #command: KeysCommand;
  readonly #reply: Reply;
  readonly #merged = new Map<ByteString, RecordSet>();
  readonly #answered = new Set<PeerId>();
  #outstanding = 0;
  #horizon: ByteString | undefined;
  #done = false;

  constructor(env: Environment, command: KeysCommand, reply: Reply) {
    this.#env = env;
    this.#command = command;
    this.#reply = reply;
  }

  start(now: Instant): void {
    const { members, calls } = this.#env;
    const { bucket, prefix, after, limit, budgetMs } = this.#command;
    const peers = members.placement.ring.members.map((member) => member.peer).filter((peer) => calls.linked(peer));
    if (peers.length === 0) return this.#reply(now, new MeshError('UNREACHABLE', 'no peer that holds data can be reached'));
    this.#outstanding = peers.length;
    for (const peer of peers) {
      const options = { timeoutMs: budgetMs, ring: members.placement.digest };
      calls.ask(now, peer, { type: 'list', bucket, prefix, after, limit }, options, (then, result) => {
        if (typeof result === 'object' && result.type === 'listed') this.#take(peer, result.entries, result.more);
        if (--this.#outstanding === 0) this.#finish(then);
      });
    }
  }

  #take(peer: PeerId, entries: readonly Listed[], more: boolean): void {
    this.#answered.add(peer);
    for (const { key, record } of entries) {
      const known = this.#merged.get(key);
      this.#merged.set(key, known === undefined ? record : merge(known, record));
    }
    // What this peer has not said yet may hold any key after its last one.
    const last = entries.at(-1)?.key;
    if (more && last !== undefined && (this.#horizon === undefined || last < this.#horizon)) this.#horizon = last;
  }

  #finish(now: Instant): void {
    if (this.#done) return;
    this.#done = true;
    if (this.#answered.size === 0) return this.#reply(now, new MeshError('UNREACHABLE', 'no peer that holds data has answered'));
    const known = [...this.#merged.keys()].filter((key) => this.#horizon === undefined || key <= this.#horizon).sort();
    const page = known.slice(0, this.#command.limit);
    const live = page.filter((key) => liveSiblings(this.#merged.get(key) ?? { context: [], siblings: [] }, now.wall).length > 0);
    const more = this.#horizon !== undefined || page.length < known.length;
    this.#reply(now, { keys: live, next: more ? page.at(-1) : undefined, complete: this.#covered() });
  }

  #covered(): boolean {
    const { placement } = this.#env.members;
    if (placement.ring.members.every((member) => this.#answered.has(member.peer))) return true;
    for (let partition = 0; partition < placement.ring.partitions; partition++) {
      if (!placement.primaries(partition, this.#command.n).some((peer) => this.#answered.has(peer))) return false;
    }
    return true;
  }

  abort(): void {
    this.#done = true;
  }
}
