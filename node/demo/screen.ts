/** The one screen of the demo: what runs, where the data is, what to try. Its lines can be pasted as they are. */

import { join, relative, resolve } from 'node:path';
import { countText, durationText, percentText, shortId, table } from '../cli/output.ts';
import { packageFolder } from '../package-files.ts';
import type { Agreement } from './agreement.ts';
import type { PeerPlan } from './plan.ts';
import type { Serving } from './supervised-peer.ts';

export interface ScreenOptions {
  readonly plans: readonly PeerPlan[];
  readonly serving: readonly Serving[];
  readonly agreement: Agreement;
  readonly data: string;
  readonly startMs: number;
  readonly page: boolean;
  /** How this program was called: `npx ringmesh` or `node dist/node/main.js`. */
  readonly program: string;
}

export function demoScreen(options: ScreenOptions): string {
  const { plans, serving, agreement } = options;
  const rows = plans.map((plan, index) => {
    const { peer = '', pid = 0 } = serving[index] ?? {};
    const share = agreement.shares.get(peer);
    const ports = [`${plan.tcpPort}`, `${plan.webSocketPort}`];
    return [plan.name, plan.gatewayUrl, `${pid}`, shortId(peer), ...ports, share === undefined ? '' : percentText(share)];
  });
  const state = agreement.agreed
    ? `${countText(plans.length, 'peer')} agree on one ring (${agreement.digest.slice(0, 8)}), ${durationText(options.startMs)} after the start`
    : `${countText(plans.length, 'peer')} run, but do not agree yet: ${agreement.missing}`;
  return [
    '',
    `ringmesh demo · ${state}`,
    '',
    ...(options.page ? [`  See it live: ${plans[0]?.gatewayUrl}/`, ''] : []),
    table(['PEER', 'GATEWAY', 'PID', 'ID', 'TCP', 'WEBSOCKET', 'SHARE'], rows, '  '),
    '',
    `  data   ${resolve(options.data)} (kept for the next start; logs beside it in peer-N.log)`,
    '',
    'Try, in another terminal:',
    '',
    ...trials(options).map((line) => (line === '' ? '' : `  ${line}`)),
    '',
    'Ctrl-C stops all peers.',
    '',
  ].join('\n');
}

/** A folder that is surely there: the package's own code. */
const sampleFolder = (): string => relative(process.cwd(), join(packageFolder, 'dist', 'src')) || '.';

function trials({ plans, serving, program, plans: [first] }: ScreenOptions): string[] {
  const one = first?.gatewayUrl ?? '';
  const last = plans.at(-1)?.gatewayUrl ?? one;
  const gateway = one === 'http://127.0.0.1:7400' ? '' : ` --gateway ${one}`;
  return [
    '# write through one peer, read through another',
    `curl -X PUT -H 'Content-Type: text/plain' -d 'hello' ${one}/v1/buckets/default/keys/greeting`,
    `curl ${last}/v1/buckets/default/keys/greeting`,
    '',
    '# two writers who did not see each other leave a conflict; --replace settles it',
    `${program} put greeting 'good evening'${gateway}`,
    `${program} get greeting --gateway ${last}`,
    `${program} put greeting 'good night' --replace${gateway}`,
    '',
    '# where does it live, and who is there',
    `${program} ring --key greeting${gateway}`,
    `${program} members${gateway}`,
    '',
    '# kill one, and go on: the demo starts it again',
    `kill -9 ${serving.at(Math.floor(serving.length / 2))?.pid ?? 0}`,
    `${program} get greeting${gateway}`,
    '',
    '# a folder in and out',
    `${program} import ${sampleFolder()} --bucket files${gateway}`,
    `${program} export ./copy --bucket files${gateway}`,
  ];
}
