/** A seed is the whole run: it replays event by event, whoever looks on, and names the command that does so. */

import { describe, expect, it } from 'vitest';

import { checkHistory } from '../../src/sim/checker/check.ts';
import { historyText, parseHistory } from '../../src/sim/history.ts';
import { replayCommand, replayLink, replaysExactly, runSimulation, Simulation, type SimulationOptions } from '../../src/sim/run.ts';

const options: SimulationOptions = { seed: 7, ops: 200, modes: 'mixed', faults: 'default' };

describe('[IN] exact replay', () => {
  const first = runSimulation(options);

  it('the same seed twice gives the same events, the same history and the same numbers', () => {
    const again = runSimulation(options);
    expect(again.eventHash).toBe(first.eventHash);
    expect(historyText(again.history)).toBe(historyText(first.history));
    expect(again.summary).toEqual(first.summary);
  });

  it.each([8, 9])('whatever the seed is (seed %i)', (seed) => {
    expect(replaysExactly({ ...options, seed })).toBe(true);
  });

  it('looking on changes nothing', () => {
    const lines: string[] = [];
    const traced = runSimulation({ ...options, trace: (_, line) => lines.push(line) });
    expect(traced.eventHash).toBe(first.eventHash);
    expect(lines.length).toBeGreaterThan(1000);
    expect(lines).toContainEqual(expect.stringContaining('is asked: put'));
  });

  it('cut into steps it is the same run', () => {
    const stepped = new Simulation(options);
    for (let step = 1; stepped.phase !== 'healing'; step++) stepped.advance(1 + ((step * 7919) % 400));
    expect(stepped.finish().eventHash).toBe(first.eventHash);
  });

  it('ends each phase, though sums of milliseconds are not exact', () => {
    // The end of its second phase lies a rounding error behind a whole microsecond.
    expect(runSimulation({ seed: 1003, peers: 8, ops: 10, faults: 'all' }).violations).toEqual([]);
  });

  it('another seed gives other events', () => {
    expect(runSimulation({ ...options, seed: 8 }).eventHash).not.toBe(first.eventHash);
  });

  it('the codec changes sizes but nothing that anyone sees', () => {
    const [plain, coded] = [false, true].map((codec) => runSimulation({ ...options, codec }));
    expect(historyText(coded?.history ?? [])).toBe(historyText(plain?.history ?? []));
    expect(coded?.eventHash).not.toBe(plain?.eventHash);
    expect([plain?.summary.messageBytes, (coded?.summary.messageBytes ?? 0) > 10_000]).toEqual([0, true]);
  });

  it('tells the command that replays it', () => {
    expect(replayCommand({ seed: 7 })).toBe('ringmesh sim --seed 7 --peers 5 --ops 1000 --faults default');
    expect(replayCommand({ ...options, peers: 9, clients: 3, faults: ['kill', 'halves'], codec: false })).toBe(
      'ringmesh sim --seed 7 --peers 9 --ops 200 --clients 3 --faults kill,halves --modes mixed --no-codec',
    );
  });

  it('tells the link that shows it on the page', () => {
    expect(replayLink({ seed: 7 })).toBe('#replay?seed=7&peers=5&ops=1000&faults=default');
    expect(replayLink({ ...options, peers: 9, clients: 3, faults: ['kill', 'halves'], codec: false })).toBe(
      '#replay?seed=7&peers=9&ops=200&clients=3&faults=kill,halves&modes=mixed&codec=false',
    );
  });

  it('a history that was written and read again is judged as before', () => {
    const { history } = runSimulation({ ...options, faults: 'none' });
    expect(checkHistory(parseHistory(historyText(history)))).toEqual([]);
  });
});
