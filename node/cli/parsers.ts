/**
 * From the text of a flag, an environment variable or a configuration value to the value itself. Each throws InvalidArgumentError with what was expected.
 */

import { InvalidArgumentError } from 'commander';
import type { DurabilityClass } from 'ringmesh';

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** `auto`: by what the machine has. */
export function weight(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 1024)) throw new InvalidArgumentError('Expected auto or a whole number from 0 to 1024.');
  return value;
}

export const port = wholeNumber(0, 65_535);

/** Collects a flag that may be given several times; each may hold several values with commas between them. */
export function list(text: string, previous: readonly string[] = []): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  return [...previous, ...items.filter((item) => item !== '')];
}

export function gatewayUrls(text: string, previous: readonly string[] = []): readonly string[] {
  return list(text, previous).map((item) => {
    const url = URL.canParse(item) ? new URL(item) : undefined;
    if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
      throw new InvalidArgumentError('Expected a URL such as http://127.0.0.1:7400.');
    }
    return item.replace(/\/+$/, '');
  });
}

type ClassTime = readonly [DurabilityClass, number];

/** `tab=900`: a class, and seconds that become milliseconds. */
export function classSeconds(text: string, previous: readonly ClassTime[] = []): readonly ClassTime[] {
  const found = list(text).map((item): ClassTime => {
    const [, name, seconds] = /^(server|tab|ephemeral)=(\d{1,9})$/.exec(item) ?? [];
    if (name === undefined) throw new InvalidArgumentError('Expected a class and seconds, such as tab=900.');
    return [name as DurabilityClass, Number(seconds) * 1000];
  });
  return [...previous, ...found];
}

/** A member's id, or the end of it as members are shown, with or without the dots. */
export function memberEnd(text: string): string {
  const end = text.replace(/^…/, '');
  if (!/^[1-9A-HJ-NP-Za-km-z]{8,64}$/.test(end))
    throw new InvalidArgumentError('Expected the id of a member, or its last 8 characters at least.');
  return end;
}

export function truth(text: string): boolean {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off', ''].includes(text.toLowerCase())) return false;
  throw new InvalidArgumentError('Expected true or false.');
}
