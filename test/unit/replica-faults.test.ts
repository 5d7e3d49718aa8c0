/**
 * A replica whose disk fails for a while, in the middle of other commits; and stores that come back older than they were. What was acknowledged is there, a dot
 * names one value, and the trees tell what is on the disk.
 */

import { describe, expect, it } from 'vitest';

import type { Actor, PeerId } from '../../src/core/ids.ts';
import { dotText } from '../../src/core/ids.ts';
import { hintKey, recordKey } from '../../src/core/layout.ts';
import { leafNumber, leafOf } from '../../src/core/merkle.ts';
import type { RecordSet } from '../../src/core/record.ts';
import { partitionOf } from '../../src/core/ring.ts';
import { addressOfKey, command, neighbours, OneReplica, partitions, valuesOf } from './support/one-replica.ts';

describe('a commit that fails while others are under way', () => {
  it('[ST2] what is in a commit that failed is not acknowledged to the second who brought it', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const { record } = other.put(command('k', 'v'));
    const first = one.store('k', record);
    one.disk.runReads();
    const again = one.store('k', record);
    one.disk.failWrites(1);
    one.disk.run();
    expect(first.error?.code).toBe('STORAGE_FAILED');
    const acknowledged = again.error === undefined;
    expect(acknowledged && valuesOf(one.restart().read('k')).length === 0).toBe(false);
  });

  it('[VR3] the dot of a commit that failed is not told to who repeats the put, unless it is kept', () => {
    const one = new OneReplica('s');
    const put = command('k', 'v1');
    one.mint(put);
    one.disk.runReads();
    const again = one.mint(put);
    one.disk.failWrites(1);
    one.disk.run();
    const next = one.put(command('k', 'v2'));
    const told = again.value === undefined ? [] : [dotText(again.value.dot)];
    expect([...told, dotText(next.dot)].length).toBe(new Set([...told, dotText(next.dot)]).size);
  });

  it('[AE1] a key in the same leaf is committed: the leaf on disk counts what is on disk', () => {
    const [lost, kept] = neighbours();
    const one = new OneReplica('s');
    one.mint(command(lost, 'v'));
    one.disk.runReads();
    one.mint(command(kept, 'v'));
    one.disk.runReads();
    one.disk.failWrites(1);
    one.disk.run();
    expect([one.keys(), one.inconsistencies([lost, kept])]).toEqual([[kept], []]);
    expect(one.restart().inconsistencies([lost, kept])).toEqual([]);
  });

  it('[ST4] a later commit of the same key succeeds: the key is listed, and memory and disk agree', () => {
    const one = new OneReplica('s');
    const failing = one.mint(command('k', 'v1'));
    one.disk.runReads();
    const later = one.mint(command('k', 'v2'));
    one.disk.failWrites(1);
    one.disk.run();
    expect(failing.error?.code).toBe('STORAGE_FAILED');
    if (later.error === undefined) expect(one.keys()).toEqual(['k']);
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[HH1] a later commit of the same key does not lose the hint of one that was acknowledged', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const owner = 'owner' as PeerId;
    const { record } = other.put(command('k', 'v'));
    one.mint(command('k', 'w'));
    one.disk.runReads();
    const stored = one.store('k', record, { owner });
    one.disk.failWrites(1);
    one.disk.run();
    expect(stored.error !== undefined || one.disk.rows.has(hintKey(owner, addressOfKey('k')))).toBe(true);
  });

  it('[AE1] the record cannot be read again after its commit has failed: the trees do not keep what never was', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v1'));
    let writes = 1;
    let reads = 1;
    one.mint(command('k', 'v2'));
    one.disk.runReads();
    one.disk.fails = (request) => (request.type === 'write' ? writes-- > 0 : request.type === 'read' && reads-- > 0);
    one.disk.run();
    one.disk.fails = () => false;
    one.put(command('k', 'v3'));
    expect(one.inconsistencies(['k'])).toEqual([]);
  });

  it('[AE1] [ST3] a record could not be read when its leaf was counted: after a restart the leaf is counted anew', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v'));
    misread(one, 'k');
    expect(one.restart().inconsistencies(['k'])).toEqual([]);
  });

  it('[AE1] [ST4] and when the leaf is right again, but could not be written', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v'));
    misread(one, 'k');
    one.disk.failWrites(1);
    one.replica.records.recountDoubted();
    one.disk.run();
    expect(one.restart().inconsistencies(['k'])).toEqual([]);
  });

  it('[AE1] whatever fails, what can be read is what was acknowledged and the trees fit the disk', () => {
    // Every way for four commits to two keys of a leaf to fail.
    const keys = neighbours();
    for (let failing = 0; failing < 16; failing++) {
      const one = new OneReplica('s');
      const minted = [0, 1, 0, 1].map((which, index) => one.mint(command(keys[which] as string, `v${index}`)));
      one.disk.runReads();
      let write = 0;
      one.disk.fails = (request) => request.type === 'write' && ((failing >> write++) & 1) === 1 && write <= 4;
      one.disk.run();
      const acknowledged = minted.flatMap(({ value }, index) => (value === undefined ? [] : [`v${index}`]));
      const found = keys.flatMap((key) => valuesOf(one.restart().read(key)));
      expect(
        acknowledged.filter((value) => !found.includes(value)),
        `failures ${failing}`,
      ).toEqual([]);
      expect(one.inconsistencies(keys), `failures ${failing}`).toEqual([]);
    }
  });
});

/** A bit of this record flips on its way from the disk while its leaf is counted. */
function misread(one: OneReplica, key: string): void {
  const address = addressOfKey(key);
  const row = one.disk.rows.get(recordKey(address)) as Uint8Array;
  one.disk.rows.set(recordKey(address), row.with(20, (row[20] as number) ^ 1));
  one.replica.records.recount(leafNumber(partitionOf({ partitions }, address.position), leafOf(address.position, partitions)), () => {});
  one.disk.run();
  one.disk.rows.set(recordKey(address), row);
}

describe('hints', () => {
  it('[HH1] a copy that is kept for two owners stays until both have it', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const owners = ['first', 'second'] as PeerId[];
    const { record } = other.put(command('k', 'v'));
    for (const owner of owners) one.store('k', record, { owner });
    one.disk.run();
    expect(one.settleHint(owners[0] as PeerId, 'k')).toBe(true);
    expect(one.disk.rows.has(hintKey(owners[1] as PeerId, addressOfKey('k')))).toBe(true);
    expect(valuesOf(one.read('k'))).toEqual(['v']);
    expect([one.settleHint(owners[1] as PeerId, 'k'), valuesOf(one.read('k'))]).toEqual([true, []]);
  });

  it('[HH1] [HH3] a hint whose removal fails is still known: its record is kept with it', () => {
    const [one, other] = [new OneReplica('s'), new OneReplica('t')];
    const owner = 'owner' as PeerId;
    one.store('k', other.put(command('k', 'v')).record, { owner });
    one.disk.run();
    const { bytes } = one.replica.hints;
    one.disk.failWrites(1);
    expect(one.settleHint(owner, 'k')).toBe(undefined);
    expect([one.replica.hints.held, one.replica.hints.bytes > 0, bytes > 0]).toEqual([1, true, true]);
    expect([one.settleHint(owner, 'k'), one.replica.hints.held]).toEqual([true, 0]);
  });
});

describe('stores that come back older', () => {
  it('[VR3] rolled back to before it began an epoch, a store does not begin the same epoch again', () => {
    const one = new OneReplica('s');
    const evidence = one.put(command('k', 'v1')).record;
    const empty = new OneReplica('s');
    const old = empty.restart();
    const dots: string[] = [];
    for (const store of [empty, old]) {
      store.store('k', evidence);
      store.disk.run();
      dots.push(dotText(store.put(command('other', `value of ${dots.length}`)).dot));
    }
    expect(new Set(dots).size).toBe(2);
  });

  it('[VR3] an epoch that was begun for a put that is then refused is on disk before a dot of it is told', () => {
    const one = new OneReplica('s');
    const context = Array.from({ length: 128 }, (_, index) => ({ actor: `a${String(index).padStart(3, '0')}` as Actor, counter: 1 }));
    const refused = one.mint(command('k', 'v', { context: [...context, { actor: 's.0' as Actor, counter: 5 }] }));
    one.disk.run();
    expect(refused.error?.code).toBe('CONTEXT_TOO_LARGE');
    const minted = one.put(command('other', 'v'));
    const { actor } = one.restart().put(command('third', 'v')).dot;
    expect(actor).toBe(minted.dot.actor);
  });

  it('[VR3] a counter of an epoch that the store has not come to yet is seen as forgotten, too', () => {
    const one = new OneReplica('s');
    const record: RecordSet = { context: [{ actor: 's.3' as Actor, counter: 2 }], siblings: [] };
    one.store('k', record);
    one.disk.run();
    const { actor } = one.put(command('other', 'v')).dot;
    expect(Number(actor.split('.')[1])).toBeGreaterThan(3);
  });
});

describe('contexts that lie', () => {
  it('[VR3] [SE4] an epoch that no store can come to leads this store nowhere: its next epochs are numbers, each another one', () => {
    for (const name of [
      's.Infinity',
      's.1e300',
      's.9007199254740991',
      's.9007199254740990',
      's.-Infinity',
      's.NaN',
      's.x',
      's.',
      's.0x10',
      's.1.5',
      's. 7',
    ]) {
      const one = new OneReplica('s');
      one.put(command('k', 'v', { context: [{ actor: name as Actor, counter: 1 }] }));
      const actors = [one.put(command('other', 'v')).dot.actor];
      // From now on the store really forgets, twice.
      for (const counter of [100, 200]) {
        one.store('k', { context: [{ actor: actors.at(-1) as Actor, counter }], siblings: [] });
        one.disk.run();
        actors.push(one.restart().put(command('other', `v ${counter}`)).dot.actor);
      }
      expect(
        actors.every((actor) => /^s\.\d{1,15}$/.test(actor)),
        `${name}: ${actors.join()}`,
      ).toBe(true);
      expect(new Set(actors).size, `${name}: ${actors.join()}`).toBe(3);
    }
  });
});

describe('rows on disk', () => {
  it('[ST3] each flipped bit of a row is seen', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'v'));
    const key = recordKey(addressOfKey('k'));
    const row = one.disk.rows.get(key) as Uint8Array;
    const unseen: number[] = [];
    for (let bit = 0; bit < row.length * 8; bit++) {
      const damaged = one.restart();
      damaged.disk.rows.set(key, row.with(bit >> 3, (row[bit >> 3] as number) ^ (1 << (bit & 7))));
      if (!(damaged.read('k') instanceof Error)) unseen.push(bit);
    }
    expect(unseen).toEqual([]);
  });
});

describe('the clock of a restarted replica', () => {
  it('[VR7] last write wins: a put after a restart is later than what the store holds, also when the wall clock went back', () => {
    const one = new OneReplica('s');
    one.put(command('k', 'first', { resolver: 'lww' }));
    const restarted = one.restart();
    restarted.disk.now = { mono: 0, wall: one.disk.now.wall - 30_000 };
    expect(valuesOf(restarted.put(command('k', 'second', { resolver: 'lww' })).record)).toEqual(['second']);
  });
});
