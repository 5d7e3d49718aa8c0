/**
 * What reads and writes answer as JSON, and the entity tag of what a read saw. A dot names one value for ever (VR3), so the dots decide the tag.
 */

import { createHash } from 'node:crypto';
import type { GetResult, LocalRecord, PutResult, ReplicaReceipt, Sibling } from 'ringmesh';

const siblingJson = (sibling: Sibling): object => ({
  dot: sibling.dot,
  value: Buffer.from(sibling.value.buffer, sibling.value.byteOffset, sibling.value.byteLength).toString('base64'),
  contentType: sibling.contentType ?? null,
  time: sibling.time,
});

const replicaJson = (replica: ReplicaReceipt): object => ({
  peer: replica.peer,
  host: replica.host,
  class: replica.class,
  role: replica.role,
  durable: replica.durable,
  state: replica.state,
});

/** The receipt of a put or delete (QR4). */
export const receiptJson = (result: PutResult): string =>
  JSON.stringify({
    context: result.context,
    outcome: result.outcome,
    dot: result.dot,
    replicas: result.replicas.map(replicaJson),
    hosts: result.hosts,
    sloppy: result.sloppy,
    overlap: result.overlap,
  });

/** The answer to a get with `Accept: application/json`. */
export const getJson = (result: GetResult): string =>
  JSON.stringify({
    outcome: result.outcome,
    context: result.context,
    siblings: result.siblings.map(siblingJson),
    replicas: result.replicas.map(replicaJson),
    hosts: result.hosts,
    sloppy: result.sloppy,
    overlap: result.overlap,
  });

/** One replica's own copy. `absent` when it holds no value: nothing at all, or tombstones only. */
export const localJson = (record: LocalRecord | undefined): { readonly found: boolean; readonly body: string } => {
  const found = record !== undefined && record.siblings.length > 0;
  const body = JSON.stringify({
    outcome: found ? 'ok' : 'absent',
    context: record?.context ?? '',
    siblings: record?.siblings.map(siblingJson) ?? [],
    tombstones: record?.tombstones ?? [],
    keptFor: record?.keptFor ?? [],
    replicas: [],
  });
  return { found, body };
};

/** Strong for the bytes of values; the JSON form tells about replicas too, which may differ each time, so its tag is weak. */
export function entityTag(siblings: readonly Sibling[], form: 'bytes' | 'json'): string {
  const dots = siblings.map((sibling) => sibling.dot).toSorted();
  const hash = createHash('sha256').update(dots.join('\n')).digest('base64url').slice(0, 27);
  return form === 'bytes' ? `"${hash}"` : `W/"${hash}.json"`;
}

/** RFC 9110, section 13.1.2: the weak comparison, over a list or `*`. */
export function tagMatches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  const weak = (text: string): string => text.trim().replace(/^W\//, '');
  return ifNoneMatch.split(',').some((candidate) => weak(candidate) === weak(tag));
}

/** Whether the client asks for JSON by name; a wildcard is not asking. */
export function wantsJson(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  return accept.split(',').some((range) => {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === 'application/json' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
