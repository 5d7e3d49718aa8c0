/**
 * What a peer is called and coloured on this page. Names come from host labels where these tell peers apart; a hue stays with its peer as long as the page
 * is open, whoever comes and goes.
 */

import { scaleOrdinal } from 'd3-scale';
import type { MemberView } from 'ringmesh';

/** Far apart for the first few, still different for the next; then they repeat, and names tell the peers apart. */
const hues = [255, 45, 160, 330, 95, 205, 15, 285, 130, 230, 70, 305];

const hueOf = scaleOrdinal<string, number>().range(hues);

/** A hue for `--hue` in the style sheet. */
export const peerHue = (peer: string): number => hueOf(peer);

const shortId = (peer: string): string => `…${peer.slice(-5)}`;
const tabIdLength = 4;

/** Names by peer id, each once. */
export function peerNames(members: readonly MemberView[], ownTab?: string): ReadonlyMap<string, string> {
  const perHost = new Map<string, number>();
  for (const { host } of members) perHost.set(host, (perHost.get(host) ?? 0) + 1);
  return new Map(
    members.map((member) => [member.peer, member.peer === ownTab ? 'this tab' : nameOf(member, perHost.get(member.host) === 1)]),
  );
}

function nameOf({ peer, host, class: durability }: MemberView, isOnlyOne: boolean): string {
  if (durability === 'tab') return `tab ${peer.slice(-tabIdLength)}`;
  // Simulated peers have short names of their own.
  if (host === `host-${peer}`) return peer;
  if (host === peer) return shortId(peer);
  return isOnlyOne ? host : `${host} ${shortId(peer)}`;
}

export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
