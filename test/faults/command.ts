/** The command: its flags, where it runs, its exit code, and that nothing of it is left, however it ends. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { inNewNetwork, namespacesWork } from './network-namespaces.ts';
import { type DriverOptions, type FaultName, faultNames } from './options.ts';
import { reportText } from './report.ts';
import { runFaults } from './run.ts';

type Flags = Omit<DriverOptions, 'network'> & { readonly network: DriverOptions['network'] | 'auto' };

/** Set for the driver that already runs in a network of its own. */
const insideName = 'RINGMESH_FAULTS_INSIDE';
const seedMax = 999_999_999;

const number =
  (least: number, most: number, whole = true) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number from ${least} to ${most}.`);
  };

function faultList(text: string): readonly FaultName[] {
  if (text === 'all') return faultNames;
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(faultNames as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no fault '${unknown}'. Faults: ${faultNames.join(', ')}.`);
  return names as FaultName[];
}

const program = new Command('npm run test:faults --')
  .description('run real peers under faults, with clients over HTTP, and judge what the clients saw')
  .addOption(
    new Option('--seed <number>', 'decides what the clients do and which faults come when')
      .argParser(number(0, seedMax))
      .default(Math.floor(Math.random() * seedMax), 'another one each time'),
  )
  .addOption(new Option('--minutes <number>', 'how long there are faults').argParser(number(0.05, 10_000, false)).default(5))
  .addOption(new Option('--peers <count>', 'processes, 3 copies of each key among them').argParser(number(4, 20)).default(5))
  .addOption(new Option('--clients <count>', 'clients, one operation at a time each').argParser(number(1, 50)).default(5))
  .addOption(new Option('--keys <count>', 'one half in a strict bucket, the other in a sloppy one').argParser(number(2, 1000)).default(40))
  .addOption(new Option('--faults <names>', 'comma between them, or all').argParser(faultList).default(faultNames, 'all'))
  .addOption(
    new Option('--network <kind>', 'what is cut when the mesh is split').choices(['auto', 'namespaces', 'proxies']).default('auto'),
  )
  .addOption(
    new Option('--converge-within <seconds>', 'from the healing until all replicas are equal').argParser(number(1, 3600)).default(180),
  )
  .option('--history <file>', 'write one JSON line for each operation')
  .option('--keep', 'keep the data folders and logs also when every check holds')
  .addHelpText(
    'after',
    `
Faults:
  kill      one or two peers, SIGKILL, and start them again
  stop      one peer in order, SIGTERM, and start it again
  pause     one or two peers, SIGSTOP and SIGCONT
  killAll   all peers at once, and start them again
  split     the network: halves, one alone, a bridge, one deaf, a circle
  together  a split, and one or two peers killed or paused meanwhile
  wipe      a peer's data, but not its identity
  rollback  a peer's data to an earlier copy
  leave     one peer for good, which joins anew; in half of the cases others fail meanwhile

The mesh is split by network namespaces where they can be made, else by TCP proxies between the peers.
The seed decides all that is drawn; real processes still take their own time.

Examples:
  $ npm run test:faults -- --minutes 5 --history out.jsonl
  $ npm run test:faults -- --seed 7 --faults kill,split --minutes 1

Exit codes:
  0  every check holds
  1  a check failed, or the run broke off; the folders are kept
  2  wrong flag or value`,
  )
  .exitOverride()
  .action(act);

export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(argv);
  } catch (error) {
    const { code, exitCode } = error as { code?: unknown; exitCode?: number };
    if (typeof code === 'string' && code.startsWith('commander.')) process.exit(exitCode === 0 ? 0 : 2);
    console.error(error);
    process.exit(1);
  }
}

async function act({ network, seed, ...rest }: Flags): Promise<void> {
  const inside = process.env[insideName] !== undefined;
  const chosen = network !== 'auto' ? network : inside || namespacesWork() ? 'namespaces' : 'proxies';
  if (chosen === 'namespaces' && !inside) return runInside([...process.argv.slice(1), '--seed', `${seed}`, '--network', chosen]);
  await judge({ ...rest, seed, network: chosen });
}

/** The same command again, in a network of its own. Its terminal is ours, so that Ctrl-C reaches it too; we end when it does. */
async function runInside(args: readonly string[]): Promise<void> {
  const [command = '', ...prefix] = inNewNetwork([process.execPath, ...args]);
  const child = spawn(command, prefix, { stdio: 'inherit', env: { ...process.env, [insideName]: '1' } });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exit(code ?? 1);
}

const againFlags = ({ seed, minutes, faults, network }: DriverOptions): string =>
  `--seed ${seed} --minutes ${minutes} --network ${network} --faults ${faults.join()}`;

async function judge(options: DriverOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ringmesh-faults-'));
  let keep = options.keep === true;
  // Registered after the handler that ends the peers, hence run after it.
  process.on('exit', () => {
    if (!keep) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
  console.log(`ringmesh faults, seed ${options.seed}\n`);
  let failed = true;
  try {
    const results = await runFaults(options, folder, console.log);
    failed = results.violations.length > 0;
    console.log(`\n${reportText(results)}`);
  } catch (error) {
    console.log(`\n  the run broke off: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
  if (options.history !== undefined) console.log(`\n  history  ${options.history}`);
  keep ||= failed;
  if (keep) console.log(`  folders  ${folder}`);
  if (failed) console.log(`  again    npm run test:faults -- ${againFlags(options)}`);
  process.exit(failed ? 1 : 0);
}
