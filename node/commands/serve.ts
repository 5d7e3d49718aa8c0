/**
 * `ringmesh serve`: one peer with its gateway, until a signal. SIGTERM and SIGINT stop it in order (requests under way are finished, the peer says
 * goodbye, exit code 0); a second signal ends it at once. A parent that started it with an IPC channel and goes away stops it too.
 */

import { Command, Option } from 'commander';
import { configOption, examples } from '../cli/client-command.ts';
import type { ConfigFile } from '../cli/config-file.ts';
import { list, port, wholeNumber } from '../cli/parsers.ts';
import type { ServeSettings } from '../server/settings.ts';

export const serveCommand = new Command('serve')
  .description('run a peer with its HTTP gateway')
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
    new Option('--weight <tokens>', 'share of the ring in tokens; 0 coordinates but stores nothing').argParser(wholeNumber(0, 1024)),
  )
  .addOption(new Option('--partitions <count>', 'grain of the ring, the same for a whole cluster').argParser(wholeNumber(1, 65_536)))
  .addOption(new Option('--allow-origin <origin>', 'web pages of this origin may use the gateway, repeatable').argParser(list))
  .addOption(new Option('--allow-host <name>', 'the gateway may be called by this name, repeatable').argParser(list))
  .option('--page', 'serve the demo page at /')
  .addOption(new Option('--supervisor <url>', 'of the demo that this peer belongs to').hideHelp())
  .addOption(new Option('--log <format>', 'what to print').choices(['text', 'json', 'none']).default('text'))
  .addOption(configOption())
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
  .action(async (options: ServeSettings, command: Command & { configuration?: ConfigFile }) => {
    // The libp2p tree loads only here: the other commands start without it.
    const { serveUntilStopped } = await import('../server/lifetime.ts');
    await serveUntilStopped({ ...options, buckets: command.configuration?.buckets ?? new Map() });
  });
