#!/usr/bin/env node
/**
 * The program `ringmesh`: its commands, and how failures leave it. One line on standard error, `ringmesh: error: … [CODE]`, and an exit code.
 */

import { Command } from 'commander';
import type { ConfigFile } from './cli/config-file.ts';
import { describeFailure, exitCodes } from './cli/errors.ts';
import { completeOptions } from './cli/settings.ts';
import { deleteCommand } from './commands/delete.ts';
import { demoCommand } from './commands/demo.ts';
import { exportCommand } from './commands/export.ts';
import { getCommand } from './commands/get.ts';
import { importCommand } from './commands/import.ts';
import { keysCommand } from './commands/keys.ts';
import { leaveCommand, removeCommand } from './commands/leave.ts';
import { membersCommand } from './commands/members.ts';
import { planCommand } from './commands/plan.ts';
import { putCommand } from './commands/put.ts';
import { repairCommand } from './commands/repair.ts';
import { ringCommand } from './commands/ring.ts';
import { scrubCommand } from './commands/scrub.ts';
import { joinCommand, replaceCommand, serveCommand } from './commands/serve.ts';
import { simCommand } from './commands/sim.ts';
import { statusCommand } from './commands/status.ts';
import { watchCommand } from './commands/watch.ts';
import { version } from './package-files.ts';

function createProgram(): Command {
  const program = new Command('ringmesh')
    .description('A key-value store without a server of its own: peers that serve quorum reads and writes.')
    .version(version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      `
Start here:
  $ ringmesh demo                          five peers on this machine
  $ ringmesh put greeting hello            write through the gateway at http://127.0.0.1:7400
  $ ringmesh get greeting --gateway http://127.0.0.1:7403
  $ ringmesh <command> --help              flags and examples`,
    );
  const groups: readonly (readonly [title: string, commands: readonly Command[]])[] = [
    ['Run peers:', [demoCommand, serveCommand, joinCommand, replaceCommand, simCommand]],
    ['Values:', [putCommand, getCommand, deleteCommand, keysCommand, watchCommand, importCommand, exportCommand]],
    ['The mesh:', [membersCommand, ringCommand, statusCommand, planCommand, leaveCommand, removeCommand, repairCommand, scrubCommand]],
  ];
  for (const [title, commands] of groups) {
    for (const command of commands) program.addCommand(command.copyInheritedSettings(program).helpGroup(title));
  }
  program.hook('preAction', async (_, command: Command & { configuration?: ConfigFile }) => {
    command.configuration = await completeOptions(command, process.env);
  });
  return program;
}

function fail(error: unknown): void {
  const failure = describeFailure(error);
  if (failure === undefined) return;
  process.stderr.write(`${failure.line}\n`);
  process.exitCode = failure.exitCode;
}

/** `ringmesh keys | head` closes our output early: that is no failure. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
});

const program = createProgram();
try {
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync();
} catch (error) {
  fail(error);
}
