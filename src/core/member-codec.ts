/**
 * Member records and rumors as bytes: gossiped frames, the signed form of a record, and the parts of messages that carry them. Decoding is total, as for all frames.
 */

import { Reader, Writer } from './bytes.ts';
import { MeshError } from './errors.ts';
import { limits } from './limits.ts';
import type { MemberRecord, MemberSummary, Rumors, SignedMember, Synced } from './messages.ts';
import type { RingMember } from './ring.ts';
import {
  classes,
  protocolVersion,
  readClass,
  readList,
  readOne,
  readOwner,
  readPeer,
  readReplicaCount,
  writeList,
  writeOne,
} from './wire.ts';

const statuses = ['joining', 'up', 'leaving', 'left'] as const;
const healths = ['alive', 'suspect', 'dead'] as const;

export function encodeRumors(rumors: Rumors): Uint8Array {
  const writer = new Writer().u8(protocolVersion);
  writeRumors(writer, rumors);
  return writer.finish();
}

/** For gossiped frames, which carry rumors only. */
export function decodeRumors(frame: Uint8Array): Rumors {
  const reader = new Reader(frame);
  if (reader.u8() !== protocolVersion) throw Reader.invalid('unknown message version');
  const rumors = readRumors(reader);
  reader.end();
  return rumors;
}

export function writeRumors(writer: Writer, rumors: Rumors): void {
  writeList(writer, rumors.members, (member) => writer.bytes(member.bytes).bytes(member.signature));
  writeList(writer, rumors.suspicions, (entry) =>
    writer
      .text(entry.peer)
      .uint(entry.incarnation)
      .uint(entry.dead ? 1 : 0),
  );
  writeList(writer, rumors.removals, (entry) => writer.text(entry.peer).uint(entry.joined));
}

export function readRumors(reader: Reader): Rumors {
  const members = readList(reader, limits.membersMax, () => readMember(reader));
  const suspicions = readList(reader, limits.membersMax, () => ({
    peer: readPeer(reader),
    incarnation: reader.uint(),
    dead: reader.bool(),
  }));
  const removals = readList(reader, limits.membersMax, () => ({ peer: readPeer(reader), joined: reader.uint() }));
  return { members, suspicions, removals };
}

/** Parts of a table, or their digests. */
export const writeParts = (writer: Writer, parts: readonly number[]): void => writeList(writer, parts, (part) => writer.u32(part));

export const readParts = (reader: Reader): number[] => readList(reader, limits.tablePartsMax, () => reader.u32());

export function writeSynced(writer: Writer, { summary, parts }: Synced): void {
  writer.uint(summary === undefined ? 0 : 1);
  writeList(writer, summary ?? [], (entry) => {
    writer.text(entry.peer).uint(entry.incarnation).uint(entry.sequence);
    writeOne(writer, healths, entry.health);
    writeOne(writer, statuses, entry.status);
    writer.uint(entry.joined).uint(entry.removed ? 1 : 0);
  });
  writeParts(writer, parts);
}

export function readSynced(reader: Reader): Synced {
  const differs = reader.bool();
  const summary = readList(reader, limits.membersMax, (): MemberSummary => {
    const peer = readPeer(reader);
    const counters = { incarnation: reader.uint(), sequence: reader.uint() };
    const health = readOne(reader, healths);
    const status = readOne(reader, statuses);
    return { peer, ...counters, health, status, joined: reader.uint(), removed: reader.bool() };
  });
  return { summary: differs ? summary : undefined, parts: readParts(reader) };
}

/** The members of a ring, as a peer keeps them to know what it owned in an earlier run. */
export function encodeOwners(owners: readonly RingMember[]): Uint8Array {
  const writer = new Writer();
  writeList(writer, owners, (owner) => {
    writer
      .text(owner.peer)
      .text(owner.host)
      .uint(owner.weight)
      .text(owner.seat ?? '');
    writeOne(writer, classes, owner.class);
  });
  return writer.finish();
}

/** Undefined when the bytes are damaged. */
export function decodeOwners(bytes: Uint8Array): RingMember[] | undefined {
  try {
    const reader = new Reader(bytes);
    return readList(reader, limits.membersMax, () => {
      const peer = readPeer(reader);
      const host = reader.text(limits.labelMaxBytes);
      const weight = reader.uint(limits.weightMax);
      const seat = readOwner(reader);
      return { peer, host, weight, class: readClass(reader), ...(seat === undefined ? {} : { seat }) };
    });
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}

export function encodeSigned(member: SignedMember): Uint8Array {
  return new Writer().bytes(member.bytes).bytes(member.signature).finish();
}

export function decodeSigned(bytes: Uint8Array): SignedMember {
  return readMember(new Reader(bytes));
}

function readMember(reader: Reader): SignedMember {
  // They are kept for as long as the member is known: not as views that would keep the whole frame.
  const bytes = reader.bytes(64 * 1024).slice();
  return { record: decodeMember(bytes), bytes, signature: reader.bytes(256).slice() };
}

/** The canonical bytes of a member record, which its subject signs. They name the cluster, so that a record cannot be carried into another one. */
export function encodeMember(cluster: string, record: MemberRecord): Uint8Array {
  const writer = new Writer().text(cluster).text(record.peer).uint(record.incarnation).uint(record.sequence);
  writeOne(writer, statuses, record.status);
  writer.uint(record.paused ? 1 : 0).uint(record.joined);
  writer
    .text(record.seat ?? '')
    .text(record.replaces?.peer ?? '')
    .uint(record.replaces?.joined ?? 0);
  writeList(writer, record.counts, (n) => writer.uint(n));
  writer.text(record.host).text(record.zone);
  writeOne(writer, classes, record.class);
  writer.uint(record.weight).text(record.gateway).uint(record.version);
  writeList(writer, record.addresses, (address) => writer.text(address));
  return writer.finish();
}

export const memberCluster = (bytes: Uint8Array): string => new Reader(bytes).text(limits.labelMaxBytes);

function decodeMember(bytes: Uint8Array): MemberRecord {
  const reader = new Reader(bytes);
  reader.text(limits.labelMaxBytes);
  const peer = readPeer(reader);
  const incarnation = reader.uint();
  const sequence = reader.uint();
  const status = readOne(reader, statuses);
  const paused = reader.bool();
  const joined = reader.uint();
  const seat = readOwner(reader);
  const replaced = readOwner(reader);
  const replacedJoined = reader.uint();
  const replaces = replaced === undefined ? undefined : { peer: replaced, joined: replacedJoined };
  const counts = readList(reader, limits.replicasMax, () => readReplicaCount(reader));
  const host = reader.text(limits.labelMaxBytes);
  const zone = reader.text(limits.labelMaxBytes);
  const durability = readClass(reader);
  const weight = reader.uint(limits.weightMax);
  const gateway = reader.text(limits.addressMaxBytes);
  const version = reader.uint();
  const addresses = readList(reader, limits.addressesMax, () => reader.text(limits.addressMaxBytes));
  reader.end();
  return {
    peer,
    incarnation,
    sequence,
    status,
    paused,
    joined,
    seat,
    replaces,
    counts,
    host,
    zone,
    class: durability,
    weight,
    gateway,
    version,
    addresses,
  };
}

/** Undefined when the row is damaged. */
export function readSigned(bytes: Uint8Array): SignedMember | undefined {
  try {
    return decodeSigned(bytes);
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}
