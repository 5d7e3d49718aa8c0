/** `ringmesh export`: writes the values of a bucket as files, the keys being relative paths. */

import { Option } from 'commander';
import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { exitCodes, exitCodesHelp } from '../cli/errors.ts';
import { countText, durationText, note, print, printJson, sizeText, visible } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { createProgress } from '../cli/progress.ts';
import type { GatewayClient } from '../client/gateway-client.ts';
import { exportFiles, type ExportReport } from '../files/exporter.ts';
import { printFailures } from './import.ts';

interface ExportCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly concurrency: number;
  readonly force?: boolean;
}

export const exportCommand = clientCommand('export')
  .description('save a bucket as files; keys with a prefix lose it')
  .argument('<dir>', 'the folder; made when it is not there')
  .option('-b, --bucket <name>', 'the bucket', 'default')
  .option('-p, --prefix <text>', 'only keys that begin with this', '')
  .addOption(new Option('--concurrency <count>', 'files under way at a time').argParser(wholeNumber(1, 256)).default(16))
  .option('--force', 'overwrite files that exist')
  .addHelpText(
    'after',
    `
Keys that would leave the folder (.., absolute paths, empty segments) are refused. Of a conflict all
values are written: NAME.sibling-1, NAME.sibling-2.
${examples('ringmesh export ./copy --bucket site', 'ringmesh export ./docs --bucket files --prefix docs/ --force')}

${exitCodesHelp}`,
  )
  .action((dir: string, options: ExportCommandOptions) => withClient(options, (client) => run(client, dir, options)));

async function run(client: GatewayClient, dir: string, options: ExportCommandOptions): Promise<void> {
  const progress = createProgress('exporting');
  const startedAt = performance.now();
  let report: ExportReport;
  try {
    const { bucket, prefix, concurrency } = options;
    const force = options.force === true;
    report = await exportFiles(client, dir, { bucket, prefix, concurrency, force, onTotal: progress.start, onProgress: progress.update });
  } finally {
    progress.stop();
  }
  const ms = performance.now() - startedAt;
  if (options.json === true) printJson({ ...report, seconds: ms / 1000 });
  else show(report, dir, ms);
  if (report.failed.length > 0) process.exitCode = exitCodes.failed;
  else if (report.conflicts.length > 0) process.exitCode = exitCodes.conflict;
  else if (!report.complete) process.exitCode = exitCodes.incomplete;
}

function show(report: ExportReport, dir: string, ms: number): void {
  const counts = [`${report.retried} retried`, `${report.failed.length} failed`];
  if (report.conflicts.length > 0) counts.unshift(countText(report.conflicts.length, 'conflict'));
  print(`exported ${countText(report.files, 'file')} (${sizeText(report.bytes)}) to ${dir} in ${durationText(ms)}, ${counts.join(', ')}`);
  for (const key of report.conflicts) note(`  ${visible(key)}: conflict, all values written as ${visible(key)}.sibling-…`);
  printFailures(report.failed);
  if (!report.complete) note('note: some part of the ring did not answer; keys may be missing');
}
