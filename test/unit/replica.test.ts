/**
 * The replica over a disk in memory: dots, limits, forgetting, and what a failing disk may not do.
 */

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import type { Actor, ByteString, Dot, PeerId } from '../../src/core/ids.ts';
import { dotText } from '../../src/core/ids.ts';
import { readHintRow } from '../../src/core/hint-index.ts';
import { hintKey, metaKey, recordKey } from '../../src/core/layout.ts';
import { addressOf } from '../../src/core/hash.ts';
import { limits } from '../../src/core/limits.ts';
import { recordDigest } from '../../src/core/merkle.ts';
import { emptyRecord, type RecordSet } from '../../src/core/record.ts';
import { onlyDot, type VersionVector } from '../../src/core/versions.ts';
import { addressOfKey, command, dotsOf, OneReplica, operation, outcome, valuesOf } from './support/one-replica.ts';

const dot = (actor: string, counter: number): Dot => ({ actor: actor as Actor, counter });
const contextOf = (...dots: [string, number][]): VersionVector => dots.map(([actor, counter]) => dot(actor, counter));
const manyActors = (count: number): VersionVector =>
  Array.from({ length: count }, (_, index) => dot(`z${String(index).padStart(4, '0')}.0`, 1));
const laterEpoch = /^s\.[1-9]\d*$/;
const epochOf = (replica: OneReplica): string => String.fromCharCode(...(replica.disk.rows.get(metaKey('store')) ?? []));

describe('minting', () => {
  it('[VR2] the dot is given after the own state was read, and told when it is durable', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    const restarted = one.restart();
    const minted = restarted.mint(command('k', 'v2'));
    restarted.disk.runReads();
    expect([minted.ended, valuesOf(restarted.stored('k'))]).toEqual([0, ['v1']]);
    restarted.disk.run();
    expect(minted.value?.dot).toEqual(dot('s.0', 2));
    expect(valuesOf(restarted.read('k'))).toEqual(['v1', 'v2']);
  });

  it('[VR1] puts that are under way together build on each other', () => {
    const one = new OneReplica('s');
    const minted = ['v1', 'v2', 'v3'].map((value) => one.mint(command('k', value)));
    one.disk.run();
    expect(minted.map(({ value }) => value && dotText(value.dot))).toEqual(['s.0:1', 's.0:2', 's.0:3']);
    expect(minted.map(({ value }) => value?.record.siblings.length)).toEqual([1, 2, 3]);
    expect(valuesOf(one.read('k'))).toEqual(['v1', 'v2', 'v3']);
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[VR1] a put with a stale context supersedes only what it saw', () => {
    const one = new OneReplica('s');
    const first = one.put(command('k', 'v1'));
    one.put(command('k', 'v2'));
    const third = one.put(command('k', 'v3', { context: onlyDot(first.dot) }));
    expect(valuesOf(third.record)).toEqual(['v2', 'v3']);
    expect(valuesOf(one.put(command('k', '', { context: third.record.context, tombstone: true })).record)).toEqual(['-']);
  });

  it('[VR5] a repeated operation returns the same dot: while it is under way, afterwards, and after a restart', () => {
    const one = new OneReplica('s');
    const put = command('k', 'v1');
    const [first, again] = [one.mint(put), one.mint(put)];
    one.disk.run();
    expect([first.value?.dot, again.value?.dot]).toEqual([dot('s.0', 1), dot('s.0', 1)]);
    expect(one.put(put).dot).toEqual(dot('s.0', 1));
    expect(one.restart().put(put).dot).toEqual(dot('s.0', 1));
    expect(valuesOf(one.read('k'))).toEqual(['v1']);
    expect(one.put(command('k', 'v1')).dot).toEqual(dot('s.0', 2));
  });

  it('[VR8] keys with hard names are keys of their own', () => {
    const one = new OneReplica('s');
    const keys = ['__proto__', 'constructor', 'toString', '\0', 'a\0b', '..', '%2F', 'ÿ', '\ud800', 'x'.repeat(1024)];
    for (const key of keys) one.put(command(key, `value of ${key}`));
    for (const key of keys) expect(valuesOf(one.restart().read(key)).length).toBe(1);
    expect(one.keys()).toEqual(keys.map((key) => textToBytes(key) as string).sort((a, b) => (a < b ? -1 : 1)));
  });
});

describe('limits', () => {
  /** The put is refused with this code, and nothing has changed. */
  function refused(one: OneReplica, put: ReturnType<typeof command>): string | undefined {
    const before = one.disk.snapshot();
    const minted = one.mint(put);
    one.disk.run();
    expect(minted.value).toBeUndefined();
    expect(one.disk.rows).toEqual(before);
    return minted.error?.code;
  }

  it('[VR6] 64 siblings, not 65; a put that resolves them is taken', () => {
    const one = new OneReplica('s');
    for (let i = 0; i < limits.siblingsMax; i++) one.put(command('k', `v${i}`));
    expect(refused(one, command('k', 'one more'))).toBe('TOO_MANY_SIBLINGS');
    expect(valuesOf(one.put(command('k', 'all', { context: contextOf(['s.0', limits.siblingsMax]) })).record)).toEqual(['all']);
  });

  it('[VR6] 128 context entries, not 129', () => {
    const one = new OneReplica('s');
    expect(one.put(command('k', 'v', { context: manyActors(limits.contextMaxEntries - 1) })).record.context.length).toBe(
      limits.contextMaxEntries,
    );
    expect(refused(one, command('other', 'v', { context: manyActors(limits.contextMaxEntries) }))).toBe('CONTEXT_TOO_LARGE');
    expect(refused(one, command('k', 'v', { context: contextOf(['zz.0', 1]) }))).toBe('CONTEXT_TOO_LARGE');
  });

  it('[VR6] counters to 2^48', () => {
    const one = new OneReplica('s');
    const record: RecordSet = { context: contextOf(['s.0', limits.counterMax - 1]), siblings: [] };
    // As on a disk that has counted so far.
    const disk = new OneReplica('s');
    disk.store('k', record);
    disk.disk.run();
    one.disk.rows = new Map([...disk.disk.rows].filter(([key]) => key !== metaKey('store')));
    expect(one.put(command('k', 'last')).dot).toEqual(dot('s.0', limits.counterMax));
    expect(refused(one, command('k', 'beyond'))).toBe('COUNTER_EXHAUSTED');
  });

  it('[VR6] merging is never refused: more siblings and entries than a put may make are kept', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    for (let i = 0; i < limits.siblingsMax; i++) {
      one.put(command('k', `s${i}`));
      other.put(command('k', `t${i}`));
    }
    const stored = one.store('k', other.stored('k'));
    one.disk.run();
    expect([stored.error, valuesOf(one.read('k')).length]).toEqual([undefined, 2 * limits.siblingsMax]);
    const wide = one.store('k', { context: manyActors(300), siblings: [] });
    one.disk.run();
    expect([wide.error, one.stored('k').context.length]).toEqual([undefined, 302]);
  });

  it('[VR7] where values are ordered by time, a time beyond the allowed drift is refused and not followed', () => {
    const [one, ahead] = [new OneReplica('s'), new OneReplica('t')];
    ahead.disk.now = { mono: 0, wall: one.disk.now.wall + 3_600_000 };
    ahead.put(command('k', 'from the future'));
    const stored = one.store('k', ahead.stored('k'), { ordered: true });
    one.disk.run();
    expect([stored.error?.code, valuesOf(one.stored('k'))]).toEqual(['CLOCK_DRIFT', []]);
    one.store('k', ahead.stored('k'));
    expect(one.put(command('other', 'v')).record.siblings[0]?.value.time).toEqual({ ms: one.disk.now.wall, tick: 0 });
    expect(valuesOf(one.stored('k'))).toEqual(['from the future']);
  });

  it('[VR7] last write wins: one value stays, the later one also when the wall clock goes back', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'first', { resolver: 'lww' }));
    one.disk.now = { mono: 1, wall: one.disk.now.wall - 3_600_000 };
    expect(valuesOf(one.put(command('k', 'second', { resolver: 'lww' })).record)).toEqual(['second']);
    expect(valuesOf(one.put(command('k', 'low', { resolver: 'priority' })).record)).toEqual(['low']);
    one.put(command('k', 'high', { resolver: 'priority', priority: 9 }));
    expect(valuesOf(one.put(command('k', 'lower', { resolver: 'priority', priority: 8 })).record)).toEqual(['high']);
  });
});

describe('taking in what others minted', () => {
  it('[VR1] [AE3] the older changes nothing, the newer replaces, the concurrent is merged', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const old = other.put(command('k', 'v1')).record;
    const next = other.put(command('k', 'v2', { context: old.context })).record;
    one.store('k', next);
    one.disk.run();
    const rows = one.disk.snapshot();
    one.store('k', old);
    one.disk.run();
    expect(one.disk.rows).toEqual(rows);
    one.put(command('k', 'mine'));
    other.put(command('k', 'v3', { context: next.context }));
    one.store('k', other.stored('k'));
    one.disk.run();
    expect(valuesOf(one.read('k'))).toEqual(['mine', 'v3']);
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[ST2] what is known but not yet durable is acknowledged when it is', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const { record } = other.put(command('k', 'v'));
    const first = one.store('k', record);
    one.disk.runReads();
    const again = one.store('k', record);
    expect([first.ended, again.ended]).toEqual([0, 0]);
    one.disk.run();
    expect([first.ended, again.ended, first.error, again.error]).toEqual([1, 1, undefined, undefined]);
  });

  it('[HH1] [HH2] a hint is written with its record and goes with its delivery, unless the record has changed', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const owner = 'owner' as PeerId;
    const { record } = other.put(command('k', 'v'));
    one.store('k', record, { owner });
    one.disk.run();
    const hint = hintKey(owner, addressOfKey('k'));
    const { keptAt, n } = readHintRow(one.restart().disk.rows.get(hint) as Uint8Array, 0);
    expect([keptAt, n]).toEqual([one.disk.now.wall, 3]);
    expect([one.settleHint(owner, 'k', emptyRecord), one.disk.rows.has(hint)]).toEqual([false, true]);
    expect([one.settleHint(owner, 'k', record), one.disk.rows.has(hint)]).toEqual([true, false]);
    expect([one.replica.hints.held, one.replica.hints.bytes]).toEqual([0, 0]);
    expect([valuesOf(one.read('k')), one.keys(), one.inconsistencies(['k'])]).toEqual([[], [], []]);
  });

  it('[VR3] a fallback that minted keeps its copy after the hint was delivered: an older one may come back, and the dots must go on', () => {
    const one = new OneReplica('s');
    const { record } = one.put(command('k', 'v'), 'owner' as PeerId);
    expect([one.settleHint('owner' as PeerId, 'k', record), valuesOf(one.read('k'))]).toEqual([true, ['v']]);
    expect(one.put(command('k', 'w')).dot).toEqual(dot('s.0', 2));
  });

  it('[VR3] what is handed to its owners costs an epoch where this store gave a version of it', () => {
    const one = new OneReplica('s');
    const { record } = one.put(command('k', 'v'));
    one.store('foreign', one.put(command('foreign', 'v')).record);
    const address = addressOf('b', textToBytes('k'));
    let gone = false;
    one.replica.discard(one.disk.now, address, recordDigest(address, record), (_, isGone) => {
      gone = isGone;
    });
    one.disk.run();
    expect([gone, valuesOf(one.read('k'))]).toEqual([true, []]);
    const next = one.put(command('k', 'w')).dot.actor;
    expect(next).not.toBe('s.0');
    expect(one.restart().put(command('other', 'x')).dot.actor).toBe(next);
  });

  it('[QR6] a listing gives the keys in bytewise order without their values, page by page', () => {
    const one = new OneReplica('s');
    for (const key of ['b', 'a', 'ab', 'c']) one.put(command(key, `value of ${key}`));
    const page = (after: string | undefined, prefix = ''): [string[], boolean] => {
      const { outcome: listed, done } = outcome<{ entries: { key: string; record: RecordSet }[]; more: boolean }>();
      one.replica.list({ type: 'list', bucket: 'b', prefix: prefix as ByteString, after: after as ByteString | undefined, limit: 2 }, done);
      one.disk.run();
      const { entries = [], more = false } = listed.value ?? {};
      expect(entries.every(({ record }) => record.siblings.every((version) => version.value.bytes.length === 0))).toBe(true);
      return [entries.map((entry) => entry.key), more];
    };
    expect([page(undefined), page('ab'), page('c'), page(undefined, 'a')]).toEqual([
      [['a', 'ab'], true],
      [['b', 'c'], false],
      [[], false],
      [['a', 'ab'], false],
    ]);
  });
});

describe('forgetting', () => {
  it('[VR3] a store that was rolled back counts under a new epoch once another replica shows it what it forgot', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    const old = one.restart();
    const forgotten = one.put(command('k', 'v2'));
    old.store('k', forgotten.record);
    old.disk.run();
    const actor = epochOf(old);
    expect(actor).toMatch(laterEpoch);
    expect(old.events).toEqual([{ type: 'amnesia', actor, reason: expect.any(String) as string }]);
    expect(old.put(command('k', 'v3')).dot).toEqual(dot(actor, 1));
    expect(old.restart().put(command('other', 'v')).dot).toEqual(dot(actor, 1));
    expect(valuesOf(old.read('k'))).toEqual(['v1', 'v2', 'v3']);
  });

  it('[VR3] the same when a client shows it in the context of its put, in one batch with the data', () => {
    const one = new OneReplica('s');
    const old = one.restart();
    const forgotten = one.put(command('k', 'v1'));
    const minted = old.mint(command('k', 'v2', { context: forgotten.record.context }));
    old.disk.runReads();
    expect(
      old.disk.writes.map((write) =>
        write.changes
          .map((change) => change.key[0])
          .sort()
          .join(''),
      ),
    ).toEqual(['kmrt']);
    old.disk.run();
    expect(minted.value?.dot.actor).toMatch(laterEpoch);
    expect([minted.value?.dot.actor, minted.value?.dot.counter]).toEqual([epochOf(old), 1]);
    expect(old.store('k', forgotten.record).error).toBeUndefined();
    old.disk.run();
    expect(valuesOf(old.read('k'))).toEqual(['v2']);
  });

  it('[VR3] a wiped store is another store, and what it had minted stays superseded or alive as it was', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const lost = one.put(command('k', 'v1'));
    other.store('k', lost.record);
    other.disk.run();
    const fresh = new OneReplica('s2');
    expect(fresh.put(command('k', 'v2')).dot).toEqual(dot('s2.0', 1));
    fresh.store('k', other.stored('k'));
    fresh.disk.run();
    expect([valuesOf(fresh.read('k')), fresh.events]).toEqual([['v1', 'v2'], []]);
  });

  it('[VR3] [ST4] a store whose disk may have lost something begins a new epoch at once', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    const damaged = one.restart(true);
    const actor = epochOf(damaged);
    expect(actor).toMatch(laterEpoch);
    expect(damaged.put(command('k', 'v2')).dot).toEqual(dot(actor, 1));
    expect(damaged.restart().put(command('k', 'v3')).dot).toEqual(dot(actor, 2));
  });

  it('[VR3] a store that knows its own counters begins no new epoch', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const first = one.put(command('k', 'v1'));
    other.store('k', first.record);
    other.disk.run();
    const merged = other.put(command('k', 'v2', { context: first.record.context }));
    one.store('k', merged.record);
    one.disk.run();
    one.put(command('k', 'v3', { context: merged.record.context }));
    expect([one.events, dotsOf(one.stored('k'))]).toEqual([[], ['s.0:2']]);
  });
});

describe('a disk that fails', () => {
  it('[VR4] a failed read is an error, not an empty record: puts, stores and reads say so and change nothing', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    const failing = one.restart();
    failing.disk.fails = (request) => request.type !== 'write';
    const [minted, stored] = [failing.mint(command('k', 'v2')), failing.store('k', { context: contextOf(['t.0', 1]), siblings: [] })];
    failing.disk.run();
    expect([minted.error?.code, stored.error?.code]).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED']);
    expect(failing.read('k')).toBeInstanceOf(MeshError);
    failing.disk.fails = () => false;
    expect(failing.put(command('k', 'v3')).dot).toEqual(dot('s.0', 2));
    expect(valuesOf(failing.read('k'))).toEqual(['v1', 'v3']);
  });

  it('[ST3] [VR3] what another replica stores takes the place of a damaged record, under a new epoch, and the leaf fits again', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const { record } = one.put(command('k', 'v1'));
    other.store('k', record);
    other.disk.run();
    const newer = other.put(command('k', 'v2', { context: record.context })).record;
    const actor = epochOf(one);
    const row = one.disk.rows.get(recordKey(addressOfKey('k'))) as Uint8Array;
    row[row.length - 6] = (row[row.length - 6] as number) ^ 4;
    expect(one.read('k')).toMatchObject({ code: 'RECORD_CORRUPT' });
    one.store('k', newer);
    one.disk.run();
    expect(valuesOf(one.read('k'))).toEqual(['v2']);
    expect(epochOf(one)).not.toBe(actor);
    expect(one.inconsistencies(['k'])).toEqual([]);
    expect(one.keys()).toEqual(['k']);
  });

  it('[ST3] a damaged record is RECORD_CORRUPT for reads, puts and listings', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    const row = one.disk.rows.get(recordKey(addressOfKey('k'))) as Uint8Array;
    row[row.length - 6] = (row[row.length - 6] as number) ^ 4;
    expect(one.read('k')).toMatchObject({ code: 'RECORD_CORRUPT' });
    expect(() => one.put(command('k', 'v2'))).toThrow(expect.objectContaining({ code: 'RECORD_CORRUPT' }));
    const { outcome: listed, done } = outcome<unknown>();
    one.replica.list({ type: 'list', bucket: 'b', prefix: '' as ByteString, after: undefined, limit: 9 }, done);
    one.disk.run();
    expect(listed.error?.code).toBe('RECORD_CORRUPT');
  });

  it('[ST4] a failed commit is an error, and what it would have changed is as it was, in memory and on disk', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    one.disk.failWrites(1);
    const minted = one.mint(command('k', 'v2'));
    one.disk.run();
    expect(minted.error?.code).toBe('STORAGE_FAILED');
    expect(one.inconsistencies(['k'])).toEqual([]);
    expect(valuesOf(one.read('k'))).toEqual(['v1']);
    expect(one.put(command('k', 'v3')).record.siblings.length).toBe(2);
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[ST4] the first commit of a key fails: there is no key, no index entry and an empty leaf', () => {
    const one = new OneReplica('s');
    one.disk.failWrites(1);
    one.mint(command('k', 'v1'));
    one.disk.run();
    expect([one.keys(), one.inconsistencies(['k'])]).toEqual([[], []]);
    one.put(command('k', 'v2', { operation: operation() }));
    expect([one.keys(), one.inconsistencies(['k'])]).toEqual([['k'], []]);
  });
});
