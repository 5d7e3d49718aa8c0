/**
 * A hundred seeds, each with its own number of peers and its own combination of faults, bad disks among them. `ringmesh sim --seeds 1..1000 --faults all` does
 * the same with more of everything.
 */

import { describe, expect, it } from 'vitest';

import { allFaultNames } from '../../src/sim/faults.ts';
import { peersOfSeed, runSimulation } from '../../src/sim/run.ts';
import type { Summary } from '../../src/sim/summary.ts';
import { verdict } from './support/verdict.ts';

const seeds = Array.from({ length: 100 }, (_, i) => 1001 + i);
const summaries: Summary[] = [];

describe('[IN] a random combination of all faults', () => {
  it.each(seeds)('seed %i', (seed) => {
    const result = runSimulation({ seed, peers: peersOfSeed(seed), ops: 100, faults: 'all', modes: seed % 2 === 0 ? 'mixed' : 'strict' });
    summaries.push(result.summary);
    expect(verdict(result)).toBe('');
  });

  it.each(allFaultNames)('`%s` struck in some of them', (fault) => {
    expect(summaries.reduce((sum, { bites }) => sum + (bites[fault] ?? 0), 0)).toBeGreaterThan(0);
  });
});
