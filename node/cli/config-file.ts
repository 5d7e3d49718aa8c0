/**
 * The configuration file: YAML, the same names as the long flags, and `buckets` with options for each bucket. Unknown names and wrong values are errors
 * that name the place, so that a misspelt option is never silently a default.
 */

import { readFile } from 'node:fs/promises';
import type { BucketOptions } from 'ringmesh';
import { parseDocument } from 'yaml';
import { isMode, modes, quorumProblem, resolvers, timeoutMaxMs } from '../quorum-options.ts';
import { CliError, codeOf, exitCodes } from './errors.ts';

export interface ConfigFile {
  /** Texts by flag name; several for a list. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly buckets: ReadonlyMap<string, BucketOptions>;
}

export const emptyConfig: ConfigFile = { values: new Map(), buckets: new Map() };

const bucketOptionNames = ['n', 'r', 'w', 'mode', 'resolver', 'timeoutMs', 'ttlMs'] as const;

/** Reads and checks a file; `known` are the names of all flags. */
export async function readConfigFile(path: string, known: ReadonlySet<string>): Promise<ConfigFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CliError('CONFIG_INVALID', `cannot read the configuration file ${path} (${codeOf(error) ?? 'unreadable'})`, exitCodes.usage);
  }
  return parseConfig(path, text, known);
}

export function parseConfig(path: string, text: string, known: ReadonlySet<string>): ConfigFile {
  const refuse: Refuse = (message) => {
    throw new CliError('CONFIG_INVALID', `${path}: ${message}`, exitCodes.usage);
  };
  const document = parseDocument(text);
  const problem = document.errors[0];
  if (problem !== undefined) refuse(problem.message.split('\n')[0] ?? 'not valid YAML');
  const root: unknown = document.toJS({ mapAsMap: true });
  if (root === null || root === undefined) return emptyConfig;
  if (!(root instanceof Map)) return refuse('expected names and values');
  const values = new Map<string, readonly string[]>();
  let buckets: ReadonlyMap<string, BucketOptions> = new Map();
  for (const [name, value] of root) {
    if (name === 'buckets') buckets = parseBuckets(value, refuse);
    else if (typeof name !== 'string' || !known.has(name)) refuse(`unknown name '${String(name)}'`);
    else values.set(name, texts(name, value, refuse));
  }
  return { values, buckets };
}

type Refuse = (message: string) => never;

function texts(name: string, value: unknown, refuse: Refuse): readonly string[] {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  return items.map((item) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') return String(item);
    return refuse(`${name} must be a text, a number, true, false, or a list of them`);
  });
}

function parseBuckets(value: unknown, refuse: Refuse): ReadonlyMap<string, BucketOptions> {
  if (!(value instanceof Map)) return refuse('buckets must hold a name and options for each bucket');
  const buckets = new Map<string, BucketOptions>();
  for (const [name, options] of value) {
    const place = `buckets.${String(name)}`;
    if (!(options instanceof Map)) return refuse(`${place} must hold options: ${bucketOptionNames.join(', ')}`);
    buckets.set(String(name), parseBucket(place, options, refuse));
  }
  return buckets;
}

function parseBucket(place: string, options: ReadonlyMap<unknown, unknown>, refuse: Refuse): BucketOptions {
  for (const name of options.keys()) {
    if (!(bucketOptionNames as readonly unknown[]).includes(name)) {
      refuse(`${place}: unknown option '${String(name)}'; known are ${bucketOptionNames.join(', ')}`);
    }
  }
  const count = (name: string): number | undefined => {
    const value = options.get(name);
    if (value === undefined) return undefined;
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : refuse(`${place}.${name} must be a whole number`);
  };
  const [n, r, w, timeoutMs, ttlMs] = [count('n'), count('r'), count('w'), count('timeoutMs'), count('ttlMs')];
  const mode = options.get('mode');
  const resolver = resolvers.find((known) => known === options.get('resolver'));
  if (mode !== undefined && !(typeof mode === 'string' && isMode(mode))) return refuse(`${place}.mode must be ${modes.join(', ')}`);
  if (options.has('resolver') && resolver === undefined) refuse(`${place}.resolver must be ${resolvers.join(', ')}`);
  if (timeoutMs !== undefined && (timeoutMs < 1 || timeoutMs > timeoutMaxMs)) refuse(`${place}.timeoutMs must be 1 to ${timeoutMaxMs}`);
  const result: BucketOptions = {
    ...(n === undefined ? {} : { n }),
    ...(r === undefined ? {} : { r }),
    ...(w === undefined ? {} : { w }),
    ...(mode === undefined ? {} : { mode }),
    ...(resolver === undefined ? {} : { resolver }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
  const problem = quorumProblem(result);
  if (problem !== undefined) refuse(`${place}: ${problem.message}`);
  return result;
}
