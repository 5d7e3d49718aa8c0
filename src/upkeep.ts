/** Repair and scrub for the public handle: requests of the core, with its events as progress and its outcomes in the words of the public types. */

import type { RepairOptions, RepairProgress, RepairResult, ScrubOptions, ScrubProgress, ScrubResult } from './api.ts';
import { fromByteString } from './core/bytes.ts';
import { MeshError } from './core/errors.ts';
import type { RepairOutcome } from './core/repair-run.ts';
import type { Requester } from './runtime.ts';

/** `counts`: the n that buckets of this mesh may have. */
export async function repair(runtime: Requester, counts: readonly number[], options: RepairOptions): Promise<RepairResult> {
  const { partition, signal, onProgress } = options;
  const stop = runtime.onEvent((event) => {
    if (event.type !== 'repair') return;
    const { type: _type, at: _at, ...progress } = event;
    onProgress?.(progress satisfies RepairProgress);
  });
  try {
    const command = { partitions: partition === undefined ? undefined : [partition], counts };
    const reply = await runtime.request({ type: 'repair', command }, signal);
    if (reply.type !== 'repair') throw new MeshError('INTERNAL', `bug: a reply of type ${reply.type}`);
    return repairResult(reply.outcome);
  } finally {
    stop();
  }
}

const repairResult = ({ ms, ...found }: RepairOutcome): RepairResult => ({ ...found, seconds: ms / 1000 });

export async function scrub(runtime: Requester, counts: readonly number[], { signal, onProgress }: ScrubOptions): Promise<ScrubResult> {
  const stop = runtime.onEvent((event) => {
    if (event.type !== 'scrub') return;
    const { type: _type, at: _at, ...progress } = event;
    onProgress?.(progress satisfies ScrubProgress);
  });
  try {
    const reply = await runtime.request({ type: 'scrub', counts }, signal);
    if (reply.type !== 'scrub') throw new MeshError('INTERNAL', `bug: a reply of type ${reply.type}`);
    const { ms, names, repair: exchanges, ...found } = reply.outcome;
    return {
      ...found,
      names: names.map(({ bucket, key }) => ({ bucket, key: fromByteString(key) })),
      repair: exchanges === undefined ? undefined : repairResult(exchanges),
      seconds: ms / 1000,
    };
  } finally {
    stop();
  }
}
