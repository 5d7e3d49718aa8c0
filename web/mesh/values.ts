/** Values are bytes. What is readable text is shown as text, anything else as its first bytes. */

import type { Value } from './types.ts';

const shownBytesMax = 64;
const shownTextMax = 4000;

export const textValue = (text: string): Value => ({ bytes: new TextEncoder().encode(text), contentType: 'text/plain; charset=utf-8' });

/** Undefined when the bytes are no readable text. */
export function textOf({ bytes }: Value): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return /[^\P{Cc}\t\n\r]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

export function shown(value: Value): string {
  const text = textOf(value);
  if (text !== undefined) return text.length > shownTextMax ? `${text.slice(0, shownTextMax)}…` : text;
  const head = Array.from(value.bytes.subarray(0, shownBytesMax), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${value.bytes.length} bytes: ${head}${value.bytes.length > shownBytesMax ? ' …' : ''}`;
}

/** `actor:counter`, where the actor is a long random name. */
export function shortDot(dot: string): string {
  const [actor = '', counter = ''] = dot.split(':');
  return actor.length > 8 ? `${actor.slice(0, 6)}…:${counter}` : dot;
}
