/**
 * `ringmesh sim`: the very peers that run elsewhere, in virtual time, under faults that a seed decides. Judges what the clients saw; a seed that fails is
 * printed with the command that replays it, and the link that shows it.
 */

import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  allFaultNames,
  type FaultName,
  historyText,
  knownFaultNames,
  peersOfSeed,
  replaysExactly,
  runSimulation,
  type SimulationOptions,
  type SimulationResult,
} from 'ringmesh/sim';
import { CliError, exitCodes } from '../cli/errors.ts';
import { countText, durationText, facts, print, printJson, table } from '../cli/output.ts';
import { list, wholeNumber } from '../cli/parsers.ts';

interface SimCommandOptions {
  readonly seed: number;
  readonly seeds?: readonly [first: number, last: number];
  readonly peers?: number;
  readonly ops: number;
  readonly clients: number;
  readonly watchers: number;
  readonly faults: NonNullable<SimulationOptions['faults']>;
  readonly modes: 'strict' | 'mixed';
  readonly codec?: boolean;
  readonly history?: string;
  readonly checkReplay?: boolean;
  readonly trace?: boolean;
  readonly json?: boolean;
}

const seedMax = 999_999_999;
const violationsShown = 10;
const messageShown = 160;

export const simCommand = new Command('sim')
  .description('run a mesh in virtual time under faults, and judge what its clients saw')
  .addOption(new Option('--seed <number>', 'decides everything that is left to chance').argParser(wholeNumber(0, seedMax)).default(1))
  .addOption(
    new Option('--seeds <first..last>', 'many runs, one a seed, and what came of them together')
      .argParser(seedRange)
      .conflicts(['seed', 'history', 'trace']),
  )
  .addOption(
    new Option('--peers <count>', 'peers of the mesh (default: 5; with --seeds 5 to 20, by the seed)').argParser(wholeNumber(1, 2000)),
  )
  .addOption(new Option('--ops <count>', 'operations of all clients').argParser(wholeNumber(1, 10_000_000)).default(1000))
  .addOption(new Option('--clients <count>', 'clients').argParser(wholeNumber(1, 1000)).default(10))
  .addOption(new Option('--watchers <count>', 'who watches keys meanwhile').argParser(wholeNumber(0, 100)).default(0))
  .addOption(
    new Option('--faults <names>', 'none, default, all (both draw a combination by the seed), or names')
      .argParser(faults)
      .default('default'),
  )
  .addOption(new Option('--modes <modes>', 'what clients ask for').choices(['strict', 'mixed']).default('strict'))
  .option('--codec', 'send every message through the codec (default: the seed decides)')
  .option('--no-codec', 'hand messages over as they are: faster')
  .option('--history <file>', 'write one JSON line for each operation')
  .option('--check-replay', 'run it twice and compare event by event')
  .option('--trace', 'print each event as it happens')
  .option('--json', 'print JSON for programs')
  .addHelpText(
    'after',
    `
Faults: ${allFaultNames.join(' ')}
Only by name (frames beyond what links allow; damage that nothing mends yet): ${knownFaultNames.filter((name) => !allFaultNames.includes(name)).join(' ')}

Checked after every run: no acknowledged write is lost, nothing comes back that was replaced, no value was never written or stands beside its
own successor, strict reads are fresh, dots are unique, watchers are told each version once, replicas and their trees agree, and everything works again.

Examples:
  $ ringmesh sim --peers 20 --seed 7 --ops 20000 --history out.jsonl
  $ ringmesh sim --seeds 1..1000 --faults all
  $ ringmesh sim --seed 42 --faults kill,halves,clock --trace

Exit codes:
  0  every check holds
  1  a check failed: the replay command, and a link that shows the run, are printed
  2  wrong flag or value`,
  )
  .action((options: SimCommandOptions) => (options.seeds === undefined ? runOne(options) : runMany(options, options.seeds)));

function seedRange(text: string): readonly [number, number] {
  const [, first, last] = /^(\d{1,9})\.\.(\d{1,9})$/.exec(text) ?? [];
  if (first === undefined || Number(first) > Number(last)) throw new InvalidArgumentError('Expected two seeds such as 1..50.');
  return [Number(first), Number(last)];
}

function faults(text: string): NonNullable<SimulationOptions['faults']> {
  if (text === 'none' || text === 'default' || text === 'all') return text;
  const names = list(text);
  const unknown = names.find((name) => !(knownFaultNames as readonly string[]).includes(name));
  if (unknown !== undefined || names.length === 0)
    throw new InvalidArgumentError(`Expected none, default, all, or some of: ${knownFaultNames.join(', ')}.`);
  return names as FaultName[];
}

function simulationOf({ seed, peers = 5, ops, clients, watchers, faults: chosen, modes, codec }: SimCommandOptions): SimulationOptions {
  return { seed, peers, ops, clients, watchers, faults: chosen, modes, ...(codec === undefined ? {} : { codec }) };
}

async function runOne(options: SimCommandOptions): Promise<void> {
  const simulation = simulationOf(options);
  const trace = (atMs: number, line: string): void => print(`${atMs.toFixed(3).padStart(12)}  ${line}`);
  const began = performance.now();
  const result = runSimulation(options.trace === true ? { ...simulation, trace } : simulation);
  const tookMs = performance.now() - began;
  const replayed = options.checkReplay === true ? replaysExactly(simulation) : undefined;
  if (options.history !== undefined) await writeHistory(options.history, result);
  if (options.json === true) {
    const { summary, violations, eventHash, command, link } = result;
    printJson({ summary, violations, eventHash, command, link, tookMs, ...(replayed === undefined ? {} : { replayed }) });
  } else print(report(result, tookMs, replayed, options.history));
  if (result.violations.length > 0 || replayed === false) process.exitCode = exitCodes.failed;
}

async function writeHistory(file: string, result: SimulationResult): Promise<void> {
  const stream = createWriteStream(file);
  const failed = once(stream, 'error').then(([error]: unknown[]) => {
    throw new CliError('HISTORY_FAILED', `the history cannot be written: ${(error as Error).message}`, exitCodes.failed);
  });
  stream.end(historyText(result.history));
  await Promise.race([once(stream, 'close'), failed]);
}

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none';

function report(
  { summary, violations, eventHash, command, link }: SimulationResult,
  tookMs: number,
  replayed: boolean | undefined,
  history: string | undefined,
): string {
  const { n, r, w } = summary.quorum;
  const megabytes = (summary.messageBytes / 1e6).toFixed(1);
  const rows: [string, string][] = [
    ['mesh', `${countText(summary.peers, 'peer')}, n=${n} r=${r} w=${w}, seed ${summary.seed}`],
    [
      'time',
      `${durationText(summary.virtualMs)} of virtual time in ${durationText(tookMs)}, ${Math.round(summary.events / (tookMs / 1000)).toLocaleString('en')} events a second`,
    ],
    ['operations', countsText(summary.operations)],
    [
      'messages',
      `${summary.messages.toLocaleString('en')}${summary.codec ? `, ${megabytes} MB` : ''}, and ${summary.gossip.toLocaleString('en')} of gossip`,
    ],
    ['faults', countsText(summary.bites)],
    ['peers did', countsText(summary.peerEvents)],
    ['events', `${summary.events.toLocaleString('en')}, hash ${eventHash}`],
    ...(replayed === undefined
      ? []
      : [['replay', replayed ? 'the second run was the same, event by event' : 'THE SECOND RUN WAS ANOTHER ONE'] as [string, string]]),
    ...(history === undefined ? [] : [['history', history] as [string, string]]),
    ['verdict', violations.length === 0 ? 'every check holds' : countText(violations.length, 'violation')],
  ];
  const shown = violations
    .slice(0, violationsShown)
    .map(({ check, key, message }) => `  ${check}${key === '' ? '' : ` of ${key}`}: ${message}`);
  const more = violations.length > violationsShown ? [`  and ${violations.length - violationsShown} more`] : [];
  const replay = violations.length === 0 ? [] : [...shown, ...more, ...replayLines({ command, link })];
  return [facts(rows), ...replay].join('\n');
}

/** Where the page of `ringmesh demo` is, unless it was given another port. */
const page = 'http://127.0.0.1:7400/';

const replayLines = ({ command, link }: Pick<SimulationResult, 'command' | 'link'>): string[] => [
  `replay: ${command} --trace`,
  `see it: ${page}${link} (while \`ringmesh demo\` runs)`,
];

/** A seed and what is kept of its run: a thousand histories would not fit. */
type Kept = Omit<SimulationResult, 'history' | 'watched'>;

function runMany(options: SimCommandOptions, [first, last]: readonly [number, number]): void {
  const results: Kept[] = [];
  const began = performance.now();
  const progress = seedProgress(last - first + 1);
  for (let seed = first; seed <= last; seed++) {
    const { summary, violations, eventHash, command, link } = runSimulation(simulationOf({ peers: peersOfSeed(seed), ...options, seed }));
    results.push({ summary, violations, eventHash, command, link });
    progress(results.length, results.filter((result) => result.violations.length > 0).length);
  }
  if (results.some((result) => result.violations.length > 0)) process.exitCode = exitCodes.failed;
  if (options.json === true) return printJson(results);
  print(reportMany(results, performance.now() - began));
}

/** One line that is written over and over on a terminal; elsewhere a line now and then. */
function seedProgress(total: number): (done: number, failed: number) => void {
  const everyMs = process.stderr.isTTY ? 100 : 10_000;
  const began = performance.now();
  let toldAt = began;
  return (done, failed) => {
    const now = performance.now();
    if (now - toldAt < everyMs && done < total) return;
    toldAt = now;
    const left = ((now - began) / done) * (total - done);
    const line = `${done} of ${countText(total, 'seed')}, ${failed} failed, ${durationText(left)} left`;
    process.stderr.write(process.stderr.isTTY ? `\r${line}\x1b[K${done === total ? '\n' : ''}` : `${line}\n`);
  };
}

function reportMany(results: readonly Kept[], tookMs: number): string {
  const failed = results.filter((result) => result.violations.length > 0);
  const sum = (of: (result: Kept) => number): number => results.reduce((total, result) => total + of(result), 0);
  const events = sum(({ summary }) => summary.events);
  const totals = (of: (summary: Kept['summary']) => Readonly<Record<string, number>>): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { summary } of results) for (const [name, count] of Object.entries(of(summary))) counts[name] = (counts[name] ?? 0) + count;
    return counts;
  };
  const lines = [
    faultTable(results),
    '',
    facts([
      ['seeds', `${results.length} in ${durationText(tookMs)}`],
      ['events', `${events.toLocaleString('en')}, ${Math.round(events / (tookMs / 1000)).toLocaleString('en')} a second`],
      ['operations', countsText(totals((summary) => summary.operations))],
      ['peers did', countsText(totals((summary) => summary.peerEvents))],
      ['verdict', failed.length === 0 ? 'every check holds' : `${failed.length} of ${countText(results.length, 'seed')} failed`],
    ]),
  ];
  if (failed.length === 0) return lines.join('\n');
  const rows = failed.map(({ summary, violations }) => [
    String(summary.seed),
    countText(violations.length, 'violation'),
    `${violations[0]?.check}: ${violations[0]?.message.slice(0, messageShown)}`,
  ]);
  return [...lines, '', table(['SEED', 'FAILED', 'FIRST OF THEM'], rows), '', ...failed.flatMap(replayLines)].join('\n');
}

/** How often each fault was on, and how often it really bit. */
function faultTable(results: readonly Kept[]): string {
  const rows = knownFaultNames.flatMap((name) => {
    const on = results.filter(({ summary }) => summary.faults.includes(name));
    if (on.length === 0) return [];
    const bitten = on.filter(({ summary }) => (summary.bites[name] ?? 0) > 0).length;
    const bites = on.reduce((total, { summary }) => total + (summary.bites[name] ?? 0), 0);
    const failed = on.filter(({ violations }) => violations.length > 0).length;
    return [[name, String(on.length), String(bitten), bites === 0 ? 'never' : bites.toLocaleString('en'), String(failed)]];
  });
  return table(['FAULT', 'SEEDS', 'BIT IN', 'TIMES', 'FAILED'], rows);
}
