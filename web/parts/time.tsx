/** The controls of a simulated mesh: how many peers from which seed, how fast time goes, faults by sliders, and clients that keep it busy; or how the replay of a seed does. */

import { effect, signal, useComputed } from '@preact/signals';
import type { SimulatedMesh } from '../mesh/simulated.ts';
import type { Chances, ReplaySettings } from '../simulation/words.ts';
import { go, replay, settings, simulated, simulationAddress, source } from '../source.ts';
import { Button, plural, Slider } from './bits.tsx';

/** Slower and faster than real time, by powers of two. */
const speedSteps = { min: -6, max: 4 } as const;

const chances = signal<Chances>({ loss: 0, delay: 0, kills: 0, clients: 0 });

/** Chances hold for the mesh that is shown, as long as it is shown. */
effect(() => {
  const mesh = simulated.value;
  if (source.value !== 'replay') mesh?.chances(chances.value);
});

export function Time() {
  const mesh = simulated.value;
  if (mesh === undefined) return null;
  return (
    <div class="stack">
      <Clock mesh={mesh} />
      {replay.value === undefined ? <Playground /> : <ReplayState mesh={mesh} settings={replay.value} />}
    </div>
  );
}

function Clock({ mesh }: { readonly mesh: SimulatedMesh }) {
  const { speed, running } = mesh.pace.value;
  const power = Math.log2(speed);
  const reached = useComputed(() => mesh.reached.value.toPrecision(2));
  return (
    <fieldset>
      <legend>Time</legend>
      <p class="clock">
        <output aria-label="Virtual time">{(mesh.clock.value / 1000).toFixed(2)} s</output>
        <span class="note">{running ? `goes at ${Number(reached.value)} × real time` : 'stands still'}</span>
      </p>
      <Slider
        label="Speed"
        value={power}
        {...speedSteps}
        said={speed >= 1 ? `${speed} × real time` : `1/${1 / speed} of real time`}
        onInput={(value) => mesh.go({ speed: 2 ** value })}
      />
      <div class="buttons">
        <Button onClick={() => mesh.go({ running: !running })}>{running ? 'Stop time' : 'Let time go on'}</Button>
        <Button disabled={running} onClick={() => mesh.step()} title="The next message, disk write or timer, and nothing more">
          One step
        </Button>
      </div>
    </fieldset>
  );
}

/** Few peers matter more than many: the slider is finer where there are few. */
const peersOf = (position: number): number => Math.round(5 * 200 ** (position / 100));
const positionOf = (peers: number): number => Math.round((Math.log(peers / 5) / Math.log(200)) * 100);

function Playground() {
  const { seed, peers } = settings.value;
  const now = chances.value;
  const set = (change: Partial<typeof now>): void => void (chances.value = { ...now, ...change });
  return (
    <>
      <fieldset>
        <legend>Mesh</legend>
        <Slider
          label="Peers"
          value={positionOf(peers)}
          min={0}
          max={100}
          said={plural(peers, 'peer')}
          onInput={(value) => (settings.value = { seed, peers: peersOf(value) })}
        />
        <label>
          Seed{' '}
          <input
            type="number"
            min={0}
            value={seed}
            onInput={(event) => (settings.value = { peers, seed: Math.max(0, Math.floor(Number(event.currentTarget.value))) })}
          />
        </label>
        <div class="buttons">
          <Button look="primary" onClick={() => go(simulationAddress(settings.value))}>
            Start this mesh
          </Button>
          <Button
            look="quiet"
            title="The exact run that `ringmesh sim --seed` makes, with its faults and its judgement"
            onClick={() => go(`#replay?seed=${seed}&peers=5&ops=1000&faults=default`)}
          >
            Replay seed {seed} of the tests
          </Button>
        </div>
      </fieldset>
      <fieldset>
        <legend>Clients and faults</legend>
        <Slider
          label="Requests"
          value={now.clients}
          min={0}
          max={50}
          said={`${now.clients} a second`}
          onInput={(clients) => set({ clients })}
        />
        <Slider
          label="Broken links"
          value={now.loss}
          min={0}
          max={50}
          said={`${now.loss} of 10,000 messages`}
          onInput={(loss) => set({ loss })}
        />
        <Slider label="Late messages" value={now.delay} min={0} max={50} said={`${now.delay} of 100`} onInput={(delay) => set({ delay })} />
        <Slider label="Crashes" value={now.kills} min={0} max={30} said={`${now.kills} a minute`} onInput={(kills) => set({ kills })} />
      </fieldset>
    </>
  );
}

const phaseText = {
  gathering: 'the peers find each other',
  settling: 'a moment of rest',
  working: 'clients work while faults strike',
  healing: 'faults end, all must become well again',
  judged: 'judged',
} as const;

function ReplayState({ mesh, settings: asked }: { readonly mesh: SimulatedMesh; readonly settings: ReplaySettings }) {
  const run = mesh.run.value;
  const found = run?.result;
  return (
    <section aria-label="The run of a seed">
      <h3>
        Seed {asked.seed}
        <span class="took">{run === undefined ? '' : phaseText[run.phase]}</span>
      </h3>
      <p class="note">
        {plural(asked.peers, 'peer')}, {(run?.operations ?? 0).toLocaleString('en')} of {plural(asked.ops, 'operation')}, faults:{' '}
        {run?.faults.join(', ') || 'none'}
      </p>
      {found === undefined ? null : (
        <>
          <p class={`verdict ${found.violations.length === 0 ? 'good' : 'bad'}`}>
            {found.violations.length === 0 ? 'Every check holds.' : `${plural(found.violations.length, 'check')} failed.`} Event hash{' '}
            <code>{found.eventHash}</code>, the same wherever this seed runs.
          </p>
          <ul class="versions">
            {found.violations.slice(0, 5).map(({ check, key, message }) => (
              <li key={message}>
                <b>{check}</b> {key} {message}
              </li>
            ))}
          </ul>
          <p class="note">
            <code>{found.command}</code>
          </p>
        </>
      )}
      <div class="buttons">
        <Button look="quiet" onClick={() => go(simulationAddress(settings.value))}>
          Back to a mesh to play with
        </Button>
      </div>
    </section>
  );
}
