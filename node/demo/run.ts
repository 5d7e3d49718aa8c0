/** The supervisor of the demo: checks, starts, waits for agreement, shows the screen, and stops all peers at a signal. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkFolder } from '../cli/data-folder.ts';
import { countText, note, print } from '../cli/output.ts';
import { programCall } from '../cli/program-call.ts';
import { onStopSignal } from '../cli/stop-signal.ts';
import { pageFolder } from '../package-files.ts';
import { awaitAgreement } from './agreement.ts';
import { checkPorts, planPeer, supervisorPort, type DemoOptions } from './plan.ts';
import { readRoster, writeRoster } from './roster.ts';
import { demoScreen } from './screen.ts';
import { bindSupervisor } from './supervisor.ts';
import { Troupe } from './troupe.ts';

const agreeWithinMs = 30_000;

export async function runDemo(options: DemoOptions): Promise<void> {
  const startedAt = performance.now();
  await checkFolder(options.data);
  const roster = await readRoster(options);
  const plans = roster.map((index) => planPeer(options, index));
  await checkPorts(plans, supervisorPort(options));
  await writeRoster(options, roster);
  const stopping = new AbortController();
  const supervisor = await bindSupervisor(options);
  const troupe = new Troupe(options, plans, supervisor.url, print);
  const { peers } = troupe;
  const stopped = stopAtSignal(troupe, options.data, stopping);
  if (process.stdout.isTTY) note(`starting ${countText(plans.length, 'peer')} …`);
  const serving = await Promise.all(peers.map((peer) => peer.start())).catch(async (error: unknown) => {
    if (stopping.signal.aborted) return undefined;
    await troupe.stop();
    throw error;
  });
  if (serving === undefined) return stopped;
  supervisor.open(troupe);
  const agreement = await awaitAgreement(
    plans,
    serving.map((one) => one.peer),
    agreeWithinMs,
    stopping.signal,
  );
  if (!stopping.signal.aborted) {
    const startMs = performance.now() - startedAt;
    print(
      demoScreen({
        plans,
        serving,
        agreement,
        data: options.data,
        startMs,
        page: existsSync(join(pageFolder, 'index.html')),
        program: programCall(),
      }),
    );
  }
  return stopped;
}

/** Never resolves before the end: the process exits when all peers are gone. */
function stopAtSignal(troupe: Troupe, data: string, stopping: AbortController): Promise<never> {
  return new Promise(() => {
    const stop = async (): Promise<void> => {
      stopping.abort();
      print(`\nstopping ${countText(troupe.peers.length, 'peer')} …`);
      await troupe.stop();
      print(`all peers have stopped; their data stays in ${data}`);
      process.exit(0);
    };
    onStopSignal(() => void stop());
  });
}
