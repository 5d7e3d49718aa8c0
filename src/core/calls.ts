/**
 * Calls to other peers: ids, deadlines, resending, and what a lost link means. A call ends exactly once: with an answer, or with one of three failures
 * that differ in what the other side may have done.
 *
 * - `unsent`: the call never left; trying another peer is safe for anything.
 * - `lost`: the link broke after it left; it may have been carried out.
 * - `timeout`: no answer in time; it may have been carried out, or may yet be.
 *
 * Nothing is sent twice: while the link stands the network loses nothing, and who waits too long asks somebody else.
 */

import type { Instant, PeerId } from './ids.ts';
import type { Answer, Call, Message } from './messages.ts';
import type { Timers } from './timers.ts';
import { Waiting } from './waiting.ts';

export type CallFailure = 'unsent' | 'lost' | 'timeout';
export type CallDone = (now: Instant, result: Answer | CallFailure) => void;

interface Pending {
  readonly startedAt: number;
  readonly done: CallDone;
  cancelTimer: () => void;
}

/** What is known of the talk with one peer. */
interface Correspondent {
  /** By id, in the order of asking: the first one is the oldest. */
  readonly pending: Waiting<number, Pending>;
  heardAt: number;
  roundTrip: { mean: number; deviation: number } | undefined;
}

const slowAfterMs = 500;

export class Calls {
  readonly #self: PeerId;
  readonly #timers: Timers;
  readonly #send: (to: PeerId, message: Message) => void;
  /** How this peer serves a call to itself: the same way as any other. */
  readonly #serveSelf: (now: Instant, body: Call, answer: (now: Instant, answer: Answer) => void) => void;
  readonly #links = new Set<PeerId>();
  readonly #peers = new Map<PeerId, Correspondent>();
  #nextId: number;

  constructor(options: {
    self: PeerId;
    timers: Timers;
    firstId?: number;
    send: (to: PeerId, message: Message) => void;
    serveSelf: (now: Instant, body: Call, answer: (now: Instant, answer: Answer) => void) => void;
  }) {
    this.#self = options.self;
    this.#nextId = options.firstId ?? 1;
    this.#timers = options.timers;
    this.#send = options.send;
    this.#serveSelf = options.serveSelf;
  }

  #with(peer: PeerId): Correspondent {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      known = { pending: new Waiting(), heardAt: -Infinity, roundTrip: undefined };
      this.#peers.set(peer, known);
    }
    return known;
  }

  get pending(): number {
    let count = 0;
    for (const { pending } of this.#peers.values()) count += pending.size;
    return count;
  }

  linked(peer: PeerId): boolean {
    return peer === this.#self || this.#links.has(peer);
  }

  links(): ReadonlySet<PeerId> {
    return this.#links;
  }

  /** Whether a call to this peer has been waiting for suspiciously long. */
  slow(now: Instant, peer: PeerId): boolean {
    const oldest = this.#peers.get(peer)?.pending.first;
    return oldest !== undefined && now.mono - oldest.startedAt > slowAfterMs;
  }

  /** Smoothed round trip and its mean deviation in milliseconds (RFC 6298), once measured. */
  roundTrip(peer: PeerId): { readonly mean: number; readonly deviation: number } | undefined {
    return this.#peers.get(peer)?.roundTrip;
  }

  ask(now: Instant, to: PeerId, body: Call, options: { timeoutMs: number; ring: string }, done: CallDone): void {
    if (to === this.#self) return this.#timers.soon((later) => this.#serveSelf(later, body, done));
    if (!this.#links.has(to)) return this.#timers.soon((later) => done(later, 'unsent'));
    const id = this.#nextId++;
    const cancelTimer = this.#timers.at(now.mono + options.timeoutMs, (then) => this.#finish(then, to, id, 'timeout'));
    this.#with(to).pending.set(id, { startedAt: now.mono, done, cancelTimer });
    this.#send(to, { kind: 'call', id, ring: options.ring, body });
  }

  /** An answer counts only from the peer that was asked. */
  answered(now: Instant, from: PeerId, id: number, answer: Answer): void {
    const pending = this.#peers.get(from)?.pending.get(id);
    if (pending === undefined) return;
    // Put answers wait for other replicas and say nothing about this link.
    if (answer.type !== 'putDone') this.#measure(from, now.mono - pending.startedAt);
    this.#finish(now, from, id, answer);
  }

  /** Something has come from this peer. */
  heard(now: Instant, peer: PeerId): void {
    this.#with(peer).heardAt = now.mono;
  }

  /** When something last came from this peer, in monotonic milliseconds. */
  heardAt(peer: PeerId): number {
    return this.#peers.get(peer)?.heardAt ?? -Infinity;
  }

  up(peer: PeerId): void {
    this.#links.add(peer);
  }

  down(now: Instant, peer: PeerId): void {
    const known = this.#with(peer);
    this.#links.delete(peer);
    for (const id of [...known.pending.keys()]) this.#finish(now, peer, id, 'lost');
  }

  /** The network refused the message: it surely never left. */
  unsent(now: Instant, to: PeerId, message: Message): void {
    if (message.kind === 'call') this.#finish(now, to, message.id, 'unsent');
  }

  #finish(now: Instant, peer: PeerId, id: number, result: Answer | CallFailure): void {
    const pending = this.#peers.get(peer)?.pending.take(id);
    if (pending === undefined) return;
    pending.cancelTimer();
    pending.done(now, result);
  }

  #measure(peer: PeerId, ms: number): void {
    const known = this.#with(peer);
    const { roundTrip } = known;
    if (roundTrip === undefined) {
      known.roundTrip = { mean: ms, deviation: ms / 2 };
      return;
    }
    roundTrip.deviation += (Math.abs(ms - roundTrip.mean) - roundTrip.deviation) / 4;
    roundTrip.mean += (ms - roundTrip.mean) / 8;
  }
}
