/** The checkers find what they are for, and nothing else: each one with good histories and bad ones, written by hand. */

import { describe, expect, it } from 'vitest';

import { checkHistory } from '../../src/sim/checker/check.ts';
import type { HistoryRow } from '../../src/sim/history.ts';
import { historyText, parseHistory } from '../../src/sim/history.ts';
import { final, get, put, remove, root } from './support/written-history.ts';

/** The names of the checks that complain, each once. */
const complaints = (...rows: HistoryRow[]): string[] => [...new Set(checkHistory(rows).map((violation) => violation.check))].sort();
const messages = (...rows: HistoryRow[]): string[] => checkHistory(rows).map((violation) => violation.message);

describe('[IN] dots are unique', () => {
  const first = put('v1', 0, 1, { dots: { v1: 'A.0:1' } });

  it('accepts a dot that is told again and again, and the same dot on another key', () => {
    expect(
      complaints(first, get(['v1'], 2, 3, { dots: { v1: 'A.0:1' } }), put('w1', 4, 5, { key: 'other', dots: { w1: 'A.0:1' } })),
    ).toEqual([]);
  });

  it('finds a dot with two values', () => {
    expect(messages(first, put('v2', 2, 3, { dots: { v2: 'A.0:1' } }), final(['v1', 'v2'], 'A'))).toEqual([
      'dot A.0:1 names two values: v1 and v2',
    ]);
  });

  it('finds a value with two dots: a put that became a sibling of itself', () => {
    expect(messages(first, get(['v1'], 2, 3, { dots: { v1: 'B.0:1' } }))).toEqual(['value v1 has two dots: A.0:1 and B.0:1']);
  });
});

describe('[IN] no phantoms', () => {
  it('accepts values of puts that are still open, or whose outcome is unknown', () => {
    expect(complaints(put('v1', 0, null, { status: 'info' }), get(['v1'], 1, 2))).toEqual([]);
  });

  it('finds a value that nobody has put, or was put to another key', () => {
    expect(complaints(get(['v1'], 1, 2))).toEqual(['phantoms']);
    expect(complaints(put('v1', 0, 1, { key: 'other' }), get(['v1'], 2, 3))).toContain('phantoms');
  });

  it('[QR5] finds the value of a put that failed: it had not touched a replica', () => {
    expect(complaints(put('v1', 0, 1, { status: 'fail' }), get(['v1'], 2, 3))).toEqual(['phantoms']);
    expect(complaints(put('v1', 0, 1, { status: 'fail' }), final(['v1'], 'A'))).toEqual(['phantoms']);
  });

  it('finds a value from the future, and a delete as a value', () => {
    expect(complaints(get(['v1'], 0, 1), put('v1', 2, 3))).toEqual(['phantoms']);
    expect(complaints(remove('d1', 0, 1), get(['d1'], 2, 3))).toContain('phantoms');
  });
});

describe('[IN] no acknowledged write is lost', () => {
  it('accepts a value that is there, or replaced by one that had seen it, directly or through others', () => {
    expect(complaints(put('v1', 0, 1), final(['v1'], 'A'))).toEqual([]);
    const chain = [put('v1', 0, 1), put('v2', 2, 3, { seen: ['v1'], status: 'info' }), put('v3', 4, 5, { seen: ['v2'] })];
    expect(complaints(...chain, final(['v3'], 'A'))).toEqual([]);
  });

  it('accepts a value that is gone after a delete which had seen it, whatever became of that', () => {
    expect(complaints(put('v1', 0, 1), remove('d1', 2, null, { seen: ['v1'], status: 'info' }), final([], 'A'))).toEqual([]);
  });

  it('accepts that a put is gone which was not acknowledged', () => {
    expect(complaints(put('v1', 0, null, { status: 'info' }), put('v2', 2, 3, { status: 'fail' }), final([], 'A'))).toEqual([]);
  });

  it('finds a value that is gone, and one that was replaced by a write which had not seen it', () => {
    expect(complaints(put('v1', 0, 1), final([], 'A'))).toEqual(['lost']);
    expect(complaints(put('v1', 0, 1), put('v2', 2, 3), final(['v2'], 'A'))).toEqual(['lost']);
  });

  it('finds a value whose only successor is gone too: that one never took effect', () => {
    expect(complaints(put('v1', 0, 1), put('v2', 2, null, { seen: ['v1'], status: 'info' }), final([], 'A'))).toEqual(['lost']);
  });

  it('finds a value that a failed delete had seen', () => {
    expect(complaints(put('v1', 0, 1), remove('d1', 2, 3, { seen: ['v1'], status: 'fail' }), final([], 'A'))).toEqual(['lost']);
  });

  it('says nothing about a history without final reads', () => {
    expect(complaints(put('v1', 0, 1))).toEqual([]);
  });
});

describe('[IN] no resurrection', () => {
  const history = [put('v1', 0, 1), put('v2', 2, 3, { seen: ['v1'] })];

  it('accepts the old value while its successor is not yet acknowledged, and from reads of weak clients', () => {
    expect(complaints(...history, get(['v1'], 2, 4))).toEqual([]);
    expect(complaints(...history, get(['v1'], 9, 10, { process: 'weak1' }))).toEqual([]);
    expect(complaints(put('v1', 0, 1), put('v2', 2, 3, { seen: ['v1'], status: 'info' }), get(['v1'], 9, 10))).toEqual([]);
  });

  it('finds the old value in a strict read that begins after that', () => {
    expect(complaints(...history, get(['v1'], 4, 5))).toContain('resurrection');
    expect(complaints(...history, get(['v1', 'v2'], 4, 5))).toContain('resurrection');
  });

  it('finds a deleted value, also when the delete had seen it through others', () => {
    expect(complaints(...history, remove('d1', 4, 5, { seen: ['v2'] }), get(['v1'], 6, 7))).toEqual(['resurrection']);
  });

  it('finds the old value at a replica in the end', () => {
    expect(complaints(put('v1', 0, 1), remove('d1', 2, 3, { seen: ['v1'] }), final(['v1'], 'A'), final(['v1'], 'B'))).toEqual([
      'resurrection',
    ]);
  });
});

describe('[IN] no value beside its own descendant', () => {
  it('accepts siblings that had not seen each other', () => {
    expect(complaints(put('v1', 0, 1), put('v2', 2, 3), get(['v1', 'v2'], 4, 5))).toEqual([]);
  });

  it('[VR1] finds a value beside one whose writer had seen it, directly or through others, in a read of any mode', () => {
    const chain = [
      put('v1', 0, null, { status: 'info' }),
      put('v2', 2, null, { seen: ['v1'], status: 'info' }),
      put('v3', 4, null, { seen: ['v2'], status: 'info' }),
    ];
    expect(complaints(...chain, get(['v1', 'v2'], 5, 6, { process: 'weak1' }))).toEqual(['concurrency']);
    expect(complaints(...chain, get(['v1', 'v3'], 5, 6))).toEqual(['concurrency']);
  });
});

describe('[QR3] strict reads are fresh', () => {
  it('accepts a value that supersedes what was acknowledged, and any order of what overlaps in time', () => {
    expect(complaints(put('v1', 0, 1), put('v2', 2, null, { seen: ['v1'], status: 'info' }), get(['v2'], 3, 4))).toEqual([]);
    expect(complaints(put('v1', 0, 10), get([], 5, 15), get(['v1'], 11, 12))).toEqual([]);
  });

  it('accepts nothing after a delete that had seen all, from the time at which it began', () => {
    expect(complaints(put('v1', 0, 1), remove('d1', 2, 9, { seen: ['v1'] }), get([], 3, 4))).toEqual([]);
  });

  it('finds a read that misses an acknowledged put', () => {
    expect(complaints(put('v1', 0, 1), get([], 2, 3))).toEqual(['staleness']);
    expect(complaints(put('v1', 0, 1), put('v2', 2, 3), get(['v2'], 4, 5))).toEqual(['staleness']);
  });

  it('finds nothing after a delete that had not seen the value, or that had not begun', () => {
    expect(complaints(put('v1', 0, 1), remove('d1', 2, 3), get([], 4, 5))).toEqual(['staleness']);
    expect(complaints(put('v1', 0, 1), get([], 2, 3), remove('d1', 4, 5, { seen: ['v1'] }))).toEqual(['staleness']);
  });

  it('finds reads that go back: what one has returned, a later one misses', () => {
    const open = put('v1', 0, null, { status: 'info' });
    expect(complaints(open, get(['v1'], 1, 2), get([], 3, 4))).toEqual(['staleness']);
    expect(complaints(open, get(['v1'], 1, 5), get([], 3, 4))).toEqual([]);
  });

  it('promises nothing to weak clients and for their puts', () => {
    expect(complaints(put('v1', 0, 1, { process: 'weak1' }), get([], 2, 3))).toEqual([]);
    expect(complaints(put('v1', 0, 1), get([], 2, 3, { process: 'weak1' }))).toEqual([]);
  });
});

describe('[IN] replicas and roots are equal after healing', () => {
  it('accepts equal replicas, in whatever order they tell their siblings', () => {
    expect(
      complaints(
        put('v1', 0, 1),
        put('v2', 0, 1),
        final(['v1', 'v2'], 'A'),
        final(['v2', 'v1'], 'B'),
        root('7', 'A', 'ff'),
        root('7', 'B', 'ff'),
      ),
    ).toEqual([]);
  });

  it('finds replicas that differ, and one that is silent', () => {
    expect(messages(put('v1', 0, 1), final(['v1'], 'A'), final(['v1'], 'C'), final([], 'B'))).toEqual(['A and C hold v1; B holds nothing']);
    expect(messages(put('v1', 0, 1), final(['v1'], 'A'), final([], 'B', 'fail'))).toEqual(['the replica B gave no answer at the end']);
  });

  it('finds roots that differ', () => {
    expect(messages(root('7', 'A', 'ff'), root('7', 'B', 'fe'), root('8', 'A', 'fe'))).toEqual([
      'the roots of partition 7 differ: A has ff, B has fe',
    ]);
  });
});

describe('histories as text', () => {
  const rows: HistoryRow[] = [put('v1', 0.5, 1, { seen: ['v0'], dots: { v1: 'A.0:1' } }), final(['v1'], 'A'), root('7', 'A', 'ff')];

  it('are one JSON line for each row, and come back as they were', () => {
    expect(historyText(rows).split('\n')).toHaveLength(rows.length + 1);
    expect(parseHistory(historyText(rows))).toEqual(rows);
    expect(Object.keys(JSON.parse(historyText(rows).split('\n')[0] ?? '{}') as object)).toEqual([
      'process',
      'op',
      'key',
      'valueId',
      'seen',
      'returned',
      'invoke',
      'complete',
      'status',
      'dots',
    ]);
  });

  it('name the line that is damaged', () => {
    expect(() => parseHistory(`${historyText(rows)}{"process":`)).toThrow('line 4');
  });
});
