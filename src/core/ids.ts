/**
 * The names that everything else is built on.
 *
 * A `ByteString` is a string with one character (U+0000 to U+00FF) for each byte. Keys, storage keys and digests are byte strings in the core:
 * they compare bytewise with `<`, serve as `Map` keys without a wrapper, and V8 keeps them in one byte per character.
 */

declare const brand: unique symbol;

export type ByteString = string & { readonly [brand]: 'ByteString' };

/** A libp2p peer id in its text form. The network authenticates it. */
export type PeerId = string & { readonly [brand]: 'PeerId' };

/**
 * Who counts in a version vector: a store, not a peer (VR3). Text `<store id>.<epoch>`: 128 random bits in hexadecimal, made with the store, and
 * a number that rises whenever the store may have forgotten something.
 */
export type Actor = string & { readonly [brand]: 'Actor' };

/** The name of one version: the `counter`-th event of `actor` on one key. It names one value for ever. */
export interface Dot {
  readonly actor: Actor;
  readonly counter: number;
}

/** Where a record lives: `position` is the point of (bucket, key) on the ring, an unsigned 32-bit number. */
export interface Address {
  readonly bucket: string;
  readonly key: ByteString;
  /** Bucket and key in one, divided by a NUL. */
  readonly name: string;
  readonly position: number;
}

/** One instant as the runtime sees it, in milliseconds. Timers follow `mono`, which never goes back; versions follow `wall`, which may jump. */
export interface Instant {
  readonly mono: number;
  readonly wall: number;
}

/** What a peer's storage survives: a server's disk, a tab's persistent storage, or nothing (RG5). */
export type DurabilityClass = 'server' | 'tab' | 'ephemeral';

export const peerId = (text: string): PeerId => text as PeerId;
export const actorOf = (storeId: string, epoch: number): Actor => `${storeId}.${epoch}` as Actor;
export const dotText = (dot: Dot): string => `${dot.actor}:${dot.counter}`;
