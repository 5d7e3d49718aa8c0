/** `ringmesh watch`: shows each change of a key, or of all keys that begin with a prefix, as it is made, until it is stopped. */

import { bucketOption, clientCommand, encodedOption, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { usageError } from '../cli/errors.ts';
import { keySegment } from '../cli/key-argument.ts';
import { note, print, printJson, sizeText, visible } from '../cli/output.ts';
import { queryText } from '../client/api.ts';
import { type ChangeJson, followChanges, type WatchLine } from '../client/watch.ts';
import { encodeSegment, keyText } from '../key-path.ts';

interface WatchCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly prefix?: string;
  readonly initial?: boolean;
  readonly encoded?: boolean;
}

const shownLength = 60;

export const watchCommand = clientCommand('watch')
  .description('show changes of a key, or of many, as they are made, until Ctrl-C')
  .argument('[key]', 'the key (without it and without --prefix: the whole bucket)')
  .addOption(bucketOption())
  .option('-p, --prefix <text>', 'all keys that begin with this')
  .option('--initial', 'show what is there now, too')
  .addOption(encodedOption())
  .addHelpText(
    'after',
    `
Each version is shown once, wherever it was written. A lost connection is taken up again where it was.
When that is not possible, a note says that changes may be missing; with --json the line
{"type":"resync"} does. --json prints one object a line: {"type":"ready"}, then
{"type":"change", "key", "encoded", "dot", "deleted", "value" (base64), "contentType", "time", "context", "current"}.
${examples('ringmesh watch greeting', 'ringmesh watch --bucket files --prefix docs/', 'ringmesh watch --json --initial')}`,
  )
  .action((key: string | undefined, options: WatchCommandOptions) =>
    withClient(options, async (client) => {
      if (key !== undefined && options.prefix !== undefined) throw usageError('give a key or --prefix, not both');
      // Already encoded as a path has it, which a query takes too.
      const what = key === undefined ? `prefix=${encodeSegment(options.prefix ?? '')}` : `key=${keySegment(key, options.encoded)}`;
      const path = `/v1/buckets/${encodeSegment(options.bucket)}/watch?${what}${queryText({ initial: options.initial === true ? 'true' : undefined }).replace('?', '&')}`;
      await followChanges(
        client,
        path,
        (line) => (options.json === true ? printJson(line) : show(line, options.bucket)),
        (reason) => note(`note: the connection was lost (${reason}); trying again`),
      );
    }),
  );

function show(line: WatchLine, bucket: string): void {
  if (line.type === 'ready') note(`watching ${bucket}`);
  else if (line.type === 'resync') note('note: changes may be missing from here on; read again what you need');
  else print(`${new Date(line.time).toISOString()}  ${visible(line.key ?? line.encoded)}  ${summary(line)}`);
}

function summary({ value, contentType, current }: ChangeJson): string {
  const conflict = current.length > 1 ? `  CONFLICT of ${current.length}` : '';
  if (value === null) return `deleted${conflict}`;
  const bytes = Buffer.from(value, 'base64');
  const text = keyText(bytes);
  const shown =
    text !== undefined && text.length <= shownLength ? JSON.stringify(text) : `${sizeText(bytes.length)}, ${contentType ?? 'no type'}`;
  return `${shown}${conflict}`;
}
