/**
 * The query parameters of a read or write (QR1): `n`, `r`, `w`, `mode`, `timeoutMs`, `ttlMs`. They are laid over the options that the configuration gives the
 * bucket, and the whole is checked: a wrong number is OPTION_INVALID, a quorum that cannot be is QUORUM_INVALID. `absent=200` is for pages that look at what may not be
 * there: a browser tells of each 404 as of an error.
 */

import type { BucketOptions } from 'ringmesh';
import { isMode, modes, quorumProblem, timeoutMaxMs, ttlMaxMs } from '../quorum-options.ts';
import { GatewayError } from './errors.ts';
import { parseQuery, queryCount, queryText } from './target.ts';

const names = ['n', 'r', 'w', 'mode', 'timeoutMs', 'ttlMs', 'absent'] as const;
const countMax = 999;

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

/** The bucket's options for this request; `configured` itself when the query is empty. */
export function requestOptions(query: string, configured: BucketOptions): BucketOptions {
  if (query === '') return configured;
  const values = parseQuery(query, names);
  const options: Changeable<BucketOptions> = { ...configured };
  for (const name of ['n', 'r', 'w'] as const) {
    const count = queryCount(values, name, 0, countMax);
    if (count !== undefined) options[name] = count;
  }
  const timeoutMs = queryCount(values, 'timeoutMs', 1, timeoutMaxMs);
  if (timeoutMs !== undefined) options.timeoutMs = timeoutMs;
  const ttlMs = queryCount(values, 'ttlMs', 0, ttlMaxMs);
  if (ttlMs !== undefined) options.ttlMs = ttlMs;
  const mode = queryText(values, 'mode');
  if (mode !== undefined) {
    if (!isMode(mode))
      throw new GatewayError('OPTION_INVALID', `mode must be ${modes.join(', ')}, not ${JSON.stringify(mode.slice(0, 32))}`);
    options.mode = mode;
  }
  const problem = quorumProblem(options);
  if (problem !== undefined) throw new GatewayError(problem.code, problem.message);
  return options;
}

/** With which status a JSON answer says that there is no value. */
export function absentStatus(query: string, known: readonly string[] = names): 200 | 404 {
  const wanted = queryText(parseQuery(query, known), 'absent') ?? '404';
  if (wanted !== '200' && wanted !== '404')
    throw new GatewayError('OPTION_INVALID', `absent must be 200 or 404, not ${JSON.stringify(wanted.slice(0, 32))}`);
  return wanted === '200' ? 200 : 404;
}
