/**
 * Random messages of every kind, as one peer may send them to another.
 */

import fc from 'fast-check';

import { encodeMember } from '../../src/core/member-codec.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { Dot, PeerId } from '../../src/core/ids.ts';
import type {
  Answer,
  Call,
  MemberRecord,
  Message,
  PutCommand,
  PutOutcome,
  Receipt,
  Rumors,
  SignedMember,
} from '../../src/core/messages.ts';
import { clockOf } from '../../src/core/record.ts';
import { aByteString, aKey, anActor, aRecord, aText, aVector } from './arbitraries.ts';

const aUint = fc.oneof(fc.nat({ max: 200 }), fc.maxSafeNat());
const aName = (maxBytes: number): fc.Arbitrary<string> => aText(maxBytes).filter((name) => name !== '');
const printable = (maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength });
const aBucket = fc.oneof(printable(64), fc.constantFrom('__proto__', 'constructor', '..', '%2F'));
export const aPeer = fc.oneof(printable(128), fc.constantFrom('__proto__', 'toString')).map((name) => name as PeerId);
const aClass = fc.constantFrom('server', 'tab', 'ephemeral');
const aDot: fc.Arbitrary<Dot> = fc.record({ actor: anActor, counter: fc.integer({ min: 1, max: 2 ** 48 }) });
const primariesName = fc.nat({ max: 2 ** 32 - 1 });
const orNothing = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });

export const aMember: fc.Arbitrary<MemberRecord> = fc.record({
  peer: aPeer,
  incarnation: aUint,
  sequence: aUint,
  status: fc.constantFrom('joining', 'up', 'leaving', 'left'),
  paused: fc.boolean(),
  joined: aUint,
  seat: orNothing(aPeer),
  replaces: orNothing(fc.record({ peer: aPeer, joined: aUint })),
  counts: fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 4 }),
  host: aText(128),
  zone: aText(128),
  class: aClass,
  weight: fc.nat({ max: 1024 }),
  addresses: fc.array(aText(512), { maxLength: 4 }),
  gateway: aText(512),
  version: aUint,
});

const aSigned: fc.Arbitrary<SignedMember> = fc
  .tuple(aText(128), aMember, fc.uint8Array({ maxLength: 64 }))
  .map(([cluster, record, signature]) => ({ record, bytes: encodeMember(cluster, record), signature }));

export const someRumors: fc.Arbitrary<Rumors> = fc.record({
  members: fc.array(aSigned, { maxLength: 3 }),
  suspicions: fc.array(fc.record({ peer: aPeer, incarnation: aUint, dead: fc.boolean() }), { maxLength: 3 }),
  removals: fc.array(fc.record({ peer: aPeer, joined: aUint }), { maxLength: 3 }),
});

const aCommand: fc.Arbitrary<PutCommand> = fc.integer({ min: 1, max: 16 }).chain((n) =>
  fc.record({
    bucket: aBucket,
    key: aKey,
    context: aVector,
    tombstone: fc.boolean(),
    bytes: fc.uint8Array({ maxLength: 60 }),
    contentType: orNothing(aName(256)),
    priority: fc.nat({ max: 255 }),
    operation: aByteString(16, 16),
    n: fc.constant(n),
    w: fc.integer({ min: 1, max: n }),
    mode: fc.constantFrom('strict', 'sloppy', 'any'),
    resolver: fc.constantFrom('siblings', 'lww', 'priority'),
    budgetMs: fc.nat({ max: 120_000 }),
  }),
);

const aReceipt: fc.Arbitrary<Receipt> = fc.record({
  peer: aPeer,
  host: aText(128),
  class: aClass,
  role: fc.constantFrom('primary', 'fallback'),
  state: fc.constantFrom('stored', 'answered', 'pending', 'unreachable', 'timeout', 'refused'),
  durable: fc.boolean(),
});

const anOutcome: fc.Arbitrary<PutOutcome> = fc.record({
  outcome: fc.constantFrom('ok', 'partial', 'unknown'),
  context: aVector,
  dot: orNothing(aDot),
  receipts: fc.array(aReceipt, { maxLength: 4 }),
  sloppy: fc.boolean(),
});

const replicaCount = fc.integer({ min: 1, max: 16 });
const someNodes = fc.array(aUint, { maxLength: 64 });
const aDigest = aByteString(16, 16);
const someEntries = fc.array(fc.record({ bucket: aBucket, key: aKey, digest: aDigest }), { maxLength: 4 });

const someParts = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 4 });
const is = <T extends string>(type: T): fc.Arbitrary<T> => fc.constant(type);

export const aCall: { readonly [Type in Call['type']]: fc.Arbitrary<Extract<Call, { type: Type }>> } = {
  put: fc.record({ type: is('put'), command: aCommand }),
  store: fc.record({
    type: is('store'),
    bucket: aBucket,
    key: aKey,
    n: replicaCount,
    record: aRecord,
    owner: orNothing(aPeer),
    ordered: fc.boolean(),
    among: orNothing(primariesName),
  }),
  fetch: fc.record({
    type: is('fetch'),
    bucket: aBucket,
    key: aKey,
    n: fc.nat({ max: 16 }),
    wholeMaxBytes: orNothing(fc.nat({ max: 32 * 1024 * 1024 })),
    among: orNothing(primariesName),
  }),
  list: fc.record({
    type: is('list'),
    bucket: aBucket,
    prefix: aByteString(0, 20),
    after: orNothing(aByteString(0, 20)),
    limit: fc.integer({ min: 1, max: 1000 }),
  }),
  compare: fc.record({
    type: is('compare'),
    n: replicaCount,
    level: fc.constantFrom('all', 'group', 'partition', 'inner'),
    nodes: someNodes,
    digest: aDigest,
  }),
  fetchMany: fc.record({ type: is('fetchMany'), keys: fc.array(fc.record({ bucket: aBucket, key: aKey }), { maxLength: 4 }) }),
  leaves: fc.record({ type: is('leaves'), n: replicaCount, nodes: someNodes }),
  reap: fc.record({ type: is('reap'), commit: fc.boolean(), entries: someEntries }),
  takeover: fc.record({ type: is('takeover'), placement: aText(64) }),
  holdings: fc.record({ type: is('holdings') }),
  copy: fc.record({ type: is('copy'), bucket: aBucket, key: aKey }),
  probe: fc.record({ type: is('probe') }),
  probeFor: fc.record({ type: is('probeFor'), target: aPeer }),
  sync: fc.record({ type: is('sync'), view: aText(64), parts: someParts }),
  watch: fc.record({
    type: is('watch'),
    filters: fc.array(fc.record({ bucket: aBucket, key: aKey, exact: fc.boolean() }), { maxLength: 3 }),
  }),
  changed: fc.record({
    type: is('changed'),
    entries: fc.array(fc.record({ bucket: aBucket, key: aKey, record: aRecord, whole: fc.boolean() }), { maxLength: 3 }),
  }),
};

const aSummary = fc.record({
  peer: aPeer,
  incarnation: aUint,
  sequence: aUint,
  health: fc.constantFrom('alive' as const, 'suspect' as const, 'dead' as const),
  status: fc.constantFrom('joining' as const, 'up' as const, 'leaving' as const, 'left' as const),
  joined: aUint,
  removed: fc.boolean(),
});

export const anAnswer: { readonly [Type in Answer['type']]: fc.Arbitrary<Extract<Answer, { type: Type }>> } = {
  putDone: fc.record({ type: is('putDone'), result: anOutcome }),
  stored: fc.record({ type: is('stored'), durable: fc.boolean(), agrees: fc.boolean() }),
  fetched: fc.record({ type: is('fetched'), record: aRecord }),
  clock: fc.record({ type: is('clock'), clock: aRecord.map(clockOf) }),
  listed: fc.record({
    type: is('listed'),
    entries: fc.array(fc.record({ key: aKey, record: aRecord }), { maxLength: 3 }),
    more: fc.boolean(),
  }),
  digests: fc.record({ type: is('digests'), digests: fc.array(aDigest, { maxLength: 20 }) }),
  fetchedMany: fc.record({
    type: is('fetchedMany'),
    records: fc.array(fc.oneof(aRecord, fc.constantFrom<ErrorCode>('RECORD_CORRUPT', 'STORAGE_FAILED')), { maxLength: 4 }),
  }),
  leafKeys: fc.record({ type: is('leafKeys'), entries: someEntries }),
  reaped: fc.record({ type: is('reaped'), agreed: fc.array(fc.boolean(), { maxLength: 4 }) }),
  takenOver: fc.record({
    type: is('takenOver'),
    progress: fc.record({
      agrees: fc.boolean(),
      ready: fc.boolean(),
      partitions: aUint,
      partitionsDone: aUint,
      keys: aUint,
      bytes: aUint,
      waitsFor: fc.oneof(aPeer, is('')),
    }),
    counts: fc.array(replicaCount, { maxLength: 4 }),
  }),
  holdings: fc.record({
    type: is('holdings'),
    holdings: fc.record({ keys: aUint, bytes: aUint, exact: fc.boolean(), hints: aUint }),
  }),
  copied: fc.record({ type: is('copied'), record: aRecord, keptFor: fc.array(aPeer, { maxLength: 4 }) }),
  probed: fc.record({ type: is('probed'), alive: fc.boolean() }),
  synced: fc.record({ type: is('synced'), summary: orNothing(fc.array(aSummary, { maxLength: 4 })), parts: someParts }),
  refused: fc.record({
    type: is('refused'),
    code: fc.constantFrom<ErrorCode>('NOT_OWNER', 'STORAGE_FULL', 'INTERNAL'),
    message: aText(150),
  }),
  watching: fc.record({ type: is('watching'), session: aUint }),
  heard: fc.record({ type: is('heard') }),
};

export const aMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: is('call'), id: aUint, ring: aText(64), body: fc.oneof(...Object.values(aCall)) }),
  fc.record({ kind: is('answer'), id: aUint, body: fc.oneof(...Object.values(anAnswer)) }),
  fc.record({ kind: is('notice'), body: fc.record({ type: is('rumors'), rumors: someRumors, wanted: fc.array(aPeer, { maxLength: 3 }) }) }),
);
