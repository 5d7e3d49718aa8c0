/** What there is to know of one peer: shortly beside the ring when it is pointed at, wholly in the list when it is chosen. */

import type { ConnectionView, Holdings, MemberView } from 'ringmesh';
import { percent } from '../mesh/names.ts';
import { classText, type MeshView, nameIn, standingOf, standingText } from '../mesh/view.ts';
import { mesh, view } from '../state.ts';
import { bytesText, plural } from './bits.tsx';
import { orElse, useLook } from './look.ts';

type Fact = readonly [name: string, fact: string];

export function Facts({ member, short }: { readonly member: MemberView; readonly short?: boolean }) {
  const { peer } = member;
  const holdings = useLook(() => {
    void view.value;
    const asked = mesh.value;
    return asked && { at: peer, ask: () => orElse(asked.doorNear(peer).holdings(peer), 'unknown' as const) };
  });
  const seen = view.value;
  if (seen === undefined) return null;
  const facts = short === true ? factsInShort(seen, member, holdings) : [...factsInShort(seen, member, holdings), ...restOfFacts(member)];
  return <dl>{facts.map(([name, fact]) => [<dt key={name}>{name}</dt>, <dd key={`${name} fact`}>{fact}</dd>])}</dl>;
}

function factsInShort(seen: MeshView, member: MemberView, holdings: Held): Fact[] {
  return [
    ['State', standingText[standingOf(member)]],
    ['Host', member.host],
    ['Class', classText[member.class]],
    ['Weight', `${plural(member.weight, 'place')} on the ring`],
    ['Share', `${percent(member.share)} of all copies`],
    ['Keeps', heldText(holdings, keepsText)],
    ['Hints', heldText(holdings, ({ hints }) => `${plural(hints, 'write')} kept for others`)],
    ...pathsTo(seen, member),
  ];
}

const restOfFacts = (member: MemberView): Fact[] => [
  ['Id', member.peer],
  ['Addresses', member.addresses.join(', ') || 'none: it dials others'],
  ...(member.gateway === undefined ? [] : [['Gateway', member.gateway] as const]),
];

type Held = Holdings | 'unknown' | undefined;

function heldText(held: Held, text: (holdings: Holdings) => string): string {
  if (held === undefined) return 'asking…';
  return held === 'unknown' ? 'cannot be asked now' : text(held);
}

const keepsText = ({ keys, bytes, exact }: Holdings): string => `${exact ? '' : 'about '}${plural(keys, 'key')}, ${bytesText(bytes)}`;

/** How it is reached, by the eyes of the page and by this tab where it is a peer. */
function pathsTo(seen: MeshView, { peer, self }: MemberView): Fact[] {
  const paths = seen.ways
    .filter(({ from }) => from !== peer)
    .map(({ from, connections }): Fact => {
      const found = connections.find((connection) => connection.peer === peer);
      return [`From ${nameIn(seen, from)}`, found === undefined ? 'no connection now' : pathText(seen, found)];
    });
  return self ? [['Eyes', 'the page looks through them'], ...paths] : paths;
}

const transportText = { tcp: 'TCP', websocket: 'WebSocket', webrtc: 'WebRTC', memory: 'a simulated link' } as const;

function pathText(seen: MeshView, { relay, transport, roundTripMs }: ConnectionView): string {
  const way = `${relay === undefined ? 'directly' : `relayed by ${nameIn(seen, relay)}`} over ${transportText[transport]}`;
  return roundTripMs === undefined ? way : `${way}, ${roundTripMs.toFixed(1)} ms there and back`;
}
