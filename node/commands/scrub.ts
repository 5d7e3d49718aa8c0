/** `ringmesh scrub`: one peer reads all that it keeps, verifies it, and gets back from the others what is damaged. */

import type { ScrubResult } from 'ringmesh';
import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { exitCodes } from '../cli/errors.ts';
import { countText, note, print, printJson, visible } from '../cli/output.ts';
import { createCounter } from '../cli/progress.ts';
import { follow, type ScrubProgress } from '../client/upkeep.ts';
import { printRepair } from './repair.ts';

type ScrubAnswer = Omit<ScrubResult, 'names'> & {
  readonly names: readonly { readonly bucket: string; readonly key: string | null; readonly encoded: string }[];
};

const namesShown = 20;

export const scrubCommand = clientCommand('scrub')
  .description('verify all that one peer keeps, and get back what is damaged')
  .addHelpText(
    'after',
    `
The gateway's peer reads all its records, verifies their checksums and recomputes its Merkle trees.
Then it repairs the partitions with damaged records from the other members, as 'ringmesh repair' does.
Exit code 1 when a damaged record could not be brought back, or some member could not be compared.
${examples('ringmesh scrub', 'ringmesh scrub --gateway http://127.0.0.1:7402 --json')}`,
  )
  .action((options: ClientOptions) =>
    withClient(options, async (client) => {
      const progress = createCounter('scrubbing', 'partitions');
      let result: ScrubAnswer;
      try {
        result = await follow<ScrubProgress, ScrubAnswer>(client, '/v1/scrub', ({ partitionsDone, partitionsTotal, records, damaged }) => {
          progress.update(partitionsDone, partitionsTotal, `${countText(records, 'record')}, ${damaged} damaged`);
        });
      } finally {
        progress.stop();
      }
      if (options.json === true) printJson(result);
      else printScrub(result);
      if (result.restored < result.names.length || (result.repair?.failed.length ?? 0) > 0) process.exitCode = exitCodes.failed;
    }),
  );

function printScrub({ records, damaged, restored, leaves, names, repair, seconds }: ScrubAnswer): void {
  print(
    `${countText(records, 'record')} read, ${damaged} damaged, ${restored} restored, ` +
      `${countText(leaves, 'Merkle leaf', 'Merkle leaves')} put right, ${seconds.toFixed(1)} seconds`,
  );
  for (const { bucket, key, encoded } of names.slice(0, namesShown)) note(`  damaged: ${bucket}/${visible(key ?? encoded)}`);
  if (damaged > namesShown) note(`  … and ${damaged - namesShown} more (up to 1000 of them with --json)`);
  if (repair !== undefined) printRepair(repair);
}
