/** What the page knows of the mesh at one moment, as one of its peers sees it. The parts of the page draw it; none of them changes it. */

import type { ConnectionView, MemberState, MemberView, RingView } from 'ringmesh';
import { peerHue, peerNames } from './names.ts';

export interface MeshView {
  /** Sorted by name, in the order of their seats. Those that have left or were removed are not among them. */
  readonly members: readonly MemberView[];
  /** Of all that were ever heard of. */
  readonly names: ReadonlyMap<string, string>;
  readonly ring: RingView;
  /** The peer with whose eyes this is seen. */
  readonly self: string;
  /** How these reach the others: the eyes, and this tab when it is a peer. */
  readonly ways: readonly Ways[];
}

interface Ways {
  readonly from: string;
  readonly connections: readonly ConnectionView[];
}

/** `ways`: those of the eyes come first. */
export function meshView(members: readonly MemberView[], ring: RingView, ways: readonly [Ways, ...Ways[]], ownTab?: string): MeshView {
  const names = peerNames(members, ownTab);
  const order = new Intl.Collator(undefined, { numeric: true });
  const present = members.filter(({ state }) => state !== 'left' && state !== 'removed');
  const byName = present.toSorted((a, b) => order.compare(names.get(a.peer) ?? '', names.get(b.peer) ?? ''));
  // Hues are given in the order of the first look.
  for (const { peer } of byName) peerHue(peer);
  return {
    members: byName,
    names,
    ring,
    self: ways[0].from,
    ways,
  };
}

export const nameIn = (view: MeshView | undefined, peer: string): string => view?.names.get(peer) ?? `…${peer.slice(-5)}`;

export const memberIn = (view: MeshView | undefined, peer: string | undefined): MemberView | undefined =>
  view?.members.find((member) => member.peer === peer);

/** How a member is, in a word: its state, and while it is alive whether it is coming or going. */
export type Standing = MemberState | 'joining' | 'leaving';

export const standingOf = ({ state, status }: MemberView): Standing =>
  state === 'alive' && (status === 'joining' || status === 'leaving') ? status : state;

/** Each with what it means for the data. */
export const standingText: Readonly<Record<Standing, string>> = {
  alive: 'alive',
  joining: 'joining: it copies what it will own',
  leaving: 'leaving: others copy what it owns',
  suspect: 'suspect: it has not answered; others are asked',
  dead: 'dead: out of reach; it keeps its place, others keep its writes for it',
  left: 'left: its place went to others',
  removed: 'removed: its place went to others',
};

export const classText: Readonly<Record<MemberView['class'], string>> = {
  server: 'server: keeps its data on disk',
  tab: 'tab: keeps its data in a browser',
  ephemeral: 'ephemeral: keeps its data in memory only',
};
