/** The race for a quorum as a small timeline: who was asked when, who answered when, whose answer decided, who came late, and who stood in. */

import { scaleLinear } from 'd3-scale';
import type { Race, Runner } from '../mesh/races.ts';
import { nameIn } from '../mesh/view.ts';
import type { Answer } from '../requests.ts';
import { placement, races, told, view } from '../state.ts';
import { msText, PeerName } from './bits.tsx';

export function RaceOf({ answer }: { readonly answer: Answer }) {
  // What the peers tell comes a moment after the answer.
  void told.value;
  const position = placement.value?.position;
  if (answer.type === 'failed' || position === undefined) return null;
  const isRead = answer.type === 'read';
  const race = races.latest(position, isRead ? 'get' : 'put');
  if (race === undefined) return null;
  const need = isRead ? `R = ${answer.quorum.r}` : `W = ${answer.quorum.w}`;
  return <Timeline race={race} need={need} />;
}

function Timeline({ race, need }: { readonly race: Race; readonly need: string }) {
  const decided = race.runners.find(({ answer }) => answer?.made)?.answer?.ms;
  const last = Math.max(1, ...race.runners.map(({ askedMs, answer }) => answer?.ms ?? askedMs));
  const at = scaleLinear([0, last], [0, 100]);
  return (
    <figure class="race">
      <figcaption>
        {nameIn(view.value, race.by)} asked; {decided === undefined ? `${need} not reached` : `${need} reached after ${msText(decided)}`}
      </figcaption>
      <ol aria-label="The race for the quorum">
        {race.runners.map((runner, index) => (
          <li key={`${runner.peer}/${index}`}>
            <PeerName peer={runner.peer} />
            <span class="lane" aria-hidden="true">
              <span
                class={`run ${outcomeOf(runner)}`}
                style={{ left: `${at(runner.askedMs)}%`, right: `${100 - at(runner.answer?.ms ?? last)}%` }}
              />
              {decided === undefined ? null : <span class="decided" style={{ left: `${at(decided)}%` }} />}
            </span>
            <span class="said">{runnerText(runner)}</span>
          </li>
        ))}
      </ol>
    </figure>
  );
}

function outcomeOf({ answer }: Runner): string {
  if (answer === undefined) return 'waiting';
  if (answer.state !== 'stored' && answer.state !== 'answered') return 'failed';
  return answer.made ? 'made' : answer.late ? 'late' : 'good';
}

function runnerText({ role, answer }: Runner): string {
  const standIn = { fallback: 'stand-in, ', gaining: 'copying, ', primary: '' }[role];
  if (answer === undefined) return `${standIn}not yet`;
  const good = answer.state === 'stored' || answer.state === 'answered';
  if (!good) return `${standIn}${answer.state}`;
  return `${standIn}${msText(answer.ms)}${answer.made ? ', made the quorum' : answer.late ? ', late' : ''}`;
}
