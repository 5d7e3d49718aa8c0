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

export type CallFailure = 'unsent' | 'lost' | 'timeout';
export type CallDone = (now: Instant, result: Answer | CallFailure) => void;

interface Pending {
  readonly to: PeerId;
  readonly startedAt: number;
  readonly done: CallDone;
  cancelTimer: () => void;
}

const slowAfterMs = 500;

export class Calls {
  readonly #self: PeerId;
  readonly #timers: Timers;
  readonly #send: (to: PeerId, message: Message) => void;
  /** How this peer serves a call to itself: the same way as any other. */
  readonly #serveSelf: (now: Instant, body: Call, answer: (now: Instant, answer: Answer) => void) => void;
  readonly #links = new Set<PeerId>();
  readonly #linkNumbers = new Map<PeerId, number>();
  readonly #pending = new Map<number, Pending>();
  /** By peer, in the order of asking: the first entry is the oldest. */
  readonly #pendingOf = new Map<PeerId, Set<number>>();
  readonly #heardAt = new Map<PeerId, number>();
  readonly #roundTrips = new Map<PeerId, { mean: number; deviation: number }>();
  #nextId = 1;
  #nextLink = 1;

  constructor(options: {
    self: PeerId;
    timers: Timers;
    send: (to: PeerId, message: Message) => void;
    serveSelf: (now: Instant, body: Call, answer: (now: Instant, answer: Answer) => void) => void;
  }) {
    this.#self = options.self;
    this.#timers = options.timers;
    this.#send = options.send;
    this.#serveSelf = options.serveSelf;
  }

  get pending(): number {
    return this.#pending.size;
  }

  linked(peer: PeerId): boolean {
    return peer === this.#self || this.#links.has(peer);
  }

  links(): ReadonlySet<PeerId> {
    return this.#links;
  }

  /** Whether a call to this peer has been waiting for suspiciously long. */
  slow(now: Instant, peer: PeerId): boolean {
    const oldest = this.#pendingOf.get(peer)?.values().next().value;
    const pending = oldest === undefined ? undefined : this.#pending.get(oldest);
    return pending !== undefined && now.mono - pending.startedAt > slowAfterMs;
  }

  /** Smoothed round trip and its mean deviation in milliseconds (RFC 6298), once measured. */
  roundTrip(peer: PeerId): { readonly mean: number; readonly deviation: number } | undefined {
    return this.#roundTrips.get(peer);
  }

  ask(now: Instant, to: PeerId, body: Call, options: { timeoutMs: number; ring: string }, done: CallDone): void {
    if (to === this.#self) {
      this.#timers.at(now.mono, (later) => this.#serveSelf(later, body, done));
      return;
    }
    if (!this.#links.has(to)) {
      this.#timers.at(now.mono, (later) => done(later, 'unsent'));
      return;
    }
    const id = this.#nextId++;
    const pending: Pending = { to, startedAt: now.mono, done, cancelTimer: () => {} };
    this.#pending.set(id, pending);
    let ofPeer = this.#pendingOf.get(to);
    if (ofPeer === undefined) this.#pendingOf.set(to, (ofPeer = new Set()));
    ofPeer.add(id);
    const message: Message = { kind: 'call', id, ring: options.ring, body };
    pending.cancelTimer = this.#timers.at(now.mono + options.timeoutMs, (then) => this.#finish(then, id, 'timeout'));
    this.#send(to, message);
  }

  answered(now: Instant, from: PeerId, id: number, answer: Answer): void {
    const pending = this.#pending.get(id);
    // An answer counts only from the peer that was asked.
    if (pending === undefined || pending.to !== from) return;
    // Put answers wait for other replicas and say nothing about this link.
    if (answer.type !== 'putDone') this.#measure(from, now.mono - pending.startedAt);
    this.#finish(now, id, answer);
  }

  /** Something has come from this peer. */
  heard(now: Instant, peer: PeerId): void {
    this.#heardAt.set(peer, now.mono);
  }

  /** When something last came from this peer, in monotonic milliseconds. */
  heardAt(peer: PeerId): number {
    return this.#heardAt.get(peer) ?? -Infinity;
  }

  up(peer: PeerId): void {
    this.#links.add(peer);
    this.#linkNumbers.set(peer, this.#nextLink++);
  }

  /**
   * The number of the link that there is now. An answer goes out on the link on which its call came, or not at all: the peer at the other end of the next one
   * may have been started anew, and take it for the answer to another call.
   */
  linkNumber(peer: PeerId): number | undefined {
    return this.#linkNumbers.get(peer);
  }

  down(now: Instant, peer: PeerId): void {
    this.#links.delete(peer);
    this.#linkNumbers.delete(peer);
    for (const id of [...(this.#pendingOf.get(peer) ?? [])]) this.#finish(now, id, 'lost');
  }

  /** The network refused the message: it surely never left. */
  unsent(now: Instant, message: Message): void {
    if (message.kind !== 'call') return;
    this.#finish(now, message.id, 'unsent');
  }

  #finish(now: Instant, id: number, result: Answer | CallFailure): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const ofPeer = this.#pendingOf.get(pending.to);
    ofPeer?.delete(id);
    if (ofPeer?.size === 0) this.#pendingOf.delete(pending.to);
    pending.cancelTimer();
    pending.done(now, result);
  }

  #measure(peer: PeerId, ms: number): void {
    const known = this.#roundTrips.get(peer);
    if (known === undefined) {
      this.#roundTrips.set(peer, { mean: ms, deviation: ms / 2 });
      return;
    }
    known.deviation += (Math.abs(ms - known.mean) - known.deviation) / 4;
    known.mean += (ms - known.mean) / 8;
  }
}
