/**
 * What travels between simulated peers: a message as it is, or the bytes that the codec makes of it. With bytes the simulator also tests the codec, and knows
 * how large everything is; without them it is faster.
 */

import { decodeMessage, encodeMessage } from '../core/codec.ts';
import { decodeRumors, encodeRumors } from '../core/member-codec.ts';
import type { Message, Rumors } from '../core/messages.ts';

export interface Parcel<T> {
  readonly content: T | undefined;
  readonly bytes: Uint8Array | undefined;
}

/** Names of messages as they are counted and shown. */
export const messageName = (message: Message): string => message.body.type;

const numbers = new Map<string, number>();

/** The same small number for the same name, whichever run asks first. */
export function nameNumber(name: string): number {
  let known = numbers.get(name);
  if (known === undefined) {
    known = 0;
    for (let i = 0; i < name.length; i++) known = (Math.imul(known, 31) + name.charCodeAt(i)) & 0x7ff;
    numbers.set(name, known);
  }
  return known;
}

export const sizeOf = (parcel: Parcel<unknown>): number => parcel.bytes?.length ?? 0;

export function packMessage(message: Message, codec: boolean): Parcel<Message> {
  // A copy, as the network makes one: what the sender does to its buffers later must not matter.
  return codec ? { content: undefined, bytes: new Uint8Array(encodeMessage(message)) } : { content: message, bytes: undefined };
}

export function openMessage({ content, bytes }: Parcel<Message>): Message {
  return content ?? decodeMessage(new Uint8Array(bytes ?? []));
}

export function packRumors(rumors: Rumors, codec: boolean): Parcel<Rumors> {
  return codec ? { content: undefined, bytes: new Uint8Array(encodeRumors(rumors)) } : { content: rumors, bytes: undefined };
}

export function openRumors({ content, bytes }: Parcel<Rumors>): Rumors {
  return content ?? decodeRumors(new Uint8Array(bytes ?? []));
}
