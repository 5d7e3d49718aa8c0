/**
 * What becomes of deleted and expired values: expiry, the removal of tombstones that all agree on, and dots that are not given again after it.
 */

import { describe, expect, it } from 'vitest';

import { addressOfDueKey, dueKey, recordKey } from '../../src/core/layout.ts';
import { recordDigest } from '../../src/core/merkle.ts';
import { buryExpired, decodeRecord, encodeRecord, liveSiblings, type RecordSet } from '../../src/core/record.ts';
import { addressOfKey, command, dotsOf, OneReplica, valuesOf } from './support/one-replica.ts';

const reap = (one: OneReplica, key: string, record: RecordSet): boolean | undefined => {
  let gone: boolean | undefined;
  one.replica.reap(one.disk.now, addressOfKey(key), recordDigest(addressOfKey(key), record), (_, result) => (gone = result));
  one.disk.run();
  return gone;
};

const dueRows = (one: OneReplica): string[] => [...one.disk.rows.keys()].filter((row) => row.startsWith('d') || row.startsWith('e'));

const deleted = (one: OneReplica, key: string): RecordSet => {
  const { record } = one.put(command(key, 'v'));
  return one.put(command(key, '', { tombstone: true, context: record.context })).record;
};

describe('values that expire', () => {
  const wall = 1_700_000_000_000;

  it('[TS3] are not alive from their time on, keep it through storage, and are listed by it', () => {
    const one = new OneReplica('s');
    const { record } = one.put(command('k', 'v', { expires: wall + 5000 }));
    expect([liveSiblings(record, wall + 4999).length, liveSiblings(record, wall + 5000).length]).toEqual([1, 0]);
    expect(decodeRecord(encodeRecord(one.stored('k'))).siblings[0]?.value.expires).toBe(wall + 5000);
    expect(dueRows(one)).toEqual([dueKey('e', wall + 5000, addressOfKey('k'))]);
    expect(addressOfDueKey(dueKey('e', wall + 5000, addressOfKey('k')))).toEqual(addressOfKey('k'));
  });

  it('[TS3] are buried under their dot: the clock and the trees stay as they are, and the value never comes back', () => {
    const one = new OneReplica('s');
    const { record } = one.put(command('k', 'v', { expires: wall + 5000 }));
    one.disk.now = { mono: 6000, wall: wall + 6000 };
    one.replica.bury(one.disk.now, dueKey('e', wall + 5000, addressOfKey('k')), addressOfKey('k'), () => {});
    one.disk.run();
    const buried = one.stored('k');
    expect([valuesOf(buried), dotsOf(buried)]).toEqual([['-'], dotsOf(record)]);
    expect(recordDigest(addressOfKey('k'), buried)).toBe(recordDigest(addressOfKey('k'), record));
    expect(dueRows(one)).toEqual([dueKey('d', wall + 5000, addressOfKey('k'))]);
    expect(one.inconsistencies(['k'])).toEqual([]);
    // A copy that another replica still has is known here.
    one.store('k', record);
    one.disk.run();
    expect(valuesOf(one.read('k'))).toEqual(['-']);
  });

  it('[TS3] [AE1] a row that has outlived its record is removed, and is in nobody’s way', () => {
    const one = new OneReplica('s');
    const row = dueKey('e', wall, addressOfKey('k'));
    one.disk.rows.set(row, new Uint8Array(0));
    one.replica.bury(one.disk.now, row, addressOfKey('k'), () => {});
    one.disk.step();
    // A put that comes meanwhile is stored with the n of its own bucket.
    one.put(command('k', 'v'));
    expect(dueRows(one)).toEqual([]);
    expect(one.disk.rows.get(recordKey(addressOfKey('k')))?.[1]).toBe(3);
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[TS3] leave their siblings alone', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'stays'));
    const { record } = one.put(command('k', 'goes', { expires: wall + 1 }));
    expect(valuesOf(buryExpired(record, wall + 1))).toEqual(['-', 'stays']);
  });
});

describe('tombstones that all agree on', () => {
  it('[TS1] go with everything that belongs to them', () => {
    const one = new OneReplica('s');
    const record = deleted(one, 'k');
    expect(dueRows(one).length).toBe(1);
    expect(reap(one, 'k', record)).toBe(true);
    expect([one.stored('k').context, one.keys(), dueRows(one), one.inconsistencies(['k'])]).toEqual([[], [], [], []]);
  });

  it('[TS1] stay where the record has changed since, or holds a value', () => {
    const one = new OneReplica('s');
    const record = deleted(one, 'k');
    one.put(command('k', 'new', { context: record.context }));
    expect(reap(one, 'k', record)).toBe(false);
    expect(reap(one, 'k', one.stored('k'))).toBe(false);
    expect(valuesOf(one.read('k'))).toEqual(['new']);
  });

  it('[TS1] [VR3] no dot of a reaped record is given again, not even after a restart, and none is mistaken for amnesia', () => {
    const one = new OneReplica('s');
    const record = deleted(one, 'k');
    const before = [1, 2].map((counter) => `s.0:${counter}`);
    reap(one, 'k', record);
    for (const store of [one.restart(), one]) {
      const { dot } = store.put(command('k', 'again'));
      expect(before).not.toContain(`${dot.actor}:${dot.counter}`);
      // A client that remembers the reaped versions is no evidence that this store has forgotten.
      expect(store.put(command('l', 'x', { context: record.context })).dot.actor).toBe('s.0');
    }
  });

  it('[TS1] a client with an old context does not bring a dot back, and does not hide the new value', () => {
    const one = new OneReplica('s');
    const first = one.put(command('k', 'v1')).record;
    const record = one.put(command('k', '', { tombstone: true, context: first.context })).record;
    reap(one, 'k', record);
    const { record: next, dot } = one.put(command('k', 'v2', { context: first.context }));
    expect(dot.counter).toBeGreaterThan(2);
    expect(valuesOf(next)).toEqual(['v2']);
  });
});
