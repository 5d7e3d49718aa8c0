/** `ringmesh leave` and `ringmesh remove`: the two ways in which a member gives up its place. */

import { clientCommand, examples, withClient, type ClientOptions } from '../cli/client-command.ts';
import { leftText, print, printJson, sizeText } from '../cli/output.ts';
import { createCounter } from '../cli/progress.ts';
import { answerError } from '../client/api.ts';
import { follow, type LeaveProgress } from '../client/upkeep.ts';

export const leaveCommand = clientCommand('leave')
  .description('give up the place of the gateway’s peer; says when it is safe to stop it')
  .addHelpText(
    'after',
    `
The peer owns what it has until others have copied it, then it has left: stop it whenever you like.
Interrupting this command ends the waiting, not the leaving, which goes on even when the peer is
stopped and started again. A peer that has left and is started again joins anew, with an empty store.
${examples('ringmesh leave --gateway http://127.0.0.1:7403', 'ringmesh plan leave --gateway http://127.0.0.1:7403')}`,
  )
  .action((options: ClientOptions) =>
    withClient(options, async (client) => {
      const progress = createCounter('leaving', 'partitions');
      let result: object;
      try {
        result = await follow<LeaveProgress, object>(
          client,
          '/v1/leave',
          ({ partitions, partitionsDone, keys, bytes, hints, waitsFor, secondsLeft }) => {
            const waits = waitsFor === '' ? '' : `, waits for ${waitsFor}, which is out of reach`;
            const kept = hints === 0 ? '' : `, ${hints} hints to hand over`;
            progress.update(partitionsDone, partitions, `${keys} keys copied (${sizeText(bytes)})${kept}${leftText(secondsLeft)}${waits}`);
          },
        );
      } finally {
        progress.stop();
      }
      if (options.json === true) printJson(result);
      else print('left: it is safe to stop this peer');
    }),
  );

export const removeCommand = clientCommand('remove')
  .description('take its place from a dead member that will not come back')
  .argument('<peer>', 'its id, or the end of it as `ringmesh members` shows it')
  .addHelpText(
    'after',
    `
Others own what it owned from now on, and copy it from those that are left. If it comes back after all
it joins anew, with an empty store. For a member that is alive use ringmesh leave; to put another one
in its place, ringmesh replace.
${examples('ringmesh remove Yh3kQ8fa')}`,
  )
  .action((peer: string, options: ClientOptions) =>
    withClient(options, async (client) => {
      const answer = await client.request({ method: 'DELETE', path: `/v1/members/${encodeURIComponent(peer)}` });
      if (answer.status !== 200) throw answerError(answer);
      if (options.json === true) printJson(JSON.parse(answer.body.toString()));
      else print(`removed ${peer}: ringmesh members shows it, ringmesh status how far the others have come`);
    }),
  );
