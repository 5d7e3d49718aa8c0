/** Watchers in the simulator: whatever strikes, each is told each version once, and of all that is there in the end. */

import { describe, expect, it } from 'vitest';
import { allFaultNames, diskFaultNames, knownFaultNames } from '../../src/sim/faults.ts';
import { runSimulation, type SimulationOptions } from '../../src/sim/run.ts';
import { verdict } from './support/verdict.ts';

const ops = 300;
const watchers = 8;
const faultNames = allFaultNames.filter((name) => !diskFaultNames.some((disk) => disk === name));

const told = { versions: 0, beginnings: 0, runs: 0 };

function run(options: SimulationOptions): string {
  const result = runSimulation({ ops, watchers, ...options });
  told.versions += result.watched.versions;
  told.beginnings += result.watched.beginnings;
  told.runs++;
  return verdict(result);
}

describe('[IN] after the healing each watcher has been told each version once, and all that is there', () => {
  it.each(allFaultNames)('with the fault `%s` alone', (fault) => {
    expect(run({ seed: 300 + knownFaultNames.indexOf(fault), faults: [fault] })).toBe('');
  });

  it.each(Array.from({ length: 12 }, (_, i) => 400 + i))('with a random combination of faults (seed %i)', (seed) => {
    expect(run({ seed, faults: 'default', modes: 'mixed' })).toBe('');
  });

  it('with all faults at once', () => {
    expect(run({ seed: 420, faults: faultNames, modes: 'mixed' })).toBe('');
  });
});

it('[IN] they were told much, and had to begin anew now and then', () => {
  expect(told.versions).toBeGreaterThan(told.runs * 200);
  expect(told.beginnings).toBeGreaterThan(told.runs * watchers);
});
