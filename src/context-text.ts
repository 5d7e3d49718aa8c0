/**
 * Contexts as clients carry them: base64url of a version byte, the key's position and the version vector. The position ties a context to its key: handed
 * in with another key, it would claim to have seen versions that its holder never saw.
 */

import { fromBase64Url, Reader, toBase64Url, Writer } from './core/bytes.ts';
import { MeshError } from './core/errors.ts';
import type { Address } from './core/ids.ts';
import { limits } from './core/limits.ts';
import { readVector, writeVector } from './core/record.ts';
import type { VersionVector } from './core/versions.ts';

const formatVersion = 1;

export function encodeContext(address: Address, context: VersionVector): string {
  const writer = new Writer().u8(formatVersion).u32(address.position);
  writeVector(writer, context);
  return toBase64Url(writer.finish());
}

/** Throws `CONTEXT_INVALID` for anything that `encodeContext` did not make for this key. */
export function decodeContext(address: Address, text: string | undefined): VersionVector {
  if (text === undefined || text === '') return [];
  const invalid = (reason: string): MeshError =>
    new MeshError('CONTEXT_INVALID', `the context ${reason}: hand back the context of a get or put of this key, unchanged`);
  const bytes = text.length > limits.contextMaxBytes ? undefined : fromBase64Url(text);
  if (bytes === undefined) throw invalid('is not base64url, or too long');
  let vector: VersionVector;
  let position: number;
  try {
    const reader = new Reader(bytes);
    if (reader.u8() !== formatVersion) throw invalid('has an unknown format');
    position = reader.u32();
    vector = readVector(reader);
    reader.end();
  } catch {
    throw invalid('is malformed');
  }
  if (position !== address.position) throw invalid('belongs to another key');
  if (vector.length > limits.contextMaxEntries) throw invalid(`has more than ${limits.contextMaxEntries} entries`);
  return vector;
}
