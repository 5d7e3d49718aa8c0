/** Where a key lives, in a sentence. */

import type { Placement } from 'ringmesh';
import { html } from './dom.ts';
import type { KeyName } from './gateway.ts';
import { type MeshView, nameIn } from './mesh-view.ts';
import { standInOf } from './stand-in.ts';

const inWords = new Intl.ListFormat('en', { type: 'conjunction' });
const keyShownMax = 40;

export function placementText({ key }: KeyName, placement: Placement, view: MeshView | undefined): (Node | string)[] {
  const { primaries, hosts, position } = placement;
  const shownKey = key.length > keyShownMax ? `${key.slice(0, keyShownMax - 1)}…` : key;
  const owners = inWords
    .formatToParts(primaries.map((peer) => nameIn(view, peer)))
    .map(({ type, value }) => (type === 'element' ? name(value) : value));
  const standIn = standInOf(placement, view?.members ?? []);
  const helped = standIn === undefined ? [] : [' One of them is away: ', name(nameIn(view, standIn)), ' stands in (dotted line).'];
  const shared =
    hosts < primaries.length ? ` They share ${hosts} ${hosts === 1 ? 'host' : 'hosts'}: there are not enough for one each.` : '';
  const where = ` is ${((position / 2 ** 32) * 100).toFixed(1)} % of the way round. `;
  return [
    html('b', {}, `“${shownKey}”`),
    where,
    ...owners,
    primaries.length === 1 ? ' keeps it.' : ' keep it, the next peers clockwise.',
    ...helped,
    shared,
  ];
}

const name = (text: string): Node => html('b', { class: 'name' }, text);
