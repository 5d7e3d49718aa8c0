/**
 * `ringmesh serve`: one peer with its gateway, until a signal. SIGTERM and SIGINT stop it in order (requests under way are finished, the peer says
 * goodbye, exit code 0); a second signal ends it at once. A parent that started it with an IPC channel and goes away stops it too.
 */

import { Command, Option } from 'commander';
import { configOption, examples } from '../cli/client-command.ts';
import type { ConfigFile } from '../cli/config-file.ts';
import { classSeconds, list, memberEnd, port, weight, wholeNumber } from '../cli/parsers.ts';
import type { ServeSettings } from '../server/settings.ts';

type PeerCommand = Command & { configuration?: ConfigFile };

/** What every peer can be told, however it comes into the mesh. */
const peerCommand = (name: string): Command =>
  new Command(name)
    .option('--cluster <name>', 'the mesh to belong to; peers of other names are strangers', 'ringmesh')
    .option('--data <folder>', 'identity and values live here (default: in memory, gone at the end)')
    .addOption(new Option('--port <port>', 'port of the gateway, 0 for any free one').argParser(port).default(7400))
    .option('--gateway-host <address>', 'address of the gateway; anything but loopback opens it to the network', '127.0.0.1')
    .addOption(
      new Option('--listen <multiaddr>', 'where other peers reach this one, repeatable (default: any free port on 127.0.0.1)').argParser(
        list,
      ),
    )
    .addOption(new Option('--announce <multiaddr>', 'what to tell others instead of the listening addresses, repeatable').argParser(list))
    .addOption(new Option('--bootstrap <multiaddr>', 'a peer to meet the mesh through, repeatable').argParser(list))
    .option('--host-label <name>', 'the machine; replicas go to different ones (default: the peer itself)')
    .option('--zone <name>', 'the place of the machine')
    .addOption(new Option('--class <class>', 'what the storage survives').choices(['server', 'tab', 'ephemeral']))
    .addOption(
      new Option('--weight <tokens>', 'share of the ring; 0 stores nothing, auto goes by disk and memory (default: 128)').argParser(weight),
    )
    .addOption(new Option('--partitions <count>', 'grain of the ring, the same for a whole cluster').argParser(wholeNumber(1, 65_536)))
    .addOption(
      new Option(
        '--durable-min <count>',
        'of the replicas of each key, so many lie at servers; the same for a whole cluster (default: 2)',
      ).argParser(wholeNumber(0, 16)),
    )
    .addOption(new Option('--allow-origin <origin>', 'web pages of this origin may use the gateway, repeatable').argParser(list))
    .addOption(new Option('--allow-host <name>', 'the gateway may be called by this name, repeatable').argParser(list))
    .option('--no-page', 'do not serve the page that shows the mesh, at / of the gateway')
    .addOption(new Option('--supervisor <url>', 'of the demo that this peer belongs to').hideHelp())
    .addOption(new Option('--log <format>', 'what to print').choices(['text', 'json', 'none']).default('text'))
    .addOption(
      new Option(
        '--remove-after <class=seconds>',
        'remove dead members of a class after a while, repeatable (default: tab=900, ephemeral=60)',
      ).argParser(classSeconds),
    )
    .addOption(new Option('--replace <peer>', 'take the place of this dead member').argParser(memberEnd).hideHelp())
    .addOption(configOption());

async function run(options: ServeSettings, command: PeerCommand): Promise<void> {
  // The libp2p tree loads only here: the other commands start without it.
  const { serveUntilStopped } = await import('../server/lifetime.ts');
  await serveUntilStopped({ ...options, buckets: command.configuration?.buckets ?? new Map() });
}

export const serveCommand = peerCommand('serve')
  .description('run a peer with its HTTP gateway')
  .addHelpText(
    'after',
    `
Every flag can also be set as RINGMESH_<NAME> (--gateway-host is RINGMESH_GATEWAY_HOST) or in the
--config file, where 'buckets' holds options for buckets. A flag wins over the environment, the
environment over the file:

  cluster: shop
  data: /var/lib/ringmesh
  bootstrap: [/dns4/peer-1.example.org/tcp/7500]
  buckets:
    carts: { n: 3, r: 2, w: 2, mode: sloppy, resolver: siblings }
${examples(
  'ringmesh serve --data ./data/one',
  'ringmesh serve --data ./data/two --port 7401 --bootstrap /ip4/127.0.0.1/tcp/7500',
  'ringmesh serve --config /etc/ringmesh.yaml --log json',
)}`,
  )
  .action(run);

export const joinCommand = peerCommand('join')
  .description('run a peer that joins a mesh: serve with --bootstrap')
  .argument('<address>', 'a peer of the mesh: the multiaddr that it prints at its start')
  .addHelpText(
    'after',
    `
The new peer copies what it will own while the others serve, and owns it then; its log and
ringmesh status show how far it is. All flags are those of ringmesh serve.
${examples('ringmesh join /ip4/127.0.0.1/tcp/7500 --data ./data/six --port 7405')}`,
  )
  .action((address: string, options: ServeSettings, command: PeerCommand) =>
    run({ ...options, bootstrap: [address, ...(options.bootstrap ?? [])] }, command),
  );

export const replaceCommand = peerCommand('replace')
  .description('run a new peer that takes the place of a dead member')
  .argument('<dead-peer>', 'its id, or the end of it as `ringmesh members` shows it', memberEnd)
  .argument('<address>', 'a peer of the mesh: the multiaddr that it prints at its start')
  .addHelpText(
    'after',
    `
The new peer gets the tokens of the dead one, so that nothing moves but its copies of what that one
owned. If the dead one comes back after all, it joins anew, with an empty store.
${examples('ringmesh replace Yh3kQ8fa /ip4/127.0.0.1/tcp/7500 --data ./data/new')}`,
  )
  .action((replace: string, address: string, options: ServeSettings, command: PeerCommand) =>
    run({ ...options, replace, bootstrap: [address, ...(options.bootstrap ?? [])] }, command),
  );
