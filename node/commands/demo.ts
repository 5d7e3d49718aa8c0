/** `ringmesh demo`: several peers on this machine, each its own process, with something to try. */

import { Command, Option } from 'commander';
import { configOption, examples } from '../cli/client-command.ts';
import { wholeNumber } from '../cli/parsers.ts';
import { peersMax, portMax, type DemoOptions } from '../demo/plan.ts';

export const demoCommand = new Command('demo')
  .description('run five peers on this machine and show what to try')
  .addOption(new Option('--peers <count>', 'how many (default: those of the last time, five at first)').argParser(wholeNumber(1, peersMax)))
  .option('--data <folder>', 'where they keep their data', './data')
  .addOption(
    new Option('--port <port>', 'gateway of the first; the others follow, peers talk at +100 and +200')
      .argParser(wholeNumber(1024, portMax))
      .default(7400),
  )
  .addOption(configOption())
  .addHelpText('after', examples('ringmesh demo', 'ringmesh demo --peers 7 --data /tmp/mesh --port 8400'))
  .action(async (options: DemoOptions) => {
    const { runDemo } = await import('../demo/run.ts');
    await runDemo(options);
  });
