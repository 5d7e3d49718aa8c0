/** Looks at something of the mesh again and again while a part of the page shows it. */

import { useSignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { MeshProblem } from '../mesh/types.ts';
import { told, touched } from '../state.ts';

const lookAgainMs = 400;

/** The answer, or `otherwise` when it cannot be had now. */
export async function orElse<T, U>(asking: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof MeshProblem) return otherwise;
    throw error;
  }
}

interface Look<T> {
  /** What is looked at: an answer that comes when it is something else already does not count. */
  readonly at: string;
  readonly ask: () => Promise<T>;
}

/**
 * What the last look has found; undefined before the first one. Looks anew when something was told or written or a signal has changed
 * that `prepare` reads, and at most every 400 ms: however much is told meanwhile, the next look is not put off by it. One look is
 * under way at a time, so that slow peers are not asked ever more.
 */
export function useLook<T>(prepare: () => Look<T> | undefined): T | undefined {
  const found = useSignal<T | undefined>(undefined);
  const lookedAt = useRef(0);
  const latest = useRef('');
  const state = useRef<'idle' | 'asking' | 'missed'>('idle');
  const missed = useSignal(0);
  useSignalEffect(() => {
    void touched.value;
    void told.value;
    void missed.value;
    const look = prepare();
    if (look === undefined) return undefined;
    latest.current = look.at;
    const take = (value: T): void => {
      if (latest.current === look.at) found.value = value;
    };
    const timer = setTimeout(
      () => {
        if (state.current !== 'idle') {
          state.current = 'missed';
          return;
        }
        state.current = 'asking';
        void look
          .ask()
          .then(take)
          .finally(() => {
            lookedAt.current = performance.now();
            if (state.current === 'missed') missed.value++;
            state.current = 'idle';
          });
      },
      Math.max(0, lookedAt.current + lookAgainMs - performance.now()),
    );
    return () => clearTimeout(timer);
  });
  return found.value;
}
