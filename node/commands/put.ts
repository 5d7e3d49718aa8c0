/** `ringmesh put`: writes one value from an argument, a file or standard input, and prints the receipt. */

import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import mime from 'mime';
import { bucketOption, clientCommand, encodedOption, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { CliError, codeOf, exitCodes, exitCodesHelp, usageError } from '../cli/errors.ts';
import { keySegment } from '../cli/key-argument.ts';
import { printJson } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { printReceipt } from '../cli/receipt.ts';
import { fetchEnvelope, fetchReceipt, keyPath } from '../client/api.ts';
import { modes, replicasMax, timeoutMaxMs, ttlMaxMs } from '../quorum-options.ts';

interface PutCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly file?: string;
  readonly contentType?: string;
  readonly context?: string;
  readonly replace?: boolean;
  readonly encoded?: boolean;
  readonly w?: number;
  readonly mode?: string;
  readonly timeoutMs?: number;
  readonly ttlMs?: number;
}

export const putCommand = clientCommand('put')
  .description('write a value: from the argument, from --file, or from standard input')
  .argument('<key>', 'the key')
  .argument('[value]', 'the value; left out, it is read from --file or standard input')
  .addOption(bucketOption())
  .option('-f, --file <path>', 'take the value from a file; its type follows from its name')
  .option('-t, --content-type <type>', 'kept with the value (default for texts: text/plain)')
  .option('-c, --context <context>', 'what an earlier get returned: this put replaces what that get saw')
  .option('--replace', 'get the context first, so that this put replaces whatever is there now')
  .addOption(new Option('-w, --w <count>', 'acknowledgements to wait for').argParser(wholeNumber(1, replicasMax)))
  .addOption(new Option('--mode <mode>', 'whose acknowledgements count').choices(modes))
  .addOption(new Option('--timeout-ms <ms>', 'how long to wait for them').argParser(wholeNumber(1, timeoutMaxMs)))
  .addOption(new Option('--ttl-ms <ms>', 'how long the value lives; 0 for ever').argParser(wholeNumber(0, ttlMaxMs)))
  .addOption(encodedOption())
  .addHelpText(
    'after',
    `
Without --context or --replace nothing is replaced: the value stands beside those that are there,
and a get shows them all (a conflict).
${examples(
  'ringmesh put greeting hello',
  'ringmesh put greeting "good morning" --replace',
  'ringmesh put photo --file ./photo.jpg --bucket pictures -w 3',
  "date | ringmesh put now --content-type 'text/plain; charset=utf-8'",
)}

${exitCodesHelp}`,
  )
  .action((key: string, value: string | undefined, options: PutCommandOptions) =>
    withClient(options, (client) => put(client, key, value, options)),
  );

async function put(
  client: Parameters<Parameters<typeof withClient>[1]>[0],
  key: string,
  value: string | undefined,
  options: PutCommandOptions,
): Promise<void> {
  if (value !== undefined && options.file !== undefined) throw usageError('give the value as an argument or with --file, not both');
  if (options.context !== undefined && options.replace === true) throw usageError('give --context or --replace, not both');
  const segment = keySegment(key, options.encoded);
  const { body, contentType } = await readValue(value, options);
  const query = { w: options.w, mode: options.mode, timeoutMs: options.timeoutMs, ttlMs: options.ttlMs };
  const context = options.replace === true ? (await fetchEnvelope(client, keyPath(options.bucket, segment))).context : options.context;
  const receipt = await fetchReceipt(client, {
    method: 'PUT',
    path: keyPath(options.bucket, segment, query),
    headers: {
      ...(contentType === undefined ? {} : { 'Content-Type': contentType }),
      ...(context === undefined || context === '' ? {} : { 'X-Ringmesh-Context': context }),
    },
    body,
  });
  if (options.json === true) printJson(receipt);
  else printReceipt('put', options.bucket, key, receipt);
  if (receipt.outcome !== 'ok') process.exitCode = exitCodes.incomplete;
}

interface Value {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
}

async function readValue(value: string | undefined, options: PutCommandOptions): Promise<Value> {
  if (value !== undefined) return { body: Buffer.from(value), contentType: options.contentType ?? 'text/plain' };
  if (options.file !== undefined) {
    const body = await readFile(options.file).catch((error: unknown) => {
      throw new CliError(codeOf(error) ?? 'FILE_UNREADABLE', `cannot read ${options.file}`, exitCodes.usage);
    });
    return { body, contentType: options.contentType ?? mime.getType(options.file) ?? undefined };
  }
  if (process.stdin.isTTY) throw usageError('no value: give it as an argument, with --file, or on standard input');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return { body: Buffer.concat(chunks), contentType: options.contentType };
}
