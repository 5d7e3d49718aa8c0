/** The frame of the page: what is shown, the ring, the tabs with what can be done, the peers, and what just happened. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { AnswerPanel } from './parts/answer.tsx';
import { Button } from './parts/bits.tsx';
import { BreakThings } from './parts/break.tsx';
import { KeyXray } from './parts/key-xray.tsx';
import { Log } from './parts/log.tsx';
import { Measure } from './parts/measure.tsx';
import { Peers } from './parts/peers.tsx';
import { Place } from './parts/place.tsx';
import { Repair } from './parts/repair.tsx';
import { RequestForm } from './parts/request-form.tsx';
import { ThisTab } from './parts/this-tab.tsx';
import { Time } from './parts/time.tsx';
import { startTour, telling, Tour } from './tour/tour.tsx';
import { ColourKey, colouring, type Colouring, Ring, useSoundChoice } from './ring/ring.tsx';
import { go, settings, simulationAddress, source } from './source.ts';
import { mesh, problem, tab, type Tab, view } from './state.ts';
import { nameIn, standingOf } from './mesh/view.ts';

export function App() {
  useSoundChoice();
  return (
    <>
      <a class="skip" href="#try">
        Skip to writing and reading
      </a>
      <Header />
      <Tour />
      <main>
        <Card id="ring" title="The ring" aside={<ColourChoice />}>
          <Ring />
          <Place />
          <p class="note colours">
            <ColourKey />
          </p>
        </Card>
        <Doings />
        <Card id="peers" title="Peers">
          <ThisTab />
          <Peers />
        </Card>
        <Card id="log" title="What just happened">
          <Log />
        </Card>
      </main>
    </>
  );
}

interface CardProperties {
  readonly id: string;
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}

function Card({ id, title, aside, children }: CardProperties) {
  return (
    <section id={id} class="card" aria-labelledby={`${id}-title`}>
      <div class="card-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

function Header() {
  return (
    <header>
      <svg class="mark" viewBox="0 0 32 32" fill="none" stroke-width="5" aria-hidden="true">
        <path d="M16 4a12 12 0 0 1 10.4 18" stroke="#3f7fd6" />
        <path d="M26.4 22A12 12 0 0 1 5.6 22" stroke="#d97a3a" />
        <path d="M5.6 22A12 12 0 0 1 16 4" stroke="#35a07a" />
      </svg>
      <h1>ringmesh</h1>
      <p class="tagline">
        A store without a server of its own: the next three peers on the ring keep each key. Write one, watch who answers, then kill a peer:
        nothing is lost.
      </p>
      <button type="button" class="begin" disabled={telling.value !== undefined} onClick={startTour}>
        Take the tour
      </button>
      <SourceChoice />
      <Connection />
      <a class="elsewhere" href="./board.html">
        Board of notes
      </a>
      {problem.value === '' ? null : (
        <p class="problem" role="alert">
          {problem.value}{' '}
          <Button look="quiet" onClick={() => (problem.value = '')}>
            Close
          </Button>
        </p>
      )}
    </header>
  );
}

function SourceChoice() {
  const isLive = source.value === 'live';
  return (
    <div class="choice" role="group" aria-label="Which mesh">
      <button type="button" aria-pressed={isLive} onClick={() => go('#live')}>
        Live mesh
      </button>
      <button type="button" aria-pressed={!isLive} onClick={() => (isLive ? go(simulationAddress(settings.value)) : undefined)}>
        Simulated
      </button>
    </div>
  );
}

function Connection() {
  const seen = view.value;
  const isLost = mesh.value?.lost.value === true;
  let [look, text] = ['', 'Connecting…'];
  if (isLost) [look, text] = ['bad', 'Nobody answers. Trying again…'];
  else if (seen !== undefined) {
    const counts = new Map<string, number>();
    for (const standing of seen.members.map(standingOf)) counts.set(standing, (counts.get(standing) ?? 0) + 1);
    const states = [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
    look = seen.members.every(({ state }) => state !== 'suspect' && state !== 'dead') ? 'good' : 'warning';
    text = `${states} · seen by ${nameIn(seen, seen.self)} · ring ${seen.ring.digest.slice(0, 8)}`;
  }
  return (
    <p class={`pill ${look}`} role="status" aria-label="The mesh" title={text}>
      {text}
    </p>
  );
}

function ColourChoice() {
  const choices: readonly Colouring[] = ['peer', 'class', 'state'];
  return (
    <label class="colouring">
      Colours by
      <select value={colouring.value} onChange={(event) => (colouring.value = event.currentTarget.value as Colouring)}>
        {choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}

const panels: readonly { readonly tab: Tab; readonly title: string; readonly panel: () => ComponentChildren }[] = [
  {
    tab: 'try',
    title: 'Write and read',
    panel: () => (
      <>
        <RequestForm />
        <AnswerPanel />
      </>
    ),
  },
  { tab: 'key', title: 'Key X-ray', panel: () => <KeyXray /> },
  { tab: 'break', title: 'Break things', panel: () => <BreakThings /> },
  { tab: 'repair', title: 'Repair', panel: () => <Repair /> },
  { tab: 'measure', title: 'R and W', panel: () => <Measure /> },
  { tab: 'time', title: 'Time', panel: () => <Time /> },
];

function Doings() {
  const list = useRef<HTMLDivElement>(null);
  const offered = panels.filter((panel) => panel.tab !== 'time' || source.value !== 'live');
  const current = offered.find((panel) => panel.tab === tab.value) ?? offered[0];
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = offered.findIndex((panel) => panel === current);
    const next = step === undefined ? undefined : offered[(at + step + offered.length) % offered.length];
    if (next === undefined) return;
    event.preventDefault();
    tab.value = next.tab;
    list.current?.querySelector<HTMLElement>(`#tab-${next.tab}`)?.focus();
  };
  if (current === undefined) return null;
  return (
    <section id="try" class="card" aria-label={current.title} tabIndex={-1}>
      <div class="tabs" role="tablist" aria-label="What to do" ref={list} onKeyDown={move}>
        {offered.map((panel) => (
          <button
            key={panel.tab}
            type="button"
            role="tab"
            id={`tab-${panel.tab}`}
            aria-selected={panel === current}
            aria-controls="panel"
            tabIndex={panel === current ? 0 : -1}
            onClick={() => (tab.value = panel.tab)}
          >
            {panel.title}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="panel" aria-labelledby={`tab-${current.tab}`} key={current.tab}>
        {current.panel()}
      </div>
    </section>
  );
}
