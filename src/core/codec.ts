/**
 * Messages to frames and back. A frame begins with a version byte (MB6). Decoding is total: any bytes give a valid message or a MeshError with the code
 * `FRAME_INVALID`, and every count and length is checked against its limit and against the bytes that are there first (SE3, SE4).
 */

import { Reader, Writer } from './bytes.ts';
import { type ErrorCode, MeshError } from './errors.ts';
import type { DurabilityClass, PeerId } from './ids.ts';
import { limits } from './limits.ts';
import type {
  Answer,
  Call,
  Listed,
  MemberRecord,
  MemberSummary,
  Message,
  Notice,
  PutCommand,
  PutOutcome,
  Receipt,
  Rumors,
  SignedMember,
} from './messages.ts';
import { digestBytes } from './merkle.ts';
import { decodeRecord, encodeRecord, readDot, readVector, recordSize, type RecordSet, writeDot, writeVector } from './record.ts';

export const protocolVersion = 1;

const kinds = ['call', 'answer', 'notice'] as const;
const callTypes = ['put', 'store', 'fetch', 'list', 'compare', 'leaves', 'probe', 'probeFor', 'sync'] as const;
const answerTypes = ['putDone', 'stored', 'fetched', 'listed', 'digests', 'leafKeys', 'probed', 'synced', 'refused'] as const;
const modes = ['strict', 'sloppy', 'any'] as const;
const resolvers = ['siblings', 'lww', 'priority'] as const;
const classes = ['server', 'tab', 'ephemeral'] as const;
const outcomes = ['ok', 'partial', 'unknown'] as const;
const states = ['stored', 'answered', 'pending', 'unreachable', 'timeout', 'refused'] as const;
const roles = ['primary', 'fallback'] as const;
const statuses = ['up', 'paused', 'left'] as const;
const levels = ['all', 'group', 'partition', 'inner'] as const;
const healths = ['alive', 'suspect', 'dead'] as const;

export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(valueBytes(message) + 512).u8(protocolVersion);
  writeOne(writer, kinds, message.kind);
  switch (message.kind) {
    case 'call':
      writer.uint(message.id).text(message.ring);
      writeCall(writer, message.body);
      break;
    case 'answer':
      writer.uint(message.id);
      writeAnswer(writer, message.body);
      break;
    case 'notice':
      writeNotice(writer, message.body);
      break;
  }
  return writer.finish();
}

/** How large the values in a message are, so that its buffer need not grow. */
function valueBytes({ body }: Message): number {
  if (body.type === 'put') return body.command.bytes.length;
  return body.type === 'store' || body.type === 'fetched' ? recordSize(body.record) : 0;
}

export function decodeMessage(frame: Uint8Array): Message {
  try {
    const reader = new Reader(frame);
    if (reader.u8() !== protocolVersion) throw Reader.invalid('unknown message version');
    const message = readMessage(reader);
    reader.end();
    return message;
  } catch (error) {
    if (error instanceof MeshError && error.code === 'FRAME_INVALID') throw error;
    throw new MeshError('FRAME_INVALID', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function readMessage(reader: Reader): Message {
  const kind = readOne(reader, kinds);
  if (kind === 'call') return { kind, id: reader.uint(), ring: reader.text(64), body: readCall(reader) };
  if (kind === 'answer') return { kind, id: reader.uint(), body: readAnswer(reader) };
  return { kind, body: readNotice(reader) };
}

function writeCall(writer: Writer, call: Call): void {
  writeOne(writer, callTypes, call.type);
  switch (call.type) {
    case 'put':
      return writeCommand(writer, call.command);
    case 'store':
      writer
        .text(call.bucket)
        .byteString(call.key)
        .uint(call.n)
        .text(call.owner ?? '')
        .uint(call.ordered ? 1 : 0);
      return writeRecord(writer, call.record);
    case 'fetch':
      writer.text(call.bucket).byteString(call.key);
      return;
    case 'list':
      writer.text(call.bucket).byteString(call.prefix).uint(call.limit);
      writer.uint(call.after === undefined ? 0 : 1).byteString(call.after ?? '');
      return;
    case 'compare':
      writer.uint(call.n);
      writeOne(writer, levels, call.level);
      writeList(writer, call.nodes, (node) => writer.uint(node));
      writer.byteString(call.digest);
      return;
    case 'leaves':
      writer.uint(call.n);
      return writeList(writer, call.nodes, (node) => writer.uint(node));
    case 'probe':
      return;
    case 'probeFor':
      writer.text(call.target);
      return;
    case 'sync':
      writer.text(call.view);
      return;
  }
}

function readCall(reader: Reader): Call {
  const type = readOne(reader, callTypes);
  switch (type) {
    case 'put':
      return { type, command: readCommand(reader) };
    case 'store': {
      const target = readTarget(reader);
      const n = readReplicaCount(reader);
      const owner = readOwner(reader);
      return { type, ...target, n, owner, ordered: reader.bool(), record: readRecord(reader) };
    }
    case 'fetch':
      return { type, ...readTarget(reader) };
    case 'list': {
      const bucket = readBucket(reader);
      const prefix = reader.byteString(limits.keyMaxBytes);
      const limit = reader.uint(limits.listMax);
      const hasAfter = reader.bool();
      const after = reader.byteString(limits.keyMaxBytes);
      return { type, bucket, prefix, limit, after: hasAfter ? after : undefined };
    }
    case 'compare': {
      const n = readReplicaCount(reader);
      const level = readOne(reader, levels);
      return { type, n, level, nodes: readNodes(reader), digest: reader.byteString(digestBytes) };
    }
    case 'leaves':
      return { type, n: readReplicaCount(reader), nodes: readNodes(reader) };
    case 'probe':
      return { type };
    case 'probeFor':
      return { type, target: readPeer(reader) };
    case 'sync':
      return { type, view: reader.text(64) };
  }
}

function writeCommand(writer: Writer, command: PutCommand): void {
  writer.text(command.bucket).byteString(command.key);
  writeVector(writer, command.context);
  writer
    .uint(command.tombstone ? 1 : 0)
    .bytes(command.bytes)
    .text(command.contentType ?? '');
  writer.uint(command.priority).byteString(command.operation).uint(command.n).uint(command.w);
  writeOne(writer, modes, command.mode);
  writeOne(writer, resolvers, command.resolver);
  writer.uint(Math.max(0, Math.floor(command.budgetMs)));
}

function readCommand(reader: Reader): PutCommand {
  const target = readTarget(reader);
  const context = readVector(reader);
  const tombstone = reader.bool();
  const bytes = reader.bytes(limits.valueMaxBytes);
  const contentType = reader.text(limits.contentTypeMaxBytes);
  const priority = reader.uint(255);
  const operation = reader.byteString(16);
  const n = readReplicaCount(reader);
  const w = reader.uint(n);
  if (w < 1) throw Reader.invalid('w is zero');
  const mode = readOne(reader, modes);
  const resolver = readOne(reader, resolvers);
  const rest = { priority, operation, n, w, mode, resolver, budgetMs: reader.uint(limits.timeoutMaxMs) };
  return { ...target, context, tombstone, bytes, contentType: contentType === '' ? undefined : contentType, ...rest };
}

function writeAnswer(writer: Writer, answer: Answer): void {
  writeOne(writer, answerTypes, answer.type);
  switch (answer.type) {
    case 'putDone':
      return writeOutcome(writer, answer.result);
    case 'stored':
      writer.uint(answer.durable ? 1 : 0);
      return;
    case 'fetched':
      return writeRecord(writer, answer.record);
    case 'listed':
      writeList(writer, answer.entries, (entry) => {
        writer.byteString(entry.key);
        writeRecord(writer, entry.record);
      });
      writer.uint(answer.more ? 1 : 0);
      return;
    case 'digests':
      return writeList(writer, answer.digests, (digest) => writer.byteString(digest));
    case 'leafKeys':
      return writeList(writer, answer.entries, (entry) => writer.text(entry.bucket).byteString(entry.key).byteString(entry.digest));
    case 'probed':
      writer.uint(answer.alive ? 1 : 0);
      return;
    case 'synced':
      writer.uint(answer.summary === undefined ? 0 : 1);
      writeList(writer, answer.summary ?? [], (entry) => {
        writer.text(entry.peer).uint(entry.incarnation).uint(entry.sequence);
        writeOne(writer, healths, entry.health);
      });
      return;
    case 'refused':
      writer.text(answer.code).text(answer.message.slice(0, 200));
      return;
  }
}

function readAnswer(reader: Reader): Answer {
  const type = readOne(reader, answerTypes);
  switch (type) {
    case 'putDone':
      return { type, result: readOutcome(reader) };
    case 'stored':
      return { type, durable: reader.bool() };
    case 'fetched':
      return { type, record: readRecord(reader) };
    case 'listed': {
      const entries = readList(reader, limits.listMax, (): Listed => ({ key: readKey(reader), record: readRecord(reader) }));
      return { type, entries, more: reader.bool() };
    }
    case 'digests':
      return { type, digests: readList(reader, limits.digestsMax, () => reader.byteString(digestBytes)) };
    case 'leafKeys':
      return {
        type,
        entries: readList(reader, limits.digestsMax, () => ({ ...readTarget(reader), digest: reader.byteString(digestBytes) })),
      };
    case 'probed':
      return { type, alive: reader.bool() };
    case 'synced': {
      const differs = reader.bool();
      const summary = readList(reader, limits.membersMax, (): MemberSummary => {
        const peer = readPeer(reader);
        return { peer, incarnation: reader.uint(), sequence: reader.uint(), health: readOne(reader, healths) };
      });
      return { type, summary: differs ? summary : undefined };
    }
    case 'refused':
      // A code of a newer version is kept as it is: it is only shown.
      return { type, code: reader.text(64) as ErrorCode, message: reader.text(1000) };
  }
}

function writeOutcome(writer: Writer, result: PutOutcome): void {
  writeOne(writer, outcomes, result.outcome);
  writeVector(writer, result.context);
  writer.uint(result.dot === undefined ? 0 : 1);
  if (result.dot !== undefined) writeDot(writer, result.dot);
  writeList(writer, result.receipts, (receipt) => {
    writer.text(receipt.peer).text(receipt.host);
    writeOne(writer, classes, receipt.class);
    writeOne(writer, roles, receipt.role);
    writeOne(writer, states, receipt.state);
    writer.uint(receipt.durable ? 1 : 0);
  });
  writer.uint(result.sloppy ? 1 : 0);
}

function readOutcome(reader: Reader): PutOutcome {
  const outcome = readOne(reader, outcomes);
  const context = readVector(reader);
  const dot = reader.bool() ? readDot(reader) : undefined;
  const receipts = readList(reader, limits.membersMax, (): Receipt => {
    const peer = readPeer(reader);
    const host = reader.text(limits.labelMaxBytes);
    return { peer, host, class: readClass(reader), role: readOne(reader, roles), state: readOne(reader, states), durable: reader.bool() };
  });
  return { outcome, context, dot, receipts, sloppy: reader.bool() };
}

function writeNotice(writer: Writer, notice: Notice): void {
  writeRumors(writer, notice.rumors);
  writeList(writer, notice.wanted, (peer) => writer.text(peer));
}

function readNotice(reader: Reader): Notice {
  return { type: 'rumors', rumors: readRumors(reader), wanted: readList(reader, limits.membersMax, () => readPeer(reader)) };
}

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

function writeRumors(writer: Writer, rumors: Rumors): void {
  writeList(writer, rumors.members, (member) => writer.bytes(member.bytes).bytes(member.signature));
  writeList(writer, rumors.suspicions, (entry) =>
    writer
      .text(entry.peer)
      .uint(entry.incarnation)
      .uint(entry.dead ? 1 : 0),
  );
}

function readRumors(reader: Reader): Rumors {
  const members = readList(reader, limits.membersMax, () => readSigned(reader));
  const suspicions = readList(reader, limits.membersMax, () => ({
    peer: readPeer(reader),
    incarnation: reader.uint(),
    dead: reader.bool(),
  }));
  return { members, suspicions };
}

export function encodeSigned(member: SignedMember): Uint8Array {
  return new Writer().bytes(member.bytes).bytes(member.signature).finish();
}

export function decodeSigned(bytes: Uint8Array): SignedMember {
  return readSigned(new Reader(bytes));
}

function readSigned(reader: Reader): SignedMember {
  const bytes = reader.bytes(64 * 1024);
  return { record: decodeMember(bytes), bytes, signature: reader.bytes(256) };
}

/** The canonical bytes of a member record, which its subject signs. They name the cluster, so that a record cannot be carried into another one. */
export function encodeMember(cluster: string, record: MemberRecord): Uint8Array {
  const writer = new Writer().text(cluster).text(record.peer).uint(record.incarnation).uint(record.sequence);
  writeOne(writer, statuses, record.status);
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
  const host = reader.text(limits.labelMaxBytes);
  const zone = reader.text(limits.labelMaxBytes);
  const durability = readClass(reader);
  const weight = reader.uint(limits.weightMax);
  const gateway = reader.text(limits.addressMaxBytes);
  const version = reader.uint();
  const addresses = readList(reader, limits.addressesMax, () => reader.text(limits.addressMaxBytes));
  reader.end();
  return { peer, incarnation, sequence, status, host, zone, class: durability, weight, gateway, version, addresses };
}

function writeRecord(writer: Writer, record: RecordSet): void {
  writer.bytes(encodeRecord(record));
}

function readRecord(reader: Reader): RecordSet {
  return decodeRecord(reader.bytes(limits.frameMaxBytes));
}

function readTarget(reader: Reader): { bucket: string; key: ReturnType<Reader['byteString']> } {
  return { bucket: readBucket(reader), key: readKey(reader) };
}

function readKey(reader: Reader): ReturnType<Reader['byteString']> {
  const key = reader.byteString(limits.keyMaxBytes);
  if (key === '') throw Reader.invalid('empty key');
  return key;
}

/** Buckets and peer ids are parts of storage keys, which a NUL divides: no NUL in them, and one byte for each character. */
const printable = /^[\x21-\x7e]+$/;

function readBucket(reader: Reader): string {
  const bucket = reader.text(limits.bucketMaxBytes);
  if (!printable.test(bucket)) throw Reader.invalid('bad bucket name');
  return bucket;
}

function readOwner(reader: Reader): PeerId | undefined {
  const owner = reader.text(limits.peerIdMaxBytes);
  if (owner !== '' && !printable.test(owner)) throw Reader.invalid('bad peer id');
  return owner === '' ? undefined : (owner as PeerId);
}

function readPeer(reader: Reader): PeerId {
  const peer = reader.text(limits.peerIdMaxBytes);
  if (!printable.test(peer)) throw Reader.invalid('bad peer id');
  return peer as PeerId;
}

const readNodes = (reader: Reader): number[] => readList(reader, limits.compareNodesMax, () => reader.uint());

function readReplicaCount(reader: Reader): number {
  const n = reader.uint(limits.replicasMax);
  if (n === 0) throw Reader.invalid('n is zero');
  return n;
}

const readClass = (reader: Reader): DurabilityClass => readOne(reader, classes);

function writeOne<T extends string>(writer: Writer, options: readonly T[], value: T): void {
  writer.u8(options.indexOf(value));
}

function readOne<T extends string>(reader: Reader, options: readonly T[]): T {
  const value = options[reader.u8()];
  if (value === undefined) throw Reader.invalid('unknown variant');
  return value;
}

function writeList<T>(writer: Writer, items: readonly T[], write: (item: T) => void): void {
  writer.uint(items.length);
  for (const item of items) write(item);
}

function readList<T>(reader: Reader, max: number, read: () => T): T[] {
  const items: T[] = [];
  for (let left = reader.count(max); left > 0; left--) items.push(read());
  return items;
}
