/** Break things: end, pause and start peers, add and remove them, and split the mesh; and how many keys move when a peer comes or goes. */

import { useSignal } from '@preact/signals';
import type { Life } from '../mesh/types.ts';
import { memberIn, nameIn, standingOf } from '../mesh/view.ts';
import { attempt, breaking, chosen, ledger, told, view } from '../state.ts';
import { Button, PeerName } from './bits.tsx';
import { Moved } from './moved.tsx';

export function BreakThings() {
  const doing = breaking.value;
  return (
    <div class="stack">
      {doing === undefined ? (
        <p class="note">
          This is a real mesh, so nothing can be broken from here. Switch to the simulated mesh above, or run <code>ringmesh demo</code>.
        </p>
      ) : (
        <>
          <OnePeer />
          <WholeMesh />
        </>
      )}
      <Moved />
    </div>
  );
}

function OnePeer() {
  const seen = view.value;
  const doing = breaking.value;
  const picked = (seen?.members.find(({ peer }) => peer === chosen.value) ?? seen?.members.find(({ peer }) => peer !== seen.self))?.peer;
  if (seen === undefined || doing === undefined || picked === undefined) return null;
  const life: Life | undefined = doing.lives.value.get(picked);
  const is = (...lives: readonly Life[]): boolean => life !== undefined && lives.includes(life);
  return (
    <fieldset>
      <legend>One peer</legend>
      <label>
        Which{' '}
        <select value={picked} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          {seen.members.map(({ peer }) => (
            <option key={peer} value={peer}>
              {nameIn(seen, peer)}
            </option>
          ))}
        </select>
      </label>
      <p class="note life">
        <PeerName peer={picked} /> {lifeText(life)}, and the others take it for <b>{memberIn(seen, picked)?.state}</b>.
      </p>
      <div class="buttons">
        <Button
          disabled={!is('running', 'paused')}
          onClick={() => attempt(doing.kill(picked))}
          title="Its process ends at once, without a word"
        >
          Kill
        </Button>
        <Button
          disabled={!is('running')}
          onClick={() => attempt(doing.pause(picked))}
          title="Its process stands still: it neither answers nor goes away"
        >
          Pause
        </Button>
        <Button disabled={!is('paused')} onClick={() => attempt(doing.resume(picked))}>
          Resume
        </Button>
        <Button disabled={!is('stopped')} onClick={() => attempt(doing.start(picked))} title="With the data that it had">
          Start again
        </Button>
        <Button disabled={life === undefined} onClick={() => attempt(doing.remove(picked))} title="It leaves for good">
          Remove
        </Button>
      </div>
    </fieldset>
  );
}

function lifeText(life: Life | undefined): string {
  switch (life) {
    case 'running':
      return 'runs';
    case 'paused':
      return 'stands still';
    case 'starting':
      return 'is starting';
    case 'stopped':
      return 'is down';
    case undefined:
      return 'is not one that can be broken from here';
  }
}

function WholeMesh() {
  const seen = view.value;
  const doing = breaking.value;
  const busy = useSignal(false);
  if (seen === undefined || doing === undefined) return null;
  const act = async (one: Promise<void>): Promise<void> => {
    busy.value = true;
    await attempt(one);
    busy.value = false;
  };
  const peers = seen.members.map(({ peer }) => peer);
  const half = Math.ceil(peers.length / 2);
  const sides = doing.sides.value;
  const alone = peers.find((peer) => peer === chosen.value) ?? peers.at(-1) ?? '';
  return (
    <fieldset>
      <legend>The whole mesh</legend>
      <div class="buttons">
        <Button disabled={busy.value} onClick={() => act(doing.add())}>
          Add a peer
        </Button>
        <Button disabled={busy.value || sides !== undefined} onClick={() => act(doing.split([peers.slice(0, half), peers.slice(half)]))}>
          Split in halves
        </Button>
        <Button
          disabled={busy.value || sides !== undefined}
          onClick={() => act(doing.split([peers.filter((peer) => peer !== alone), [alone]]))}
        >
          Cut off {nameIn(seen, alone)}
        </Button>
        <Button disabled={busy.value || sides === undefined} onClick={() => act(doing.heal())}>
          Heal the split
        </Button>
      </div>
      <p class="note" aria-live="polite">
        {sides === undefined
          ? 'The mesh is in one piece.'
          : `Split: ${sides.map((side) => side.map((peer) => nameIn(seen, peer)).join(', ')).join('  |  ')}`}
        <Joining />
      </p>
    </fieldset>
  );
}

/** Why the ring has not changed yet. */
function Joining() {
  void told.value;
  const seen = view.value;
  const coming = seen?.members.filter((member) => standingOf(member) === 'joining') ?? [];
  return coming.map(({ peer }) => {
    const waitsFor = ledger.transfers.find(({ by }) => by === peer)?.waitsFor ?? '';
    const why = waitsFor === '' ? 'it copies what it will own' : `it waits for ${nameIn(seen, waitsFor)}, which must hear of it`;
    return ` ${nameIn(seen, peer)} is joining: ${why}.`;
  });
}
