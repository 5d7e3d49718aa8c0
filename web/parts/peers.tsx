/** The peers as a list: name, state and share at a glance, the rest of the chosen one below it. With hundreds of peers it shows some, and finds the others by name. */

import { useSignal, useSignalEffect } from '@preact/signals';
import type { MemberView, PeerStatus } from 'ringmesh';
import { peerHue, percent } from '../mesh/names.ts';
import { classText, memberIn, nameIn, stateText } from '../mesh/view.ts';
import { breaking, chosen, ledger, lit, mesh, told, view } from '../state.ts';
import { choose } from '../ring/ring.tsx';
import { plural } from './bits.tsx';

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
        <span class="state">{isPaused ? 'standing still' : state}</span>
        <span class="share">{percent(member.share)}</span>
        <span class="bar" aria-hidden="true" style={{ '--part': member.share / full }} />
      </button>
      {isOpen ? <Facts member={member} /> : null}
    </li>
  );
}

function Facts({ member }: { readonly member: MemberView }) {
  const status = useSignal<PeerStatus | undefined>(undefined);
  useSignalEffect(() => {
    void view.value;
    void mesh.value?.status(member.peer).then((found) => (status.value = found));
  });
  return <dl>{factsOf(member, status.value).map(([name, fact]) => [<dt key={name}>{name}</dt>, <dd key={`${name} fact`}>{fact}</dd>])}</dl>;
}

function reachOf(member: MemberView): string {
  if (member.self) return 'the page looks through its eyes';
  const eyes = nameIn(view.value, view.value?.self ?? '');
  if (!member.connected) return `no connection with ${eyes} now`;
  const trip = member.roundTripMs === undefined ? '' : `, ${member.roundTripMs.toFixed(1)} ms there and back`;
  return `connected with ${eyes}${trip}`;
}

function factsOf(member: MemberView, status: PeerStatus | undefined): [name: string, fact: string][] {
  void told.value;
  const waiting = ledger.piles.filter(({ holder }) => holder === member.peer).reduce((sum, pile) => sum + pile.waiting, 0);
  return [
    ['State', stateText[member.state]],
    ['Share', `${percent(member.share)} of all copies, by ${plural(member.weight, 'place')} on the ring`],
    ['Class', classText[member.class]],
    ['Host', member.host],
    ['Path', reachOf(member)],
    ['Hints', `${plural(waiting, 'write')} kept for others${status === undefined ? '' : `, for ${plural(status.hints, 'owner')}`}`],
    ...(status === undefined ? [] : [['Storage', storageText(status)] as [string, string]]),
    ['Id', member.peer],
    ['Addresses', member.addresses.join(', ') || 'none: it dials others'],
    ...(member.gateway === undefined ? [] : [['Gateway', member.gateway] as [string, string]]),
  ];
}

const storageText = ({ storage }: PeerStatus): string =>
  `${storage.durable ? 'survives a crash' : 'in memory only'}, ${storage.healthy ? 'works' : 'fails'}`;

export const chosenMember = (): MemberView | undefined => memberIn(view.value, chosen.value);
