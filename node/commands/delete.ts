/** `ringmesh delete`: deletes what a get sees now, or exactly what a given context has seen. */

import { Option } from 'commander';
import { bucketOption, clientCommand, encodedOption, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { exitCodes, exitCodesHelp } from '../cli/errors.ts';
import { keySegment } from '../cli/key-argument.ts';
import { note, printJson, visible } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { printReceipt } from '../cli/receipt.ts';
import { fetchEnvelope, fetchReceipt, keyPath } from '../client/api.ts';
import { modes, replicasMax, timeoutMaxMs } from '../quorum-options.ts';

interface DeleteCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly context?: string;
  readonly encoded?: boolean;
  readonly w?: number;
  readonly mode?: string;
  readonly timeoutMs?: number;
}

export const deleteCommand = clientCommand('delete')
  .description('delete a value')
  .argument('<key>', 'the key')
  .addOption(bucketOption())
  .option('-c, --context <context>', 'delete only what an earlier get saw (default: what a get sees now)')
  .addOption(new Option('-w, --w <count>', 'acknowledgements to wait for').argParser(wholeNumber(1, replicasMax)))
  .addOption(new Option('--mode <mode>', 'whose acknowledgements count').choices(modes))
  .addOption(new Option('--timeout-ms <ms>', 'how long to wait for them').argParser(wholeNumber(1, timeoutMaxMs)))
  .addOption(encodedOption())
  .addHelpText('after', `${examples('ringmesh delete greeting', 'ringmesh delete cart --bucket shop --json')}\n\n${exitCodesHelp}`)
  .action((key: string, options: DeleteCommandOptions) =>
    withClient(options, async (client) => {
      const segment = keySegment(key, options.encoded);
      const seen = options.context === undefined ? await fetchEnvelope(client, keyPath(options.bucket, segment)) : undefined;
      if (seen?.outcome === 'absent') note(`${options.bucket}/${visible(key)} has no value already`);
      const context = options.context ?? seen?.context ?? '';
      const receipt = await fetchReceipt(client, {
        method: 'DELETE',
        path: keyPath(options.bucket, segment, { w: options.w, mode: options.mode, timeoutMs: options.timeoutMs }),
        headers: context === '' ? {} : { 'X-Ringmesh-Context': context },
      });
      if (options.json === true) printJson(receipt);
      else printReceipt('delete', options.bucket, key, receipt);
      if (receipt.outcome !== 'ok') process.exitCode = exitCodes.incomplete;
    }),
  );
