/**
 * The watches of this peer, which need not store what it watches: it asks the replicas to tell it of what they commit (`watchers.ts` is their side), and one watch
 * for each asker makes news of that (`watching.ts`).
 *
 * Every version comes to all primaries of its key sooner or later, and each of them commits it; so none is missed as long as what each replica commits is seen, or
 * found out. A replica tells of all that it commits during one session. When the session is another one, or a replica is new, all that it has of what is
 * watched is listed and compared with what was told.
 */

import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import { addressOf } from './hash.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import { limits } from './limits.ts';
import type { Answer, Changed, Filter } from './messages.ts';
import type { Placement } from './placement.ts';
import { type Budget, type News, type WatchCommand, Watching } from './watching.ts';

/** A replica that tells this peer of what it commits. */
interface Source {
  session: number | undefined;
  isAsking: boolean;
  isListing: boolean;
  /** Watches that know all that it has, as long as the session is the same. */
  readonly compared: Set<Watching>;
}

interface Watch {
  readonly watching: Watching;
  /** Who is to tell of it. */
  sources: ReadonlySet<PeerId>;
}

const renewMs = 4000;
const askTimeoutMs = 3000;
const pageSize = 200;
/** A peer that has just started has no links yet, and one that is offline will have none. */
const linkPatienceMs = 3000;

export class Watches {
  readonly #env: Environment;
  readonly #tell: (id: number, news: News) => void;
  readonly #ended: (id: number, error: MeshError) => void;
  readonly #watches = new Map<number, Watch>();
  readonly #sources = new Map<PeerId, Source>();
  readonly #budget: Budget = { left: limits.watchedKeysMax };
  #digest = '';
  #isRenewing = false;

  /** `ended` is called once for each watch, with the reason. */
  constructor(env: Environment, tell: (id: number, news: News) => void, ended: (id: number, error: MeshError) => void) {
    this.#env = env;
    this.#tell = tell;
    this.#ended = ended;
  }

  begin(now: Instant, id: number, command: WatchCommand): void {
    if (this.#watches.size >= limits.watchesMax) {
      return this.#ended(id, new MeshError('OVERLOADED', `this peer has ${limits.watchesMax} watches already`));
    }
    const sources = this.#sourcesOf(command);
    const options = {
      env: this.#env,
      command,
      budget: this.#budget,
      tell: (news: News) => this.#tell(id, news),
      fail: (then: Instant, error: MeshError) => this.end(then, id, error),
      missed: (peer: PeerId) => this.#sources.get(peer)?.compared.delete(watching),
    };
    const { calls, members, timers } = this.#env;
    const awaited = [...sources].filter((peer) => calls.linked(peer) || members.believedAlive(peer));
    const watching: Watching = new Watching(options, awaited);
    this.#watches.set(id, { watching, sources });
    for (const peer of sources) this.#attend(now, peer);
    timers.at(now.mono + linkPatienceMs, (then) => {
      for (const peer of awaited) if (!calls.linked(peer)) watching.lookedAt(then, peer);
    });
    if (!this.#isRenewing) this.#renewLater(now);
  }

  end(now: Instant, id: number, reason: MeshError): void {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    this.#watches.delete(id);
    watch.watching.end(now);
    for (const source of this.#sources.values()) source.compared.delete(watch.watching);
    this.#ended(id, reason);
    for (const peer of watch.sources) this.#attend(now, peer);
  }

  /** Of one key those that store it, or may in their place; of a prefix everyone who stores anything; and this peer, which may keep something for others. */
  #sourcesOf({ bucket, key, exact, n }: WatchCommand): ReadonlySet<PeerId> {
    const { placement, self } = this.#env.members;
    return new Set([self, ...(exact ? around(placement, placement.partition(addressOf(bucket, key).position), n) : everyone(placement))]);
  }

  #renewLater(now: Instant): void {
    this.#isRenewing = true;
    this.#env.timers.at(now.mono + renewMs, (then) => {
      this.#isRenewing = false;
      for (const peer of [...this.#sources.keys()]) this.#attend(then, peer);
      if (this.#watches.size > 0) this.#renewLater(then);
    });
  }

  linkUp(now: Instant, peer: PeerId): void {
    this.#attend(now, peer);
  }

  ringMayHaveChanged(now: Instant): void {
    const { digest } = this.#env.members.placement;
    if (digest === this.#digest) return;
    this.#digest = digest;
    for (const watch of this.#watches.values()) watch.sources = this.#sourcesOf(watch.watching.command);
    const peers = new Set([...this.#sources.keys(), ...[...this.#watches.values()].flatMap(({ sources }) => [...sources])]);
    for (const peer of peers) this.#attend(now, peer);
  }

  #watchesAt(peer: PeerId): Watching[] {
    return [...this.#watches.values()].filter(({ sources }) => sources.has(peer)).map(({ watching }) => watching);
  }

  #filtersFor(peer: PeerId): Map<string, Filter> {
    const filters = new Map<string, Filter>();
    for (const { command } of this.#watchesAt(peer)) {
      const { bucket, key, exact } = command;
      filters.set(`${exact ? 'key' : 'prefix'} ${bucket} ${key}`, { bucket, key, exact });
    }
    return filters;
  }

  /** Tells a replica what is watched there, learns whether its session goes on, and looks at what it has if need be. */
  #attend(now: Instant, peer: PeerId): void {
    const filters = this.#filtersFor(peer);
    const source = this.#sources.get(peer) ?? { session: undefined, isAsking: false, isListing: false, compared: new Set() };
    if (filters.size === 0 && !this.#sources.has(peer)) return;
    this.#sources.set(peer, source);
    const { calls, members } = this.#env;
    if (filters.size === 0 && !calls.linked(peer)) this.#sources.delete(peer);
    if (source.isAsking || !calls.linked(peer)) return;
    source.isAsking = true;
    const options = { timeoutMs: askTimeoutMs, ring: members.placement.digest };
    calls.ask(now, peer, { type: 'watch', filters: [...filters.values()] }, options, (then, answer) => {
      source.isAsking = false;
      if (typeof answer !== 'object' || answer.type !== 'watching') return this.#skip(then, peer);
      if (answer.session !== source.session) source.compared.clear();
      source.session = answer.session;
      const wanted = this.#filtersFor(peer);
      if (wanted.size !== filters.size || [...wanted.keys()].some((name) => !filters.has(name))) return this.#attend(then, peer);
      if (filters.size === 0) this.#sources.delete(peer);
      else this.#compare(then, peer, source);
    });
  }

  /** The next round will look at it again. */
  #skip(now: Instant, peer: PeerId): void {
    for (const watching of this.#watchesAt(peer)) watching.lookedAt(now, peer);
  }

  /** One watch after the other, those that were tried already aside. */
  #compare(now: Instant, peer: PeerId, source: Source, tried = new Set<Watching>()): void {
    if (source.isListing) return;
    const watching = this.#watchesAt(peer).find((candidate) => !source.compared.has(candidate) && !tried.has(candidate));
    if (watching === undefined) return;
    source.isListing = true;
    const { session } = source;
    source.compared.add(watching);
    this.#list(now, peer, watching, undefined, (then, isWhole) => {
      source.isListing = false;
      if (!isWhole) {
        source.compared.delete(watching);
        return this.#skip(then, peer);
      }
      if (source.session === session) {
        tried.add(watching);
        watching.lookedAt(then, peer);
      } else {
        source.compared.delete(watching);
      }
      this.#compare(then, peer, source, tried);
    });
  }

  #list(
    now: Instant,
    peer: PeerId,
    watching: Watching,
    after: ByteString | undefined,
    done: (now: Instant, isWhole: boolean) => void,
  ): void {
    if (watching.hasEnded) return done(now, true);
    const { calls, members } = this.#env;
    const { bucket, key: prefix, exact } = watching.command;
    const options = { timeoutMs: askTimeoutMs, ring: members.placement.digest };
    const call = { type: 'list', bucket, prefix, after, limit: exact ? 1 : pageSize } as const;
    calls.ask(now, peer, call, options, (then, page) => {
      if (typeof page !== 'object' || page.type !== 'listed') return done(then, false);
      for (const entry of page.entries) if (watching.matches(bucket, entry.key)) watching.listed(then, peer, entry);
      const last = page.entries.at(-1)?.key;
      if (!page.more || exact || last === undefined) return done(then, true);
      watching.drained(then, (later) => this.#list(later, peer, watching, last, done));
    });
  }

  /** A replica tells of what it has committed. */
  changed(now: Instant, peer: PeerId, entries: readonly Changed[]): Answer {
    const watches = this.#sources.has(peer) ? this.#watchesAt(peer) : [];
    if (watches.length === 0) return { type: 'refused', code: 'NOT_OWNER', message: 'this peer watches nothing there' };
    for (const entry of entries) {
      for (const watching of watches) if (watching.matches(entry.bucket, entry.key)) watching.shown(now, peer, entry);
    }
    return { type: 'heard' };
  }
}

const everyone = ({ ring, movers }: Placement): PeerId[] => [...ring.members, ...movers.joining].map(({ peer }) => peer);

function around(placement: Placement, partition: number, n: number): PeerId[] {
  const standIns: PeerId[] = [];
  for (const peer of placement.fallbacks(partition, n)) if (standIns.push(peer) === n) break;
  return [...placement.primaries(partition, n), ...placement.gaining(partition, n), ...standIns];
}
