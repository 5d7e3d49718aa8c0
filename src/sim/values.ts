/**
 * Values that tell who wrote them: an id, the length, and filler that follows from both, so that a value which was cut, mixed up or damaged on its way shows.
 */

import { toByteString } from '../core/bytes.ts';
import { textHash } from './event-hash.ts';

export function valueBytes(id: string, fillerLength: number): Uint8Array {
  const text = `${id} ${fillerLength}\n`;
  const bytes = new Uint8Array(text.length + fillerLength);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  bytes.fill(fillerOf(id), text.length);
  return bytes;
}

const fillerOf = (id: string): number => textHash(id) & 0xff;

/** The id, or undefined for bytes that `valueBytes` does not make. */
export function valueIdOf(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(10);
  if (end < 0) return undefined;
  const text = toByteString(bytes.subarray(0, end));
  const space = text.indexOf(' ');
  if (space < 0 || bytes.length - end - 1 !== Number(text.slice(space + 1))) return undefined;
  const id = text.slice(0, space);
  const filler = fillerOf(id);
  for (let i = end + 1; i < bytes.length; i++) if (bytes[i] !== filler) return undefined;
  return id;
}
