/** The gateway's long requests: progress while they go on, and a result. */

import { CliError, exitCodes } from '../cli/errors.ts';
import { answerError } from './api.ts';
import type { GatewayClient } from './gateway-client.ts';

export type { LeaveProgress, RepairProgress, RepairResult, ScrubProgress, ScrubResult } from 'ringmesh';

interface Line {
  readonly progress?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** One POST whose answer is a JSON object a line. */
export async function follow<Progress, Result>(
  client: GatewayClient,
  path: string,
  onProgress: (progress: Progress) => void,
): Promise<Result> {
  let last: Line = {};
  const answer = await client.request({
    method: 'POST',
    path,
    onLine: (text) => {
      const line = lineOf(text);
      if (line === undefined) return;
      last = line;
      if (line.progress !== undefined) onProgress(line.progress as Progress);
    },
  });
  if (answer.status !== 200) throw answerError(answer);
  if (last.error !== undefined) throw new CliError(last.error.code, last.error.message, exitCodes.failed);
  if (last.result === undefined)
    throw new CliError('GATEWAY_LOST', `${answer.gateway} broke off before it was done; to go on, run it again`);
  return last.result as Result;
}

/** Undefined for what keeps the connection alive, and for answers of another form, which have a status of their own. */
function lineOf(text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}
