/** `ringmesh ring`: the ring as one peer sees it, or with --key where a key lives. */

import { bucketOption, clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { bar, countText, facts, hostText, percentText, print, printJson, shortId, table, visible } from '../cli/output.ts';
import { fetchJson, queryText, type MembersAnswer, type Placement, type RingView } from '../client/api.ts';
import type { GatewayClient } from '../client/gateway-client.ts';

interface RingCommandOptions extends ClientOptions {
  readonly bucket: string;
  readonly key?: string;
}

const barWidth = 40;

export const ringCommand = clientCommand('ring')
  .description('show the ring and how it is shared, or where one key lives')
  .option('-k, --key <key>', 'show the replicas of this key')
  .addOption(bucketOption())
  .addHelpText('after', examples('ringmesh ring', 'ringmesh ring --key greeting', 'ringmesh ring --json'))
  .action((options: RingCommandOptions) =>
    withClient(options, async (client) => {
      if (options.key !== undefined) return showPlacement(client, options, options.key);
      const ring = await fetchJson<RingView>(client, '/v1/ring');
      if (options.json === true) printJson(ring);
      else showRing(ring);
    }),
  );

function showRing(ring: RingView): void {
  const tokens = new Map<number, number>();
  for (const [, member] of ring.tokens) tokens.set(member, (tokens.get(member) ?? 0) + 1);
  print(
    `ring ${ring.digest.slice(0, 16)} · ${countText(ring.members.length, 'peer')} · ${ring.tokens.length} tokens · ${ring.partitions} partitions\n`,
  );
  const largest = Math.max(...ring.members.map((member) => member.share), Number.EPSILON);
  const rows = ring.members
    .map((member, index) => [
      shortId(member.peer),
      hostText(member),
      member.class,
      `${tokens.get(index) ?? 0}`,
      percentText(member.share),
      bar(member.share / largest, barWidth),
    ])
    .toSorted((a, b) => ((a[1] ?? '') < (b[1] ?? '') ? -1 : 1));
  print(table(['PEER', 'HOST', 'CLASS', 'TOKENS', 'SHARE', ''], rows));
}

async function showPlacement(client: GatewayClient, options: RingCommandOptions, key: string): Promise<void> {
  const placement = await fetchJson<Placement>(client, `/v1/placement${queryText({ bucket: options.bucket, key })}`);
  if (options.json === true) return printJson(placement);
  const { members } = await fetchJson<MembersAnswer>(client, '/v1/members');
  const row = (role: string) => (peer: string) => {
    const member = members.find((candidate) => candidate.peer === peer);
    return [
      role,
      shortId(peer),
      member === undefined ? '' : hostText(member),
      member?.class ?? '',
      member?.state ?? 'unknown',
      visible(member?.gateway ?? ''),
    ];
  };
  print(
    facts([
      ['key', `${options.bucket}/${visible(key)}`],
      ['position', `${placement.position} (${percentText(placement.position / 2 ** 32)} of the way round)`],
      ['partition', `${placement.partition}`],
      ['hosts', `${placement.hosts} among the primaries`],
    ]),
  );
  print('');
  print(
    table(
      ['ROLE', 'PEER', 'HOST', 'CLASS', 'STATE', 'GATEWAY'],
      [...placement.primaries.map(row('primary')), ...placement.fallbacks.map(row('fallback'))],
    ),
  );
}
