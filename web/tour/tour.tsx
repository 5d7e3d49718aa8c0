/** The guided tour: one story at a time, one step at a time, each with a button that does what it says. */

import { signal, useSignal } from '@preact/signals';
import type { Answer } from '../requests.ts';
import { attempt, placement, view } from '../state.ts';
import { go, simulationAddress } from '../source.ts';
import { Button } from '../parts/bits.tsx';
import { canPlay, type Cast, castOf, setTheScene, type Step, stories } from './stories.ts';

/** The story that is told; undefined while none is. */
export const telling = signal<number | undefined>(undefined);
const at = signal(0);
const cast = signal<Cast>({ victim: '', offline: '', membersBefore: 0 });

const lookEveryMs = 150;
const patienceMs = 60_000;
/** A simulated mesh for pages whose own one is not to be broken. */
const stage = simulationAddress({ seed: 7, peers: 7 });

export function startTour(): void {
  if (!canPlay()) go(stage);
  setTheScene();
  at.value = 0;
  telling.value = 0;
}

export function Tour() {
  const index = telling.value;
  if (index === undefined) return null;
  const story = stories[index];
  const step = story?.steps[at.value];
  if (story === undefined || step === undefined) return null;
  return (
    <section class="card tour" aria-labelledby="tour-title">
      <div class="card-head">
        <h2 id="tour-title">
          Story {index + 1} of {stories.length}: {story.title}
        </h2>
        <Button look="quiet" onClick={() => (telling.value = undefined)}>
          End the tour
        </Button>
      </div>
      {canPlay() ? <StepShown key={`${index}/${at.value}`} step={step} /> : <p>Waiting for a mesh of four peers that may be broken…</p>}
    </section>
  );
}

type Progress = 'ready' | 'doing' | 'stuck' | 'failed';

const isFailure = (came: unknown): boolean => (came as Answer | undefined)?.type === 'failed';

function StepShown({ step }: { readonly step: Step }) {
  const progress = useSignal<Progress>('ready');
  // Who plays the victim depends on where the key lies.
  const placed = placement.value;
  const seen = view.value;
  if (cast.peek().victim === '' && placed !== undefined && seen !== undefined) cast.value = castOf(placed, seen.self);
  const { act } = step;
  const perform = async (): Promise<void> => {
    if (act === undefined) return next();
    progress.value = 'doing';
    let failed = false;
    const worked = await attempt(
      act.run(cast.peek()).then((came) => {
        failed = isFailure(came);
      }),
    );
    const isDone = worked && !failed && (await comesTrue(() => act.seen?.(cast.peek()) ?? true));
    progress.value = isDone ? 'ready' : failed ? 'failed' : 'stuck';
    if (progress.value === 'ready') at.value++;
  };
  return (
    <div class="tour-step">
      <p aria-live="polite">
        {progress.value === 'doing' && act?.waiting !== undefined ? act.waiting : step.text(cast.value)}
        {progress.value === 'stuck' ? ' This takes longer than usual.' : ''}
        {progress.value === 'failed' ? ' It did not work this time: try it again.' : ''}
      </p>
      <div class="buttons">
        <Button look="primary" disabled={progress.value === 'doing'} onClick={perform}>
          {act === undefined ? lastLabel() : act.label(cast.value)}
        </Button>
        {progress.value === 'stuck' ? <Button onClick={() => at.value++}>Go on all the same</Button> : null}
      </div>
    </div>
  );
}

const lastLabel = (): string => (telling.value === stories.length - 1 ? 'Finish' : 'Next story');

function next(): void {
  const story = (telling.peek() ?? 0) + 1;
  at.value = 0;
  telling.value = story < stories.length ? story : undefined;
  if (telling.value === undefined) cast.value = { victim: '', offline: '', membersBefore: 0 };
}

/** Looks until it holds; false when it does not for a long time. */
async function comesTrue(condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => void setTimeout(resolve, lookEveryMs));
  }
  return true;
}
