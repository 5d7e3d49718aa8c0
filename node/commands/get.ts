/** `ringmesh get`: reads one value to standard output or a file; shows conflicts instead of choosing. */

import { writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import { bucketOption, clientCommand, encodedOption, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { CliError, codeOf, exitCodes, exitCodesHelp } from '../cli/errors.ts';
import { keySegment } from '../cli/key-argument.ts';
import { note, print, printJson, sizeText, table, visible } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { programCall } from '../cli/program-call.ts';
import { fetchEnvelope, keyPath, type Envelope, type SiblingJson } from '../client/api.ts';
import { keyText } from '../key-path.ts';
import { modes, replicasMax, timeoutMaxMs } from '../quorum-options.ts';

interface GetCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly output?: string;
  readonly siblings?: boolean;
  readonly context?: boolean;
  readonly encoded?: boolean;
  readonly r?: number;
  readonly mode?: string;
  readonly timeoutMs?: number;
}

export const getCommand = clientCommand('get')
  .description('read a value to standard output or to a file')
  .argument('<key>', 'the key')
  .addOption(bucketOption())
  .option('-o, --output <file>', 'write the value to a file')
  .option('--siblings', 'print all values of a conflict')
  .option('--show-context', 'print the context on standard error, for a put with --context')
  .addOption(new Option('-r, --r <count>', 'replicas to ask').argParser(wholeNumber(1, replicasMax)))
  .addOption(new Option('--mode <mode>', 'whose answers count').choices(modes))
  .addOption(new Option('--timeout-ms <ms>', 'how long to wait for them').argParser(wholeNumber(1, timeoutMaxMs)))
  .addOption(encodedOption())
  .addHelpText(
    'after',
    `${examples(
      'ringmesh get greeting',
      'ringmesh get photo --bucket pictures --output photo.jpg',
      'ringmesh get cart --siblings',
      'ringmesh get cart --json -r 3',
    )}

${exitCodesHelp}`,
  )
  .action((key: string, options: GetCommandOptions & { showContext?: boolean }) =>
    withClient(options, async (client) => {
      const query = { r: options.r, mode: options.mode, timeoutMs: options.timeoutMs };
      const answer = await fetchEnvelope(client, keyPath(options.bucket, keySegment(key, options.encoded), query));
      if (options.json === true) printJson(answer);
      else await show(key, answer, options);
      if (options.showContext === true && answer.context !== '') note(`context ${answer.context}`);
      if (answer.outcome === 'absent') process.exitCode = exitCodes.absent;
      else if (distinct(answer.siblings).length > 1) process.exitCode = exitCodes.conflict;
    }),
  );

async function show(key: string, answer: Envelope, options: GetCommandOptions): Promise<void> {
  const name = `${options.bucket}/${visible(key)}`;
  const [first, second] = distinct(answer.siblings);
  if (first === undefined) note(`${name} has no value (a read quorum says so)`);
  else if (second === undefined) await showValue(name, first, options.output);
  else if (options.siblings === true) answer.siblings.forEach((sibling, index) => showSibling(sibling, index + 1, answer.siblings.length));
  else showConflict(name, answer.siblings, options.bucket, key);
}

/** One value that was written twice is no conflict for a reader. */
const distinct = (siblings: readonly SiblingJson[]): SiblingJson[] => {
  const byValue = new Map(siblings.map((sibling) => [`${sibling.contentType} ${sibling.value}`, sibling]));
  return [...byValue.values()];
};

async function showValue(name: string, sibling: SiblingJson, output: string | undefined): Promise<void> {
  const value = Buffer.from(sibling.value, 'base64');
  if (output !== undefined) {
    await writeFile(output, value).catch((error: unknown) => {
      throw new CliError(codeOf(error) ?? 'FILE_UNWRITABLE', `cannot write ${output}`);
    });
    note(`${name} -> ${output} (${sizeText(value.length)}, ${sibling.contentType ?? 'no type'})`);
    return;
  }
  const text = keyText(value);
  if (process.stdout.isTTY && (text === undefined || text.includes('\0'))) {
    note(`${name} is not text (${sizeText(value.length)}, ${sibling.contentType ?? 'no type'}): write it to a file with --output FILE`);
    return;
  }
  process.stdout.write(value);
  if (process.stdout.isTTY && text?.endsWith('\n') === false) process.stdout.write('\n');
}

function siblingRow(sibling: SiblingJson, index: number): string[] {
  const value = Buffer.from(sibling.value, 'base64');
  const text = keyText(value);
  const preview = text === undefined ? '(not text)' : JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
  return [`${index}`, new Date(sibling.time).toISOString(), sizeText(value.length), sibling.contentType ?? '', preview];
}

function showConflict(name: string, siblings: readonly SiblingJson[], bucket: string, key: string): void {
  note(`CONFLICT: ${name} has ${siblings.length} values that were written without seeing each other`);
  const rows = siblings.map((sibling, index) => siblingRow(sibling, index + 1));
  note(table(['', 'WRITTEN', 'SIZE', 'TYPE', 'VALUE'], rows, '  '));
  const where = bucket === 'default' ? '' : ` --bucket ${bucket}`;
  note(`print them whole with --siblings; settle it with: ${programCall()} put ${JSON.stringify(key)} VALUE --replace${where}`);
}

function showSibling(sibling: SiblingJson, index: number, count: number): void {
  const value = Buffer.from(sibling.value, 'base64');
  const text = keyText(value);
  const type = sibling.contentType ?? 'no type';
  print(
    `--- sibling ${index} of ${count} · ${type} · ${sizeText(value.length)} · ${new Date(sibling.time).toISOString()} · dot ${visible(sibling.dot)}`,
  );
  print(text ?? `(not text; base64) ${sibling.value}`);
}
