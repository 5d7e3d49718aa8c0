/**
 * How results look on a screen: aligned tables, short peer ids, sizes and shares. Programs use --json instead.
 */

/** The telling end of a peer id; its beginning is the same for all. */
export const shortId = (peer: string): string => (peer.length > 12 ? `…${peer.slice(-8)}` : peer);

/** A host label; a peer without one counts as its own host. */
export const hostText = (member: { readonly host: string; readonly peer: string }): string =>
  member.host === member.peer ? '(its own)' : visible(member.host);

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export const percentText = (share: number): string => `${(share * 100).toFixed(1)} %`;

export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** Words to go on with, after how far something has come. */
export const leftText = (secondsLeft: number | undefined): string =>
  secondsLeft === undefined || secondsLeft === 0 ? '' : `, about ${durationText(secondsLeft * 1000).replace('.0 s', ' s')} left`;

export const countText = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** Columns as wide as their longest cell, two spaces between them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], indent = ''): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    indent +
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}

/** Names and values, aligned. */
export function facts(pairs: readonly (readonly [name: string, value: string])[], indent = ''): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`).join('\n');
}

export const bar = (share: number, width: number): string => '█'.repeat(Math.round(share * width)).padEnd(width, '·');

/** Text for a terminal: control characters would let a key or a value move the cursor. */
export const visible = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** For a person, beside the result: goes to stderr. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

export const printJson = (value: unknown): void => print(JSON.stringify(value));
