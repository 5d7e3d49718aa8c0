/** How messages, requests and their answers read in a transcript: versions by their dots, with the first word of their values. */

import type { Reply, Request } from '../core/coordinator.ts';
import { dotText } from '../core/ids.ts';
import type { Answer, Call, Message, PutCommand, PutOutcome } from '../core/messages.ts';
import { liveSiblings, type RecordSet } from '../core/record.ts';
import type { VersionVector } from '../core/versions.ts';

/** Store ids are long; their first letters tell them apart. */
const shortDot = (text: string): string => text.replace(/^([0-9a-f]{4})[0-9a-f]{28}\./, '$1.');

const describeVector = (vector: VersionVector): string =>
  `{${vector.map((range) => `${shortDot(`${range.actor}:`)}${range.from === undefined ? '' : `${range.from}–`}${range.counter}`).join(' ')}}`;

function describeRecord(record: RecordSet): string {
  const versions = record.siblings.map(
    ({ dot, value }) => `${shortDot(dotText(dot))}${value.tombstone ? '†' : `=${describeBytes(value.bytes)}`}`,
  );
  return `[${versions.join(' ')}] knowing ${describeVector(record.context)}`;
}

const shownBytes = 24;

/** The first word, as far as it can be read. */
function describeBytes(bytes: Uint8Array): string {
  const [word = ''] = String.fromCharCode(...bytes.subarray(0, shownBytes)).split(/[\s]/);
  return /^[!-~]+$/.test(word) ? word : `${bytes.length} bytes`;
}

function describePut({ tombstone, key, bytes, context, w, mode }: Omit<PutCommand, 'operation'>): string {
  return `${tombstone ? `delete ${key}` : `put ${key} ${describeBytes(bytes)}`}, seen ${describeVector(context)}, w=${w} ${mode}`;
}

function describeCall(call: Call): string {
  switch (call.type) {
    case 'put':
      return describePut(call.command);
    case 'store':
      return `store ${call.key} ${describeRecord(call.record)}${call.owner === undefined ? '' : ` for ${call.owner}`}`;
    case 'fetch':
      return `fetch ${call.key}${call.wholeMaxBytes === undefined ? '' : ', or its clock'}`;
    case 'fetchMany':
      return `fetch ${call.keys.map(({ key }) => key).join(' ')}`;
    case 'probeFor':
      return `probe ${call.target} for me`;
    default:
      return call.type;
  }
}

const describeOutcome = ({ outcome, dot, sloppy }: PutOutcome): string =>
  `${outcome}${sloppy ? ' (sloppy)' : ''}${dot === undefined ? '' : ` ${shortDot(dotText(dot))}`}`;

function describeAnswer(answer: Answer): string {
  switch (answer.type) {
    case 'putDone':
      return `put ${describeOutcome(answer.result)}`;
    case 'fetched':
      return `fetched ${describeRecord(answer.record)}`;
    case 'fetchedMany':
      return `fetched ${answer.records.map((record) => (typeof record === 'string' ? record : describeRecord(record))).join('; ')}`;
    case 'clock':
      return `clock {${answer.clock.siblings.map(({ dot }) => shortDot(dotText(dot))).join(' ')}} knowing ${describeVector(answer.clock.context)}`;
    case 'probed':
      return answer.alive ? 'alive' : 'no answer there';
    case 'synced':
      return answer.summary === undefined ? 'same members' : `knows ${answer.summary.length} members`;
    case 'refused':
      return `refused ${answer.code}`;
    default:
      return answer.type;
  }
}

export function describeMessage(message: Message): string {
  switch (message.kind) {
    case 'call':
      return `${describeCall(message.body)} (${message.id})`;
    case 'answer':
      return `${describeAnswer(message.body)} (${message.id})`;
    case 'notice': {
      const { members, suspicions } = message.body.rumors;
      const records = members.map(
        ({ record }) => `${record.peer}:${record.incarnation}.${record.sequence}${record.status === 'up' ? '' : ` ${record.status}`}`,
      );
      const doubts = suspicions.map(({ peer, incarnation, dead }) => `${peer}:${incarnation} ${dead ? 'dead' : 'suspect'}`);
      return `rumors [${[...records, ...doubts].join(', ')}]${message.body.wanted.length === 0 ? '' : ` wants ${message.body.wanted.join(' ')}`}`;
    }
  }
}

export function describeRequest(request: Request): string {
  switch (request.type) {
    case 'get':
      return `get ${request.command.key}, r=${request.command.r} ${request.command.mode}`;
    case 'put':
      return describePut(request.command);
    default:
      return request.type;
  }
}

export function describeReply(reply: Reply): string {
  switch (reply.type) {
    case 'get': {
      const { record, sloppy } = reply.outcome;
      const { length } = liveSiblings(record, 0);
      return `${length === 1 ? 'one value' : `${length} values`} ${describeRecord(record)}${sloppy ? ' (sloppy)' : ''}`;
    }
    case 'put':
      return `put ${describeOutcome(reply.outcome)}`;
    case 'failed':
      return `${reply.error.code}: ${reply.error.message}`;
    default:
      return reply.type;
  }
}
