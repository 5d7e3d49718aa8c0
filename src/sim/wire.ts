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
  return codec ? { content: undefined, bytes: encodeMessage(message) } : { content: message, bytes: undefined };
}

/** From a copy, as the network makes one: a frame may come twice, and what one receiver does to its bytes must not matter to the other. */
export function openMessage({ content, bytes }: Parcel<Message>): Message {
  return content ?? decodeMessage(new Uint8Array(bytes ?? []));
}

/** Read once for all who hear them: what is in them is copied out of the bytes, and never changed. */
export function packRumors(rumors: Rumors, codec: boolean): Parcel<Rumors> & { readonly content: Rumors } {
  if (!codec) return { content: rumors, bytes: undefined };
  const bytes = encodeRumors(rumors);
  return { content: decodeRumors(bytes), bytes };
}
