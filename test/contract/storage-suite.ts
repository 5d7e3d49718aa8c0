/**
 * The storage contract as a list of cases (ST1): every adapter passes all of them, in Node.js and in a page.
 *
 * A case is a title, which cites its rule, and a function of a fresh world. Nothing here depends on a test runner, so that a browser can
 * run the same cases on the real IndexedDB. The invariant behind them all: a storage is indistinguishable from a sorted map whose commits
 * happen whole, in order.
 */

import fc from 'fast-check';
import { MeshError } from '../../src/core/errors.ts';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { ByteString } from '../../src/core/ids.ts';
import type { Storage, StorageChange, StorageEntry } from '../../src/ports.ts';

/** One place where a storage lives. `open` after a `close` opens the same place again. */
export interface StorageWorld {
  open(): Promise<Storage>;
  remove(): Promise<void>;
}

/** Makes a place that nothing was stored in. */
export type StorageFactory = () => Promise<StorageWorld>;

export interface StorageCase {
  readonly title: string;
  readonly run: (create: StorageFactory) => Promise<void>;
}

// The names of the least and of the greatest key: every other key of these tests lies between them.
const first = '' as ByteString;
const last = '\u00ff'.repeat(8) as ByteString;
const all = { from: first, to: last, limit: Infinity };

const key = (text: string): ByteString => text as ByteString;
const put = (name: string, ...bytes: number[]): StorageChange => ({ key: key(name), value: new Uint8Array(bytes) });
const remove = (name: string): StorageChange => ({ key: key(name), value: undefined });
const number = (n: number): number[] => [n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff];

/** Values are compared as texts: a difference is readable in the message. */
const shown = (value: Uint8Array | undefined): string =>
  value === undefined ? 'none' : `[${value.length > 64 ? digest(value) : value.join(' ')}]`;
const digest = (value: Uint8Array): string => `${value.length} bytes, ${value.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 7)}`;
const shownEntries = (entries: readonly StorageEntry[]): string => JSON.stringify(entries.map(([name, value]) => [name, shown(value)]));

function same<T extends string | number | boolean | undefined>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what}\n  expected ${String(expected)}\n  actual   ${String(actual)}`);
}

async function holds(storage: Storage, expected: readonly StorageChange[], what: string): Promise<void> {
  const values = await storage.getMany(expected.map((change) => change.key));
  same(values.map(shown).join(), expected.map((change) => shown(change.value)).join(), what);
  const prompt = storage.getNow?.(expected.map((change) => change.key));
  if (prompt !== undefined) same(prompt.map(shown).join(), values.map(shown).join(), `${what}, read at once`);
}

async function rejects(call: Promise<unknown>, code: ErrorCode, what: string): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  same(error instanceof MeshError ? error.code : String(error), code, what);
}

const inWorld =
  (run: (storage: Storage, world: StorageWorld) => Promise<void>) =>
  async (create: StorageFactory): Promise<void> => {
    const world = await create();
    try {
      const storage = await world.open();
      await run(storage, world);
      await storage.close();
    } finally {
      await world.remove();
    }
  };

const reading: StorageCase[] = [
  {
    title: '[ST1] values come in the order of the keys asked for, undefined where there is none',
    run: inWorld(async (storage) => {
      await storage.commit([put('a', 1), put('c', 3)]);
      await holds(storage, [put('c', 3), remove('b'), put('a', 1), put('c', 3), remove('')], 'five keys');
      same((await storage.getMany([])).length, 0, 'no keys');
    }),
  },
  {
    title: '[ST1] values of 0 bytes and of 1 MiB come back as they were',
    run: inWorld(async (storage) => {
      const large = Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 7919) >>> 3);
      const changes = [put('empty'), { key: key('large'), value: large }];
      await storage.commit(changes);
      await holds(storage, changes, 'getMany');
      same(
        shownEntries(await storage.range(all)),
        JSON.stringify([
          ['empty', '[]'],
          ['large', shown(large)],
        ]),
        'range',
      );
    }),
  },
  {
    title: '[ST1] a view of a larger buffer is stored as the bytes that it shows',
    run: inWorld(async (storage) => {
      const buffer = Uint8Array.from({ length: 4096 }, (_, i) => i);
      await storage.commit([{ key: key('a'), value: buffer.subarray(100, 104) }]);
      const [value] = await storage.getMany([key('a')]);
      same(shown(value), '[100 101 102 103]', 'the bytes');
      same((value?.buffer.byteLength ?? 0) < 4096, true, 'the buffer is not kept');
    }),
  },
  {
    title: '[ST1] returned bytes are the caller’s: changing them changes nothing that is stored',
    run: inWorld(async (storage) => {
      await storage.commit([put('a', 1, 2), put('b', 3, 4)]);
      const [read] = await storage.getMany([key('a')]);
      const [, ranged] = await storage.range(all);
      read?.fill(9);
      ranged?.[1].fill(9);
      const [again] = await storage.getMany([key('a')]);
      again?.slice(0, 1).fill(8);
      same(shown(again), '[1 2]', 'slice copies');
      await holds(storage, [put('a', 1, 2), put('b', 3, 4)], 'the stored values');
    }),
  },
];

const ranges: StorageCase[] = [
  {
    title: '[ST1] keys are ordered bytewise over all bytes, a prefix before what it begins',
    run: inWorld(async (storage) => {
      const names = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).flatMap((byte) => [
        `k${byte}`,
        `k${byte}\0`,
        `k${byte}\u00ff`,
        byte,
      ]);
      const shuffled = names.map((_, i) => names[(i * 389) % names.length] ?? '');
      await storage.commit(shuffled.map((name, i) => put(name, ...number(i))));
      const expected = names.toSorted((a, b) => (a < b ? -1 : 1));
      const entries = await storage.range(all);
      same(JSON.stringify(entries.map(([name]) => name)), JSON.stringify(expected), 'the order of the keys');
      await holds(
        storage,
        shuffled.map((name, i) => put(name, ...number(i))),
        'the values',
      );
    }),
  },
  {
    title: '[ST1] a range begins at from, ends before to, stops at limit, and leaves the values out when asked',
    run: inWorld(async (storage) => {
      await storage.commit(['a', 'b', 'b\0', 'c', 'd'].map((name, i) => put(name, i)));
      const names = async (from: string, to: string, limit: number): Promise<string> =>
        JSON.stringify((await storage.range({ from: key(from), to: key(to), limit })).map(([name, value]) => `${name}${value[0]}`));
      same(await names('b', 'd', 10), '["b1","b\\u00002","c3"]', 'from b to d');
      same(await names('b\0', 'd\0', 10), '["b\\u00002","c3","d4"]', 'bounds with NUL');
      same(await names('', 'c', 2), '["a0","b1"]', 'limit 2');
      same(await names('', 'z', 0), '[]', 'limit 0');
      same(await names('', 'z', 2 ** 40), '["a0","b1","b\\u00002","c3","d4"]', 'a limit above 32 bits');
      same(shownEntries(await storage.range({ ...all, limit: 2, keysOnly: true })), '[["a","[]"],["b","[]"]]', 'keysOnly');
    }),
  },
  {
    title: '[ST1] a range with maxBytes ends with the entry that reaches it, and has one at least',
    run: inWorld(async (storage) => {
      await storage.commit(['a', 'b', 'c', 'd', 'e'].map((name, i) => ({ key: key(name), value: new Uint8Array(i === 3 ? 0 : 100) })));
      const names = async (maxBytes: number, rest: { limit?: number; keysOnly?: boolean; from?: ByteString } = {}): Promise<string> =>
        (await storage.range({ ...all, maxBytes, ...rest })).map(([name]) => name).join('');
      same(await names(1), 'a', 'less than the first value');
      same(await names(100), 'a', 'exactly the first value');
      same(await names(101), 'ab', 'more than the first value');
      same(await names(301), 'abcde', 'an empty value counts nothing');
      same(await names(1000), 'abcde', 'more than all');
      same(await names(250, { limit: 2 }), 'ab', 'the limit first');
      same(await names(1, { keysOnly: true }), 'abcde', 'without values');
      same(await names(1, { from: key('b\0') }), 'c', 'from the middle');
    }),
  },
  {
    title: '[ST1] an empty, an inverted and a vacant range give nothing',
    run: inWorld(async (storage) => {
      await storage.commit([put('b', 1)]);
      for (const [from, to] of [
        ['b', 'b'],
        ['c', 'a'],
        ['b\0', 'c'],
        ['', ''],
        ['\u00ff', '\u00ff\u00ff'],
      ] as const) {
        same(shownEntries(await storage.range({ from: key(from), to: key(to), limit: 10 })), '[]', `from ${from} to ${to}`);
      }
    }),
  },
  {
    title: '[ST1] a range of 3,000 entries is whole, and so is what is left of it after deletes',
    run: inWorld(async (storage) => {
      const name = (i: number): string => `k${String.fromCharCode(i >> 8, i & 0xff)}`;
      const inSteps = async (change: (i: number) => StorageChange): Promise<void> => {
        // 1009 is a prime: the keys come in no order.
        for (let i = 0; i < 3000; i += 500) await storage.commit(Array.from({ length: 500 }, (_, k) => change(((i + k) * 1009) % 3000)));
      };
      await inSteps((i) => ({ key: key(name(i)), value: new Uint8Array(1000).fill(i) }));
      const entries = await storage.range(all);
      same(entries.length, 3000, 'all');
      entries.forEach(([found, value], i) =>
        same(`${found} ${value[0]} ${value.length}`, `${name(i)} ${i & 0xff} 1000`, 'each in its place'),
      );
      same((await storage.range({ from: key(name(700)), to: key(name(2700)), limit: 1500 })).at(-1)?.[0], key(name(2199)), 'a part');
      await inSteps((i) => (i % 1500 > 7 ? remove(name(i)) : put(name(i), i)));
      await storage.commit([put(name(1000), 232)]);
      const left = [0, 1, 2, 3, 4, 5, 6, 7, 1000, 1500, 1501, 1502, 1503, 1504, 1505, 1506, 1507];
      same(shownEntries(await storage.range(all)), JSON.stringify(left.map((i) => [name(i), `[${i & 0xff}]`])), 'after the deletes');
    }),
  },
];

const commits: StorageCase[] = [
  {
    title: '[ST1] a delete takes a key away, from gets and from ranges, until it is written again',
    run: inWorld(async (storage) => {
      await storage.commit([put('a', 1), put('b', 2)]);
      await storage.commit([remove('a'), remove('never there')]);
      await holds(storage, [remove('a'), put('b', 2)], 'after the delete');
      same(shownEntries(await storage.range(all)), '[["b","[2]"]]', 'the range');
      await storage.commit([put('a', 3)]);
      await holds(storage, [put('a', 3)], 'after the next put');
    }),
  },
  {
    title: '[ST1] the last change to a key within a commit wins',
    run: inWorld(async (storage) => {
      await storage.commit([put('a', 1), remove('a'), put('b', 1), put('a', 2), put('c', 1), remove('c'), put('b', 2)]);
      await holds(storage, [put('a', 2), put('b', 2), remove('c')], 'three keys');
      await storage.commit([]);
      await holds(storage, [put('a', 2)], 'after an empty commit');
    }),
  },
  {
    title: '[ST1] overlapping commits take effect in the order of the calls',
    run: inWorld(async (storage) => {
      const resolved: number[] = [];
      const started: Promise<unknown>[] = [];
      for (let i = 0; i < 300; i++) {
        const changes = i % 7 === 3 ? [remove('a')] : [put('a', ...number(i))];
        started.push(storage.commit([...changes, put(`own${i % 10}`, ...number(i))]).then(() => resolved.push(i)));
        // Some calls come together, some while earlier ones are under way.
        if (i % 50 === 49) await storage.getMany([key('a')]);
      }
      await Promise.all(started);
      same(resolved.join(), Array.from({ length: 300 }, (_, i) => i).join(), 'the order of the answers');
      await holds(
        storage,
        [put('a', ...number(299)), ...Array.from({ length: 10 }, (_, i) => put(`own${i}`, ...number(290 + i)))],
        'the last writes',
      );
    }),
  },
  {
    // That no crash undoes what was seen cannot be tried here; the simulator holds its own storage to it.
    title: '[ST2] a read sees every commit that has resolved, one under way whole or not at all, and what was seen once stays',
    run: inWorld(async (storage) => {
      let acknowledged = 0;
      let isWriting = true;
      let newest = 0;
      const write = async (): Promise<void> => {
        for (let i = 1; i <= 100; i++) {
          await storage.commit(['a', 'b', 'c', 'd'].map((name) => put(name, ...number(i))));
          acknowledged = i;
        }
        isWriting = false;
      };
      const read = async (): Promise<void> => {
        while (isWriting) {
          const least = Math.max(acknowledged, newest);
          const entries = await storage.range({ from: key('a'), to: key('e'), limit: 10 });
          const values = await storage.getMany([key('d'), key('c'), key('b'), key('a')]);
          for (const group of [entries.map(([, value]) => value), values]) {
            const seen = group.map((value) => (value ? new DataView(value.buffer, value.byteOffset).getUint32(0) : 0));
            same(new Set(seen).size <= 1, true, `a commit is whole: ${seen.join()}`);
            same((seen[0] ?? 0) >= least, true, `${seen[0] ?? 0} is not older than ${least}`);
            newest = Math.max(newest, seen[0] ?? 0);
          }
        }
      };
      await Promise.all([write(), read(), read()]);
    }),
  },
  {
    title: '[ST2] many commits at once are all kept, small ones and large ones',
    run: inWorld(async (storage) => {
      const small = Array.from({ length: 1000 }, (_, i) => put(`s${i}`, ...number(i)));
      const large = Array.from({ length: 24 }, (_, i) => ({ key: key(`l${i}`), value: new Uint8Array(512 * 1024).fill(i) }));
      await Promise.all([...small, ...large].map((change, i) => storage.commit([change, put('shared', ...number(i))])));
      await holds(storage, [...small, ...large, put('shared', ...number(1023))], 'every value');
    }),
  },
];

const lifecycle: StorageCase[] = [
  {
    title: '[ST1] close finishes the reads that are under way; afterwards everything rejects with CLOSED',
    run: inWorld(async (storage) => {
      await storage.commit(Array.from({ length: 2500 }, (_, i) => put(`k${i}`, i)));
      const underWay = [storage.range(all), storage.getMany([key('k1'), key('k2')]), storage.getMany([key('k3')])];
      await Promise.all([storage.close(), ...underWay]);
      await storage.close();
      await rejects(storage.commit([put('d', 4)]), 'CLOSED', 'commit');
      await rejects(storage.commit([]), 'CLOSED', 'an empty commit');
      await rejects(storage.getMany([key('k1')]), 'CLOSED', 'getMany');
      await rejects(storage.range(all), 'CLOSED', 'range');
    }),
  },
  {
    title: '[ST2] close finishes the commits that are under way and takes no more',
    run: inWorld(async (storage, world) => {
      const underWay = [storage.commit([put('a', 1)])];
      await storage.getMany([key('a')]);
      underWay.push(storage.commit([put('b', 2)]));
      const closed = storage.close();
      await rejects(storage.commit([put('c', 3)]), 'CLOSED', 'a commit during close');
      await Promise.all([closed, ...underWay]);
      if (!storage.durable) return;
      const again = await world.open();
      await holds(again, [put('a', 1), put('b', 2), remove('c')], 'opened again');
      await again.close();
    }),
  },
  {
    title: '[ST2] a durable storage that is opened again has everything, and takes more',
    run: inWorld(async (storage, world) => {
      if (!storage.durable) return;
      const expected = new Map<string, StorageChange>();
      let current = storage;
      for (let round = 0; round < 4; round++) {
        const changes = Array.from({ length: 200 }, (_, i) => (i % 5 === round ? remove(`k${i}`) : put(`k${i}`, round, i)));
        for (const change of changes) expected.set(change.key, change);
        await current.commit(changes);
        await current.close();
        current = await world.open();
        await holds(current, [...expected.values()], `round ${round}`);
      }
      await current.close();
    }),
  },
];

type Step =
  | { readonly type: 'commits'; readonly commits: readonly StorageChange[][] }
  | { readonly type: 'get'; readonly keys: readonly ByteString[] }
  | { readonly type: 'range'; readonly from: ByteString; readonly to: ByteString; readonly limit: number; readonly keysOnly: boolean }
  | { readonly type: 'reopen' };

const someByte = fc.constantFrom('\0', '\u0001', 'a', '\u007f', '\u0080', '\u00ff');
const someKey = fc.array(someByte, { maxLength: 3 }).map((bytes) => key(bytes.join('')));
const someChange = fc.record({ key: someKey, value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: undefined, freq: 4 }) });
const someStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('commits' as const),
      commits: fc.array(fc.array(someChange, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('get' as const), keys: fc.array(someKey, { maxLength: 5 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('range' as const), from: someKey, to: someKey, limit: fc.nat(12), keysOnly: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen' as const) }) },
);

function modelRange(model: ReadonlyMap<ByteString, Uint8Array>, step: Step & { type: 'range' }): StorageEntry[] {
  return [...model]
    .filter(([name]) => name >= step.from && name < step.to)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, step.limit)
    .map(([name, value]) => [name, step.keysOnly ? new Uint8Array(0) : value]);
}

async function agreesWithModel(storage: Storage, world: StorageWorld, steps: readonly Step[]): Promise<void> {
  const model = new Map<ByteString, Uint8Array>();
  let current = storage;
  for (const step of steps) {
    if (step.type === 'commits') {
      await Promise.all(step.commits.map((changes) => current.commit(changes)));
      for (const change of step.commits.flat()) {
        if (change.value === undefined) model.delete(change.key);
        else model.set(change.key, change.value);
      }
    } else if (step.type === 'get') {
      await holds(
        current,
        step.keys.map((name) => ({ key: name, value: model.get(name) })),
        'get',
      );
    } else if (step.type === 'range') {
      same(shownEntries(await current.range(step)), shownEntries(modelRange(model, step)), 'range');
    } else if (current.durable) {
      await current.close();
      current = await world.open();
    }
  }
  await current.close();
}

const modelled: StorageCase = {
  title: '[ST1] any sequence of commits, gets, ranges and reopenings agrees with a plain map',
  // A failure prints its seed and path; give them to `fc.assert` to run that sequence again.
  run: (create) =>
    fc.assert(
      fc.asyncProperty(fc.array(someStep, { maxLength: 30 }), async (steps) => {
        await inWorld((storage, world) => agreesWithModel(storage, world, steps))(create);
      }),
      { numRuns: 60 },
    ),
};

export const storageCases: readonly StorageCase[] = [...reading, ...ranges, ...commits, ...lifecycle, modelled];
