/** What the page knows of the mesh at one moment, as its peer sees it. The parts of the page draw it; none of them changes it. */

import type { MemberState, MemberView, RingView } from 'ringmesh';

export interface MeshView {
  /** Sorted by name. */
  readonly members: readonly MemberView[];
  readonly names: ReadonlyMap<string, string>;
  readonly ring: RingView;
  /** The peer that serves the page. */
  readonly self: string;
}

export const nameIn = (view: MeshView | undefined, peer: string): string => view?.names.get(peer) ?? `…${peer.slice(-5)}`;

/** One word for each state, with what it means for the data. */
export const stateText: Readonly<Record<MemberState, string>> = {
  alive: 'alive',
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
