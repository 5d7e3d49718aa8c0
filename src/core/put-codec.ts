/** Puts on the wire: the command on its way to the replica that mints its dot, and what came of it. */

import { Reader, type Writer } from './bytes.ts';
import { limits } from './limits.ts';
import type { PutCommand, PutOutcome, Receipt } from './messages.ts';
import { readDot, readVector, writeDot, writeVector } from './record.ts';
import { classes, readClass, readList, readOne, readPeer, readReplicaCount, readTarget, writeList, writeOne } from './wire.ts';

const modes = ['strict', 'sloppy', 'any'] as const;
const resolvers = ['siblings', 'lww', 'priority'] as const;
const outcomes = ['ok', 'partial', 'unknown'] as const;
const states = ['stored', 'answered', 'pending', 'unreachable', 'timeout', 'refused'] as const;
const roles = ['primary', 'fallback', 'gaining'] as const;

export function writeCommand(writer: Writer, command: PutCommand): void {
  writer.text(command.bucket).byteString(command.key);
  writeVector(writer, command.context);
  writer
    .uint(command.tombstone ? 1 : 0)
    .bytes(command.bytes)
    .text(command.contentType ?? '');
  writer
    .uint(command.priority)
    .uint(command.expires ?? 0)
    .byteString(command.operation)
    .uint(command.n)
    .uint(command.w);
  writeOne(writer, modes, command.mode);
  writeOne(writer, resolvers, command.resolver);
  writer.uint(Math.max(0, Math.floor(command.budgetMs)));
}

/** The fields in one literal: of an object put together from others V8 makes a dictionary, slow to make and to read. */
export function readCommand(reader: Reader): PutCommand {
  const { bucket, key } = readTarget(reader);
  const context = readVector(reader);
  const tombstone = reader.bool();
  const bytes = reader.bytes(limits.valueMaxBytes);
  const type = reader.text(limits.contentTypeMaxBytes);
  const contentType = type === '' ? undefined : type;
  const priority = reader.uint(255);
  const expiry = reader.uint();
  const expires = expiry === 0 ? undefined : expiry;
  const operation = reader.byteString(16);
  const n = readReplicaCount(reader);
  const w = reader.uint(n);
  if (w < 1) throw Reader.invalid('w is zero');
  const mode = readOne(reader, modes);
  const resolver = readOne(reader, resolvers);
  const budgetMs = reader.uint(limits.timeoutMaxMs);
  return { bucket, key, context, tombstone, bytes, contentType, priority, expires, operation, n, w, mode, resolver, budgetMs };
}

export function writeOutcome(writer: Writer, result: PutOutcome): void {
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

export function readOutcome(reader: Reader): PutOutcome {
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
