/**
 * Keys on the command line: text, or with --encoded the percent-encoded bytes as a listing shows them.
 */

import { decodeSegment, encodeSegment } from '../key-path.ts';
import { CliError, exitCodes } from './errors.ts';

/** The key as a path segment. */
export function keySegment(key: string, encoded: boolean | undefined): string {
  const bytes = encoded === true ? decodeSegment(key) : Buffer.from(key);
  if (bytes === undefined) throw new CliError('KEY_INVALID', `'${key}' is not well percent-encoded`, exitCodes.usage);
  if (bytes.length === 0) throw new CliError('KEY_INVALID', 'the key is empty', exitCodes.usage);
  return encodeSegment(bytes);
}
