/** `ringmesh keys`: lists the keys of a bucket, page after page. */

import { Option } from 'commander';
import { bucketOption, clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { exitCodes } from '../cli/errors.ts';
import { note, print, printJson } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { keyPages, plainFetch, type ListedKey } from '../client/listing.ts';

interface KeysCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly prefix?: string;
  readonly limit?: number;
  readonly encoded?: boolean;
}

const pageMax = 1000;

export const keysCommand = clientCommand('keys')
  .description('list the keys of a bucket, in bytewise order, one a line')
  .addOption(bucketOption())
  .option('-p, --prefix <text>', 'only keys that begin with this')
  .addOption(new Option('-l, --limit <count>', 'at most so many (default: all)').argParser(wholeNumber(1, 999_999_999)))
  .option('--encoded', 'print all keys percent-encoded; without it only keys that are no plain text are')
  .addHelpText(
    'after',
    `
--json prints {"keys": [text or null], "encoded": [percent-encoded], "complete": true|false}. When
some part of the ring did not answer, keys may be missing: a note says so and the exit code is 5.
${examples('ringmesh keys', 'ringmesh keys --bucket files --prefix docs/', 'ringmesh keys --json --limit 20')}`,
  )
  .action((options: KeysCommandOptions) =>
    withClient(options, async (client) => {
      const keys: ListedKey[] = [];
      let complete = true;
      const limit = options.limit ?? Number.POSITIVE_INFINITY;
      for await (const page of keyPages(plainFetch(client), options.bucket, { prefix: options.prefix, limit: Math.min(limit, pageMax) })) {
        keys.push(...page.keys);
        complete &&= page.complete;
        if (keys.length >= limit) break;
      }
      const listed = keys.slice(0, limit);
      if (options.json === true)
        printJson({ keys: listed.map((key) => key.text ?? null), encoded: listed.map((key) => key.encoded), complete });
      else if (listed.length > 0) print(listed.map((key) => (options.encoded === true ? key.encoded : plain(key))).join('\n'));
      if (!complete) {
        note('note: some part of the ring did not answer; keys may be missing');
        process.exitCode = exitCodes.incomplete;
      }
    }),
  );

/** Text without control characters as it is; anything else percent-encoded. */
const plain = (key: ListedKey): string => (key.text === undefined || /\p{Cc}/u.test(key.text) ? key.encoded : key.text);
