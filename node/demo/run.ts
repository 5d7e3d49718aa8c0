/** The supervisor of the demo: checks, starts, waits for agreement, shows the screen, and stops all peers at a signal. */

import { existsSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, codeOf } from '../cli/errors.ts';
import { countText, note, print } from '../cli/output.ts';
import { programCall } from '../cli/program-call.ts';
import { onStopSignal } from '../cli/stop-signal.ts';
import { pageFolder } from '../package-files.ts';
import { awaitAgreement } from './agreement.ts';
import { checkPorts, planPeers, supervisorPort, type DemoOptions } from './plan.ts';
import { demoScreen } from './screen.ts';
import { bindSupervisor } from './supervisor.ts';
import { Troupe } from './troupe.ts';

const agreeWithinMs = 30_000;

export async function runDemo(options: DemoOptions): Promise<void> {
  const startedAt = performance.now();
  const plans = planPeers(options);
  await checkPorts(plans, supervisorPort(options));
  await checkData(options.data);
  const stopping = new AbortController();
  const supervisor = await bindSupervisor(options);
  const troupe = new Troupe(options, supervisor.url, print);
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
  const gateways = plans.map((plan) => plan.gatewayUrl);
  const agreement = await awaitAgreement(
    gateways,
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

async function checkData(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CliError(
      'STORAGE_FAILED',
      `the data folder ${folder} cannot be written (${codeOf(error) ?? 'no access'}); choose another with --data`,
    );
  }
}
