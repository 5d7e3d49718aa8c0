/** `ringmesh repair`: one peer compares Merkle trees with the members that share its partitions, and both sides get what they lack. */

import { Option } from 'commander';
import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { exitCodes } from '../cli/errors.ts';
import { countText, note, print, printJson, shortId } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { createCounter } from '../cli/progress.ts';
import { queryText } from '../client/api.ts';
import { follow, type RepairProgress, type RepairResult } from '../client/upkeep.ts';

interface RepairCommandOptions extends ClientOptions {
  readonly partition?: number;
}

export const repairCommand = clientCommand('repair')
  .description('compare one peer with the others and bring both sides what they lack')
  .addOption(
    new Option('--partition <id>', 'only this partition (default: all that the peer holds)').argParser(wholeNumber(0, 999_999_999)),
  )
  .addHelpText(
    'after',
    `
The gateway's peer compares Merkle trees with every member that shares partitions with it, one after
the other. Only digests travel where nothing differs; keys that differ are merged on both sides, a
few at a time. Peers do this by themselves now and then; a repair does it now.
What an interrupted repair has done stays done: to go on, run it again. To repair a whole mesh, run
it once at each peer. Exit code 1 when some member could not be compared.
${examples('ringmesh repair', 'ringmesh repair --partition 137 --gateway http://127.0.0.1:7402', 'ringmesh repair --json')}`,
  )
  .action((options: RepairCommandOptions) =>
    withClient(options, async (client) => {
      const progress = createCounter('comparing', 'members');
      let result: RepairResult;
      try {
        const path = `/v1/repair${queryText({ partition: options.partition })}`;
        result = await follow<RepairProgress, RepairResult>(client, path, ({ peersDone, peersTotal, different, sent, received }) => {
          progress.update(peersDone, peersTotal, `${different} different, ${sent} sent, ${received} received`);
        });
      } finally {
        progress.stop();
      }
      if (options.json === true) printJson(result);
      else printRepair(result);
      if (result.failed.length > 0) process.exitCode = exitCodes.failed;
    }),
  );

export function printRepair(result: RepairResult): void {
  const { compared, different, sent, received, seconds, peers, failed } = result;
  print(
    `${countText(compared, 'partition')} compared with ${countText(peers - failed.length, 'member')}, ${different} different, ` +
      `${sent} sent, ${received} received, ${seconds.toFixed(1)} seconds`,
  );
  for (const { peer, reason } of failed) note(`  ${shortId(peer)} could not be compared: ${reason}`);
}
