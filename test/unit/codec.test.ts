/**
 * Frames by hand: the frozen form of a few messages, limits, and claims that are not true.
 */

import { describe, expect, it } from 'vitest';

import { hex, Writer } from '../../src/core/bytes.ts';
import { decodeMessage, encodeMessage } from '../../src/core/codec.ts';
import { decodeRumors, decodeSigned } from '../../src/core/member-codec.ts';
import { MeshError } from '../../src/core/errors.ts';
import type { Actor, ByteString, PeerId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Answer, Call, Message, PutCommand } from '../../src/core/messages.ts';

const refused = (decode: (frame: Uint8Array) => unknown, frame: Uint8Array): string => {
  try {
    decode(frame);
  } catch (error) {
    if (error instanceof MeshError) return error.code;
    throw error;
  }
  return 'accepted';
};

/** A frame that begins like this message, up to and including the type of its body. */
const call = (body: Call): Writer => new Writer().raw(encodeMessage({ kind: 'call', id: 1, ring: '', body }).subarray(0, 5));
const answer = (body: Answer): Writer => new Writer().raw(encodeMessage({ kind: 'answer', id: 1, body }).subarray(0, 4));
const notice = (): Writer => new Writer().u8(1).u8(2);

const command: PutCommand = {
  bucket: 'carts',
  key: 'alice' as ByteString,
  context: [{ actor: 'a.0' as Actor, counter: 2 }],
  tombstone: false,
  bytes: Uint8Array.of(1, 2, 3),
  contentType: 'text/plain',
  priority: 0,
  operation: '0123456789abcdef' as ByteString,
  n: 3,
  w: 2,
  mode: 'sloppy',
  resolver: 'siblings',
  budgetMs: 5000,
};
const put = (change: Partial<PutCommand>): Uint8Array =>
  encodeMessage({ kind: 'call', id: 1, ring: 'r', body: { type: 'put', command: { ...command, ...change } } });

describe('the form of a frame', () => {
  it('[MB6] is frozen: peers of different ages talk to each other', () => {
    const messages: Message[] = [
      { kind: 'call', id: 7, ring: 'abc', body: { type: 'put', command } },
      { kind: 'call', id: 8, ring: '', body: { type: 'fetch', bucket: 'b', key: 'k' as ByteString, n: 3 } },
      { kind: 'answer', id: 300, body: { type: 'stored', durable: true, agrees: true } },
      {
        kind: 'answer',
        id: 9,
        body: {
          type: 'synced',
          summary: [{ peer: 'p' as PeerId, incarnation: 1, sequence: 2, health: 'dead', status: 'up', joined: 1, removed: false }],
          parts: [],
        },
      },
      {
        kind: 'notice',
        body: {
          type: 'rumors',
          rumors: { members: [], suspicions: [{ peer: 'p' as PeerId, incarnation: 3, dead: true }], removals: [] },
          wanted: ['q' as PeerId],
        },
      },
    ];
    expect(messages.map((message) => hex(encodeMessage(message)))).toEqual([
      '010007036162630005636172747305616c6963650103612e30010100030102030a746578742f706c61696e00001030313233343536373839616263646566030201008827',
      '01000800020162016b030000',
      '0101ac02010101',
      '010109070101017001020201010000',
      '010200010170030100010171',
    ]);
  });

  it('[MB6] another version, kind or type is refused', () => {
    const good = encodeMessage({ kind: 'call', id: 1, ring: '', body: { type: 'probe' } });
    expect(refused(decodeMessage, good)).toBe('accepted');
    for (const [at, value] of [
      [0, 2],
      [0, 0],
      [1, 3],
      [4, 200],
      [4, 255],
    ] as const) {
      const frame = good.slice();
      frame[at] = value;
      expect(refused(decodeMessage, frame)).toBe('FRAME_INVALID');
    }
  });

  it('[QR6] a long refusal is cut, and its code is kept even when it is new', () => {
    const message = 'x'.repeat(199) + '\u{1f98a}'.repeat(50);
    const decoded = decodeMessage(encodeMessage({ kind: 'answer', id: 1, body: { type: 'refused', code: 'STORAGE_FULL', message } }));
    expect(decoded).toEqual({ kind: 'answer', id: 1, body: { type: 'refused', code: 'STORAGE_FULL', message: message.slice(0, 200) } });
    expect(decodeMessage(answer({ type: 'refused', code: 'INTERNAL', message: '' }).text('OF_TOMORROW').text('m').finish())).toMatchObject({
      body: { code: 'OF_TOMORROW' },
    });
  });
});

describe('limits', () => {
  it('[SE3] what is within its limit passes, one byte more does not', () => {
    const key = (length: number): ByteString => 'k'.repeat(length) as ByteString;
    const cases: [string, number, (size: number) => Uint8Array][] = [
      ['key', limits.keyMaxBytes, (size) => put({ key: key(size) })],
      ['bucket', limits.bucketMaxBytes, (size) => put({ bucket: 'b'.repeat(size) })],
      ['value', limits.valueMaxBytes, (size) => put({ bytes: new Uint8Array(size) })],
      ['content type', limits.contentTypeMaxBytes, (size) => put({ contentType: 'c'.repeat(size) })],
      ['actor', limits.actorMaxBytes, (size) => put({ context: [{ actor: 'a'.repeat(size) as Actor, counter: 1 }] })],
      ['counter', limits.counterMax, (counter) => put({ context: [{ actor: 'a' as Actor, counter }] })],
      ['priority', 255, (priority) => put({ priority })],
      ['n', limits.replicasMax, (n) => put({ n, w: 1 })],
      ['w', 3, (w) => put({ n: 3, w })],
      ['budget', limits.timeoutMaxMs, (budgetMs) => put({ budgetMs })],
      [
        'prefix',
        limits.keyMaxBytes,
        (size) =>
          encodeMessage({
            kind: 'call',
            id: 1,
            ring: '',
            body: { type: 'list', bucket: 'b', prefix: key(size), after: undefined, limit: 1 },
          }),
      ],
      [
        'page',
        limits.listMax,
        (limit) =>
          encodeMessage({ kind: 'call', id: 1, ring: '', body: { type: 'list', bucket: 'b', prefix: key(0), after: undefined, limit } }),
      ],
      [
        'peer id',
        limits.peerIdMaxBytes,
        (size) => encodeMessage({ kind: 'call', id: 1, ring: '', body: { type: 'probeFor', target: 'p'.repeat(size) as PeerId } }),
      ],
    ];
    for (const [name, most, frameOf] of cases) {
      expect(refused(decodeMessage, frameOf(most)), name).toBe('accepted');
      expect(refused(decodeMessage, frameOf(most + 1)), name).toBe('FRAME_INVALID');
    }
  });

  it('[SE4] empty names, names that would run into their neighbours in storage, and quorums that never can be are refused', () => {
    const bad: Partial<PutCommand>[] = [
      { key: '' as ByteString },
      { bucket: '' },
      { bucket: 'a\0b' },
      { bucket: 'a b' },
      { bucket: '\u0100' },
      { w: 0 },
      { n: 0, w: 0 },
      { n: 2, w: 3 },
    ];
    for (const change of bad) expect(refused(decodeMessage, put(change)), JSON.stringify(change)).toBe('FRAME_INVALID');
    for (const target of ['', 'a\0b', 'ÿ', '\ud800']) {
      const store = {
        type: 'store',
        bucket: 'b',
        key: 'k' as ByteString,
        n: 3,
        record: { context: [], siblings: [] },
        owner: target as PeerId,
        ordered: false,
      } as const;
      expect(
        refused(decodeMessage, encodeMessage({ kind: 'call', id: 1, ring: '', body: { type: 'probeFor', target: target as PeerId } })),
      ).toBe('FRAME_INVALID');
      if (target !== '')
        expect(refused(decodeMessage, encodeMessage({ kind: 'call', id: 1, ring: '', body: store }))).toBe('FRAME_INVALID');
    }
  });
});

describe('untrue claims', () => {
  const huge = [2 ** 16, 2 ** 31, 2 ** 40, 2 ** 53 - 1];

  it('[SE3] lengths and counts beyond the frame are refused before anything is allocated', () => {
    const nothing = { context: [], siblings: [] };
    const [bucket, key] = ['b', 'k' as ByteString];
    const frames = huge.flatMap((claim) => [
      call({ type: 'put', command }).uint(claim),
      call({ type: 'put', command }).text('b').uint(claim),
      call({ type: 'put', command }).text('b').byteString('k').uint(claim),
      call({ type: 'put', command }).text('b').byteString('k').uint(0).uint(0).uint(claim),
      call({ type: 'store', bucket, key, n: 3, record: nothing, owner: undefined, ordered: false })
        .text('b')
        .byteString('k')
        .uint(3)
        .text('')
        .uint(0)
        .uint(claim),
      call({ type: 'fetch', bucket, key, n: 0 }).text('b').uint(claim),
      call({ type: 'leaves', n: 3, nodes: [] }).uint(3).uint(claim),
      call({ type: 'sync', view: '', parts: [] }).uint(claim),
      call({ type: 'sync', view: '', parts: [] }).text('').uint(claim),
      answer({ type: 'putDone', result: { outcome: 'ok', context: [], dot: undefined, receipts: [], sloppy: false } })
        .u8(0)
        .uint(claim),
      answer({ type: 'putDone', result: { outcome: 'ok', context: [], dot: undefined, receipts: [], sloppy: false } })
        .u8(0)
        .uint(0)
        .uint(0)
        .uint(claim),
      answer({ type: 'fetched', record: nothing }).uint(claim),
      answer({ type: 'listed', entries: [], more: false }).uint(claim),
      answer({ type: 'digests', digests: [] }).uint(claim),
      answer({ type: 'leafKeys', entries: [] }).uint(claim),
      answer({ type: 'synced', summary: [], parts: [] }).uint(1).uint(claim),
      answer({ type: 'synced', summary: [], parts: [] }).uint(1).uint(0).uint(claim),
      answer({ type: 'refused', code: 'INTERNAL', message: '' }).uint(claim),
      notice().uint(claim),
      notice().uint(0).uint(claim),
      notice().uint(0).uint(0).uint(claim),
      notice().uint(1).uint(claim),
    ]);
    const before = memoryUsed();
    for (let round = 0; round < 50; round++) for (const frame of frames) expectInvalid(frame.finish());
    expect(memoryUsed() - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('[SE3] the same for gossip and for rows of the disk', () => {
    for (const claim of huge) {
      expect(refused(decodeRumors, new Writer().u8(1).uint(claim).finish())).toBe('FRAME_INVALID');
      expect(refused(decodeSigned, new Writer().uint(claim).finish())).toBe('FRAME_INVALID');
      expect(refused(decodeSigned, new Writer().uint(1).u8(1).uint(claim).finish())).toBe('FRAME_INVALID');
    }
  });

  it('[SE3] [SE4] a frame full of the smallest items is decoded in good time', () => {
    const items = 60_000;
    const writer = notice().uint(0).uint(items);
    for (let i = 0; i < items; i++) writer.text('p').uint(1).uint(0);
    const decoded = decodeMessage(writer.uint(0).uint(0).finish());
    expect(decoded.kind === 'notice' && decoded.body.rumors.suspicions.length).toBe(items);
  });
});

function expectInvalid(frame: Uint8Array): void {
  const code = refused(decodeMessage, frame);
  if (code !== 'FRAME_INVALID') expect.unreachable(`${hex(frame)} was ${code}`);
}

const memoryUsed = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
