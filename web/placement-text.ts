/** Where a key lives, in a sentence. */

import type { Placement } from 'ringmesh';
import type { KeyName } from './gateway.ts';
import { type MeshView, nameIn } from './mesh-view.ts';
import { standInOf } from './stand-in.ts';

const inWords = new Intl.ListFormat('en', { type: 'conjunction' });

export function placementText({ key }: KeyName, placement: Placement, view: MeshView | undefined): string {
  const { primaries, hosts, position } = placement;
  const owners = inWords.format(primaries.map((peer) => nameIn(view, peer)));
  const where = `“${key.length > 40 ? `${key.slice(0, 39)}…` : key}” is at ${((position / 2 ** 32) * 100).toFixed(1)} % of the way round. `;
  const kept = primaries.length === 1 ? `${owners} keeps it.` : `${owners} keep it: the next peers clockwise.`;
  const standIn = standInOf(placement, view?.members ?? []);
  const helped = standIn === undefined ? '' : ` One of them is away; ${nameIn(view, standIn)} stands in (dashed line).`;
  const shared = hosts < primaries.length ? ` They share ${hosts} ${hosts === 1 ? 'host' : 'hosts'}: there are not enough for one each.` : '';
  return where + kept + helped + shared;
}
