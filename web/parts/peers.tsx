/** The peers as a list: name, state and share at a glance, the rest of the chosen one below it. With hundreds of peers it shows some, and finds the others by name. */

import { useSignal } from '@preact/signals';
import type { MemberView } from 'ringmesh';
import { peerHue, percent } from '../mesh/names.ts';
import { nameIn, standingOf } from '../mesh/view.ts';
import { breaking, chosen, lit, view } from '../state.ts';
import { choose } from '../ring/ring.tsx';
import { plural } from './bits.tsx';
import { Facts } from './facts.tsx';

/** A bar of full length stands for at least this share, so that equal peers do not all look full. */
const barMin = 0.4;
const listedMax = 24;

export function Peers() {
  const seen = view.value;
  const search = useSignal('');
  if (seen === undefined) return null;
  const found = seen.members.filter(({ peer }) => nameIn(seen, peer).toLowerCase().includes(search.value.toLowerCase()));
  const shownFirst = found.filter(({ peer }) => peer === chosen.value);
  const listed =
    found.length <= listedMax ? found : [...shownFirst, ...found.filter((one) => !shownFirst.includes(one))].slice(0, listedMax);
  const full = Math.max(...seen.members.map((member) => member.share), barMin / Math.max(1, seen.members.length / 2));
  return (
    <>
      {seen.members.length <= listedMax ? null : (
        <label>
          Find a peer <input value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} />
        </label>
      )}
      <ul class="peer-list">
        {listed.map((member) => (
          <PeerRow key={member.peer} member={member} full={full} />
        ))}
      </ul>
      {found.length > listed.length ? <p class="note">and {plural(found.length - listed.length, 'other')}</p> : null}
    </>
  );
}

function PeerRow({ member, full }: { readonly member: MemberView; readonly full: number }) {
  const { peer, state } = member;
  const isOpen = chosen.value === peer;
  const isPaused = breaking.value?.lives.value.get(peer) === 'paused';
  return (
    <li
      class={state}
      style={{ '--hue': peerHue(peer) }}
      onPointerEnter={() => (lit.value = peer)}
      onPointerLeave={() => (lit.value = undefined)}
    >
      <button type="button" aria-expanded={isOpen} onClick={() => choose(peer)}>
        <span class="swatch" aria-hidden="true" />
        <span class="name">{nameIn(view.value, peer)}</span>
        <span class="note">{peer === view.value?.self ? 'our eyes' : member.class === 'server' ? '' : member.class}</span>
        <span class="state">{isPaused ? 'standing still' : standingOf(member)}</span>
        <span class="share">{percent(member.share)}</span>
        <span class="bar" aria-hidden="true" style={{ '--part': member.share / full }} />
      </button>
      {isOpen ? <Facts member={member} /> : null}
    </li>
  );
}
