/** `ringmesh status`: one peer about itself. */

import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { countText, durationText, facts, leftText, print, printJson, shortId, sizeText } from '../cli/output.ts';
import { fetchJson, type Holdings, type PeerStatus } from '../client/api.ts';

export const statusCommand = clientCommand('status')
  .description('show the state of one peer')
  .addHelpText('after', examples('ringmesh status', 'ringmesh status --gateway http://127.0.0.1:7403', 'ringmesh status --json'))
  .action((options: ClientOptions) =>
    withClient(options, async (client) => {
      const [status, holdings] = await Promise.all([
        fetchJson<PeerStatus>(client, '/v1/status'),
        fetchJson<Holdings>(client, '/v1/holdings'),
      ]);
      if (options.json === true) return printJson({ ...status, holdings });
      const members = Object.entries(status.members).filter(([, count]) => count > 0);
      const { storage } = status;
      const [first, ...others] = status.addresses;
      print(
        facts([
          ['peer', status.peer],
          ['cluster', status.cluster],
          ['version', status.version],
          ['up for', durationText(status.uptimeMs)],
          ['ready', status.ready ? 'yes' : 'no: it has not met its mesh yet'],
          ['place', placeText(status)],
          ['members', members.map(([state, count]) => `${count} ${state}`).join(', ')],
          ['ring', status.ringDigest],
          ['storage', `${storage.healthy ? 'healthy' : 'FAILING'}, ${storage.durable ? 'durable' : 'in memory only'}`],
          ['keeps', `${holdings.exact ? '' : 'about '}${countText(holdings.keys, 'key')}, ${sizeText(holdings.bytes)}`],
          ['actor', status.actor],
          ['hints held', `${status.hints}`],
          ['requests', `${status.pendingRequests} under way`],
          ['addresses', first ?? 'none'],
          ...others.map((address) => ['', address] as const),
        ]),
      );
    }),
  );

function placeText({ status, transfer }: PeerStatus): string {
  const place = { joining: 'joining', up: 'owns its places', leaving: 'leaving', left: 'has left: it is safe to stop it' }[status];
  if (transfer === undefined) return place;
  const waits = transfer.waitsFor === '' ? '' : `, waits for ${shortId(transfer.waitsFor)}`;
  return `${place}: copied ${transfer.partitionsDone} of ${transfer.partitions} partitions, ${transfer.keys} keys, ${sizeText(transfer.bytes)}${leftText(transfer.secondsLeft)}${waits}`;
}
