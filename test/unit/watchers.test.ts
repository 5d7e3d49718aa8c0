/** The bounds of watches on both sides: a watcher that does not listen, too many watches, too many keys. */

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { limits } from '../../src/core/limits.ts';
import type { Answer, Call, Filter } from '../../src/core/messages.ts';
import { OnePeer } from './support/one-peer.ts';

const watcher = 'watcher' as PeerId;
const all: Filter = { bucket: 'b', key: textToBytes(''), exact: false };

/** What the peer answers to a call of the watcher. */
function call(one: OnePeer, body: Call, from = watcher): Answer | undefined {
  const before = one.sent.length;
  one.peer.receive(one.now, from, { kind: 'call', id: 7, ring: '', body });
  one.carryOut();
  const answer = one.sent.slice(before).find(({ to, message }) => to === from && message.kind === 'answer')?.message;
  return answer?.kind === 'answer' ? answer.body : undefined;
}

const sessionOf = (answer: Answer | undefined): number | undefined => (answer?.type === 'watching' ? answer.session : undefined);

function changedCalls(one: OnePeer): Extract<Call, { type: 'changed' }>[] {
  const bodies = one.sent.flatMap(({ to, message }) => (to === watcher && message.kind === 'call' ? [message.body] : []));
  return bodies.filter((body) => body.type === 'changed');
}

function watched(): OnePeer {
  const one = new OnePeer();
  one.advance(3000);
  one.peer.linkUp(one.now, watcher);
  one.carryOut();
  return one;
}

describe('[SE3] a replica and its watchers', () => {
  it('[WA2] one batch at a time is told, and the session stays the same while each is heard', () => {
    const one = watched();
    const session = sessionOf(call(one, { type: 'watch', filters: [all] }));
    for (let i = 0; i < 5; i++) one.put(`k${i}`, 'v');
    expect(changedCalls(one).map(({ entries }) => entries.length)).toEqual([1]);
    const asked = one.sent.find(({ message }) => message.kind === 'call' && message.body.type === 'changed')?.message;
    if (asked?.kind !== 'call') throw new Error('nothing was told');
    one.peer.receive(one.now, watcher, { kind: 'answer', id: asked.id, body: { type: 'heard' } });
    one.carryOut();
    expect(changedCalls(one).map(({ entries }) => entries.length)).toEqual([1, 4]);
    expect(sessionOf(call(one, { type: 'watch', filters: [all] }))).toBe(session);
  });

  it('what waits for a watcher that does not listen is bounded; it then finds another session', () => {
    const one = watched();
    const session = sessionOf(call(one, { type: 'watch', filters: [all] }));
    for (let i = 0; i < limits.changesMax + 10; i++) one.put('k', 'v', one.get('k').record.context);
    expect(changedCalls(one)).toHaveLength(1);
    const next = sessionOf(call(one, { type: 'watch', filters: [all] }));
    expect(next).not.toBe(session);
    expect(sessionOf(call(one, { type: 'watch', filters: [all] }))).toBe(next);
  });

  it('the values of large records are left out', () => {
    const one = watched();
    call(one, { type: 'watch', filters: [{ bucket: 'b', key: textToBytes('k'), exact: true }] });
    one.put('k', 'x'.repeat(100_000));
    one.put('kk', 'not watched');
    const [told] = changedCalls(one);
    expect(told?.entries).toMatchObject([{ whole: false, record: { siblings: [{ value: { bytes: new Uint8Array(0) } }] } }]);
  });

  it('so many peers may watch; who has not asked for a minute makes room', () => {
    const one = watched();
    for (let i = 0; i < limits.watchersMax; i++) {
      const other = `w${i}` as PeerId;
      one.peer.linkUp(one.now, other);
      expect(sessionOf(call(one, { type: 'watch', filters: [all] }, other))).toBeGreaterThan(0);
    }
    expect(call(one, { type: 'watch', filters: [all] })).toMatchObject({ type: 'refused', code: 'OVERLOADED' });
    one.advance(61_000);
    expect(sessionOf(call(one, { type: 'watch', filters: [all] }))).toBeGreaterThan(0);
  });
});

describe('[SE3] the watches of one peer', () => {
  it('are so many at the most', () => {
    const one = new OnePeer();
    const command = { bucket: 'b', key: textToBytes('k'), exact: true, n: 1, initial: false };
    for (let id = 1; id <= limits.watchesMax; id++) one.peer.request(one.now, 1000 + id, { type: 'watch', command });
    one.carryOut();
    expect(one.replies.size).toBe(0);
    expect(one.request({ type: 'watch', command })).toMatchObject({ type: 'failed', error: { code: 'OVERLOADED' } });
  });
});
