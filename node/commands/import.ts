/** `ringmesh import`: every regular file of a folder becomes a value, its relative path the key. */

import { stat } from 'node:fs/promises';
import { Option } from 'commander';
import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { CliError, exitCodes } from '../cli/errors.ts';
import { countText, durationText, note, print, printJson, sizeText, visible } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { createProgress } from '../cli/progress.ts';
import type { GatewayClient } from '../client/gateway-client.ts';
import { importFiles, type FileFailure, type ImportReport } from '../files/importer.ts';
import { walk } from '../files/walk.ts';
import { valueMaxText } from '../value-limits.ts';

interface ImportCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly concurrency: number;
}

export const importCommand = clientCommand('import')
  .description('load a folder: each file becomes a value, its relative path the key')
  .argument('<dir>', 'the folder')
  .option('-b, --bucket <name>', 'the bucket', 'default')
  .option('-p, --prefix <text>', 'put this before each key', '')
  .addOption(new Option('--concurrency <count>', 'files under way at a time').argParser(wholeNumber(1, 256)).default(16))
  .addHelpText(
    'after',
    `
What is there already is replaced. With several --gateway the import goes on when one of them dies.
Symbolic links are not followed; a file of more than ${valueMaxText} is an error of that file. Exit code 1
when any file failed.
${examples(
  'ringmesh import ./site --bucket site',
  'ringmesh import ./docs --bucket files --prefix docs/ --gateway http://127.0.0.1:7400,http://127.0.0.1:7401',
)}`,
  )
  .action((dir: string, options: ImportCommandOptions) => withClient(options, (client) => run(client, dir, options)));

async function run(client: GatewayClient, dir: string, options: ImportCommandOptions): Promise<void> {
  const folder = await stat(dir).catch(() => undefined);
  if (folder?.isDirectory() !== true) throw new CliError('FOLDER_INVALID', `${dir} is not a folder`, exitCodes.usage);
  const files = await walk(dir);
  const progress = createProgress('importing');
  const startedAt = performance.now();
  progress.start(files.length);
  let report: ImportReport;
  try {
    report = await importFiles(client, files, { ...options, onProgress: progress.update });
  } finally {
    progress.stop();
  }
  const ms = performance.now() - startedAt;
  if (options.json === true) {
    printJson({ ...report, seconds: ms / 1000 });
  } else {
    print(
      summary(
        `imported ${countText(report.files, 'file')} (${sizeText(report.bytes)}) into ${options.bucket} in ${durationText(ms)}`,
        report,
      ),
    );
    printFailures(report.failed);
  }
  if (report.failed.length > 0) process.exitCode = exitCodes.failed;
}

const summary = (head: string, report: ImportReport): string =>
  [
    head,
    ...(report.replaced > 0 ? [`${report.replaced} replaced`] : []),
    `${report.retried} retried`,
    `${report.failed.length} failed`,
  ].join(', ');

const shownMax = 20;

export function printFailures(failed: readonly FileFailure[]): void {
  for (const failure of failed.slice(0, shownMax)) note(`  ${visible(failure.file)}: ${failure.message} [${failure.code}]`);
  if (failed.length > shownMax) note(`  … and ${failed.length - shownMax} more (all of them with --json)`);
}
