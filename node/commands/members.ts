/** `ringmesh members`: who is in the mesh, as one peer sees it. */

import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { countText, hostText, percentText, print, printJson, shortId, table, visible } from '../cli/output.ts';
import { fetchJson, type MembersAnswer } from '../client/api.ts';

export const membersCommand = clientCommand('members')
  .description('show who is in the mesh, as the gateway’s peer sees it')
  .option('--long', 'whole peer ids and addresses')
  .addHelpText('after', examples('ringmesh members', 'ringmesh members --gateway http://127.0.0.1:7402 --long', 'ringmesh members --json'))
  .action((options: ClientOptions & { long?: boolean }) =>
    withClient(options, async (client) => {
      const { members } = await fetchJson<MembersAnswer>(client, '/v1/members');
      if (options.json === true) return printJson({ members });
      const rows = members
        .toSorted((a, b) => (a.host < b.host ? -1 : a.host > b.host ? 1 : 0))
        .map((member) => [
          options.long === true ? member.peer : shortId(member.peer),
          hostText(member),
          member.state + (member.self ? ' (asked)' : member.connected ? '' : ', not connected'),
          member.class,
          percentText(member.share),
          member.roundTripMs === undefined ? '' : `${member.roundTripMs.toFixed(1)} ms`,
          visible(member.gateway ?? ''),
          ...(options.long === true ? [visible(member.addresses.join(' '))] : []),
        ]);
      const head = ['PEER', 'HOST', 'STATE', 'CLASS', 'SHARE', 'ROUND TRIP', 'GATEWAY', ...(options.long === true ? ['ADDRESSES'] : [])];
      print(table(head, rows));
      const alive = members.filter((member) => member.state === 'alive').length;
      print(`\n${alive} of ${countText(members.length, 'member')} alive`);
    }),
  );
