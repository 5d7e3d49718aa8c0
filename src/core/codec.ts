/**
 * Messages to frames and back. A frame begins with a version byte (MB6). Decoding is total: any bytes give a valid message or a MeshError with the code
 * `FRAME_INVALID`, and every count and length is checked against its limit and against the bytes that are there first (SE3, SE4).
 */

import { Reader, Writer } from './bytes.ts';
import { type ErrorCode, MeshError } from './errors.ts';
import { limits } from './limits.ts';
import type { Answer, Call, LeafEntry, Listed, Message, Notice, TakeoverProgress } from './messages.ts';
import { readParts, readRumors, readSynced, writeParts, writeRumors, writeSynced } from './member-codec.ts';
import { digestBytes } from './merkle.ts';
import { readCommand, readOutcome, writeCommand, writeOutcome } from './put-codec.ts';
import { decodeReceived, decodeRecord, encodeRecord, readClock, recordSize, type RecordSet, writeClock } from './record.ts';
import { readChanges, readFilters, writeChanges, writeFilters } from './watch-codec.ts';
import {
  protocolVersion,
  readBucket,
  readKey,
  readList,
  readNodes,
  readOne,
  readOwner,
  readPeer,
  readReplicaCount,
  readTarget,
  writeList,
  writeOne,
} from './wire.ts';

const kinds = ['call', 'answer', 'notice'] as const;
const callTypes = [
  'put',
  'store',
  'fetch',
  'list',
  'compare',
  'leaves',
  'probe',
  'probeFor',
  'sync',
  'reap',
  'takeover',
  'holdings',
  'copy',
  'watch',
  'changed',
  'fetchMany',
] as const;
const answerTypes = [
  'putDone',
  'stored',
  'fetched',
  'listed',
  'digests',
  'leafKeys',
  'probed',
  'synced',
  'refused',
  'reaped',
  'clock',
  'takenOver',
  'holdings',
  'copied',
  'watching',
  'heard',
  'fetchedMany',
] as const;
const levels = ['all', 'group', 'partition', 'inner'] as const;

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
  if (body.type === 'fetchedMany')
    return body.records.reduce((sum, record) => sum + (typeof record === 'string' ? 0 : recordSize(record)), 0);
  return body.type === 'store' || body.type === 'fetched' || body.type === 'copied' ? recordSize(body.record) : 0;
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

/** Nearly every message names the ring of the one before. */
let lastRing = '';

function readMessage(reader: Reader): Message {
  const kind = readOne(reader, kinds);
  if (kind === 'call') {
    const id = reader.uint();
    lastRing = reader.text(64, lastRing);
    return { kind, id, ring: lastRing, body: readCall(reader) };
  }
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
      writeOptional(writer, call.among);
      return writeRecord(writer, call.record);
    case 'fetch':
      writer.text(call.bucket).byteString(call.key).uint(call.n);
      writeOptional(writer, call.wholeMaxBytes);
      writeOptional(writer, call.among);
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
    case 'fetchMany':
      return writeList(writer, call.keys, ({ bucket, key }) => writer.text(bucket).byteString(key));
    case 'reap':
      writer.uint(call.commit ? 1 : 0);
      return writeEntries(writer, call.entries);
    case 'takeover':
      writer.text(call.placement);
      return;
    case 'copy':
      writer.text(call.bucket).byteString(call.key);
      return;
    case 'holdings':
    case 'probe':
      return;
    case 'probeFor':
      writer.text(call.target);
      return;
    case 'sync':
      writer.text(call.view);
      return writeParts(writer, call.parts);
    case 'watch':
      return writeFilters(writer, call.filters);
    case 'changed':
      return writeChanges(writer, call.entries);
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
      const ordered = reader.bool();
      const among = readOptional(reader, amongMax);
      return { type, ...target, n, owner, ordered, among, record: decodeRecord(reader.bytes(limits.frameMaxBytes)) };
    }
    case 'fetch': {
      const target = readTarget(reader);
      const n = reader.uint(limits.replicasMax);
      const wholeMaxBytes = readOptional(reader, limits.frameMaxBytes);
      return { type, ...target, n, wholeMaxBytes, among: readOptional(reader, amongMax) };
    }
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
    case 'fetchMany':
      return { type, keys: readList(reader, limits.copiesMax, () => readTarget(reader)) };
    case 'reap':
      return { type, commit: reader.bool(), entries: readEntries(reader) };
    case 'takeover':
      return { type, placement: reader.text(64) };
    case 'copy':
      return { type, ...readTarget(reader) };
    case 'holdings':
    case 'probe':
      return { type };
    case 'probeFor':
      return { type, target: readPeer(reader) };
    case 'sync':
      return { type, view: reader.text(64), parts: readParts(reader) };
    case 'watch':
      return { type, filters: readFilters(reader) };
    case 'changed':
      return { type, entries: readChanges(reader) };
  }
}

function writeAnswer(writer: Writer, answer: Answer): void {
  writeOne(writer, answerTypes, answer.type);
  switch (answer.type) {
    case 'putDone':
      return writeOutcome(writer, answer.result);
    case 'stored':
      writer.uint(answer.durable ? 1 : 0).uint(answer.agrees ? 1 : 0);
      return;
    case 'fetched':
      return writeRecord(writer, answer.record);
    case 'clock':
      return writeClock(writer, answer.clock);
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
      return writeEntries(writer, answer.entries);
    case 'fetchedMany':
      return writeList(writer, answer.records, (copy) => {
        writer.text(typeof copy === 'string' ? copy : '');
        if (typeof copy !== 'string') writeRecord(writer, copy);
      });
    case 'reaped':
      return writeList(writer, answer.agreed, (agreed) => writer.uint(agreed ? 1 : 0));
    case 'takenOver':
      writeProgress(writer, answer.progress);
      return writeList(writer, answer.counts, (n) => writer.uint(n));
    case 'holdings': {
      const { keys, bytes, exact, hints } = answer.holdings;
      writer
        .uint(keys)
        .uint(bytes)
        .uint(exact ? 1 : 0)
        .uint(hints);
      return;
    }
    case 'copied':
      writeRecord(writer, answer.record);
      return writeList(writer, answer.keptFor, (peer) => writer.text(peer));
    case 'probed':
      writer.uint(answer.alive ? 1 : 0);
      return;
    case 'synced':
      return writeSynced(writer, answer);
    case 'refused':
      writer.text(answer.code).text(answer.message.slice(0, 200));
      return;
    case 'watching':
      writer.uint(answer.session);
      return;
    case 'heard':
      return;
  }
}

function readAnswer(reader: Reader): Answer {
  const type = readOne(reader, answerTypes);
  switch (type) {
    case 'putDone':
      return { type, result: readOutcome(reader) };
    case 'stored':
      return { type, durable: reader.bool(), agrees: reader.bool() };
    case 'clock':
      return { type, clock: readClock(reader) };
    case 'fetched':
      return { type, record: decodeReceived(reader.bytes(limits.frameMaxBytes)) };
    case 'listed': {
      const read = (): Listed => ({ key: readKey(reader), record: decodeReceived(reader.bytes(limits.frameMaxBytes)) });
      const entries = readList(reader, limits.listMax, read);
      return { type, entries, more: reader.bool() };
    }
    case 'digests':
      return { type, digests: readList(reader, limits.digestsMax, () => reader.byteString(digestBytes)) };
    case 'leafKeys':
      return { type, entries: readEntries(reader) };
    case 'fetchedMany':
      return { type, records: readList(reader, limits.copiesMax, () => readCopy(reader)) };
    case 'reaped':
      return { type, agreed: readList(reader, limits.digestsMax, () => reader.bool()) };
    case 'takenOver':
      return { type, progress: readProgress(reader), counts: readList(reader, limits.replicasMax, () => readReplicaCount(reader)) };
    case 'holdings':
      return { type, holdings: { keys: reader.uint(), bytes: reader.uint(), exact: reader.bool(), hints: reader.uint() } };
    case 'copied': {
      const record = decodeReceived(reader.bytes(limits.frameMaxBytes));
      return { type, record, keptFor: readList(reader, limits.membersMax, () => readPeer(reader)) };
    }
    case 'probed':
      return { type, alive: reader.bool() };
    case 'synced':
      return { type, ...readSynced(reader) };
    case 'refused':
      // A code of a newer version is kept as it is: it is only shown.
      return { type, code: reader.text(64) as ErrorCode, message: reader.text(1000) };
    case 'watching':
      return { type, session: reader.uint() };
    case 'heard':
      return { type };
  }
}

const amongMax = 2 ** 32 - 1;

const writeOptional = (writer: Writer, value: number | undefined): Writer => writer.uint(value === undefined ? 0 : value + 1);

function readOptional(reader: Reader, max: number): number | undefined {
  const value = reader.uint(max + 1);
  return value === 0 ? undefined : value - 1;
}

function writeProgress(writer: Writer, progress: TakeoverProgress): void {
  const { agrees, ready, partitions, partitionsDone, keys, bytes, waitsFor } = progress;
  writer
    .uint(agrees ? 1 : 0)
    .uint(ready ? 1 : 0)
    .uint(partitions)
    .uint(partitionsDone)
    .uint(keys)
    .uint(bytes);
  writer.text(waitsFor);
}

function readProgress(reader: Reader): TakeoverProgress {
  const agrees = reader.bool();
  const ready = reader.bool();
  const counts = { partitions: reader.uint(), partitionsDone: reader.uint(), keys: reader.uint(), bytes: reader.uint() };
  return { agrees, ready, ...counts, waitsFor: readOwner(reader) ?? '' };
}

function writeEntries(writer: Writer, entries: readonly LeafEntry[]): void {
  writeList(writer, entries, (entry) => writer.text(entry.bucket).byteString(entry.key).byteString(entry.digest));
}

function readCopy(reader: Reader): RecordSet | ErrorCode {
  const code = reader.text(64);
  return code === '' ? decodeReceived(reader.bytes(limits.frameMaxBytes)) : (code as ErrorCode);
}

const readEntries = (reader: Reader): LeafEntry[] =>
  readList(reader, limits.digestsMax, () => ({ ...readTarget(reader), digest: reader.byteString(digestBytes) }));

function writeNotice(writer: Writer, notice: Notice): void {
  writeRumors(writer, notice.rumors);
  writeList(writer, notice.wanted, (peer) => writer.text(peer));
}

function readNotice(reader: Reader): Notice {
  return { type: 'rumors', rumors: readRumors(reader), wanted: readList(reader, limits.membersMax, () => readPeer(reader)) };
}

function writeRecord(writer: Writer, record: RecordSet): void {
  writer.bytes(encodeRecord(record));
}
