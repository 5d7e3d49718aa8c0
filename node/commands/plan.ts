/** `ringmesh plan`: what would move if a member came or went, without moving it. */

import { Argument, Option } from 'commander';
import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { countText, percentText, print, printJson, shortId, sizeText, table } from '../cli/output.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { fetchJson, type PlanResult, queryText } from '../client/api.ts';

interface PlanOptions extends ClientOptions {
  readonly weight?: number;
  readonly host?: string;
  readonly class?: string;
}

export const planCommand = clientCommand('plan')
  .description('show what would move if a member joined, left or was replaced, without moving it')
  .addArgument(new Argument('<action>', 'what would be done').choices(['join', 'leave', 'replace']))
  .addArgument(new Argument('[peer]', 'who leaves (default: the gateway’s peer) or is replaced'))
  .addOption(
    new Option('--weight <tokens>', 'of the new member (default: 128, or that of the replaced one)').argParser(wholeNumber(0, 1024)),
  )
  .option('--host <label>', 'of the new member (default: a host of its own)')
  .addOption(new Option('--class <class>', 'of the new member').choices(['server', 'tab', 'ephemeral']))
  .addHelpText(
    'after',
    `
Keys and bytes are estimates, by a sample of the partitions that the gateway's peer owns.
${examples('ringmesh plan join', 'ringmesh plan join --weight 256', 'ringmesh plan leave --gateway http://127.0.0.1:7403', 'ringmesh plan replace Yh3kQ8fa')}`,
  )
  .action((action: string, peer: string | undefined, options: PlanOptions) =>
    withClient(options, async (client) => {
      const { weight, host } = options;
      const plan = await fetchJson<PlanResult>(client, `/v1/plan${queryText({ action, peer, weight, host, class: options.class })}`);
      if (options.json === true) return printJson(plan);
      const share = plan.partitions === 0 ? 0 : plan.copies / plan.partitions;
      print(
        `${countText(plan.copies, 'copy', 'copies')} of partitions would be made, ${percentText(share)} of all: about ${plan.keys} keys, ${sizeText(plan.bytes)}\n`,
      );
      const rows = plan.peers.map((entry) => [
        entry.peer === '(new)' ? entry.peer : shortId(entry.peer),
        `+${entry.gains}`,
        `-${entry.loses}`,
        `${entry.keys}`,
        sizeText(entry.bytes),
      ]);
      print(table(['PEER', 'GAINS', 'LOSES', 'KEYS TO COPY', 'BYTES'], rows));
    }),
  );
