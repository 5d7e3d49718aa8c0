/**
 * Retries for bulk work: a bounded number of tries at one gateway after the other, with growing pauses, long enough to outlast the death of a peer.
 * What is wrong with the request itself is not tried again.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { NoAnswerError, type GatewayAnswer, type GatewayClient, type GatewayRequest } from '../client/gateway-client.ts';

const triesMax = 10;
const firstPauseMs = 100;
const pauseMaxMs = 2000;

export interface Tries {
  /** Tries after the first, over all requests. */
  retried: number;
}

export interface PatientRequest {
  /** Called for each try. */
  readonly request: () => GatewayRequest | Promise<GatewayRequest>;
  /** Whether an answer is final; by default every one but 503 is. */
  readonly isFinal?: (answer: GatewayAnswer) => boolean;
  /** Called when a try may have taken effect although it was not answered as hoped. */
  readonly onUncertain?: (answer: GatewayAnswer | undefined) => void;
}

const isServed = (answer: GatewayAnswer): boolean => answer.status !== 503;

/** The final answer, or after the last try the last answer. */
export async function patiently(client: GatewayClient, tries: Tries, patient: PatientRequest): Promise<GatewayAnswer> {
  const isFinal = patient.isFinal ?? isServed;
  let last: GatewayAnswer | undefined;
  let lost: NoAnswerError | undefined;
  for (let attempt = 0; attempt < triesMax; attempt++) {
    if (attempt > 0) {
      tries.retried++;
      await sleep(Math.min(firstPauseMs * 2 ** (attempt - 1), pauseMaxMs) * (0.5 + Math.random() / 2));
    }
    const gateway = client.current;
    try {
      last = await client.send(await patient.request());
      lost = undefined;
      if (isFinal(last)) return last;
      patient.onUncertain?.(last);
      if (last.status === 503) client.leave(last.gateway);
    } catch (error) {
      if (!(error instanceof NoAnswerError)) throw error;
      lost = error;
      client.leave(gateway);
      if (error.sent) patient.onUncertain?.(undefined);
    }
  }
  if (last === undefined || lost !== undefined) throw client.unreachable(lost);
  return last;
}

/** Runs `work` on all items, at most `width` at a time, in order of the items. */
export async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
}
