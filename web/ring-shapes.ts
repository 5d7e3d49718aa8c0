/**
 * The geometry of the drawing, in the units of its viewBox: 0 of the circle is at the top, positions grow clockwise. The band outside shows which peer owns
 * which arc; the peers stand on a smaller circle inside.
 */

import { scaleLinear } from 'd3-scale';
import { arc, linkRadial } from 'd3-shape';
import type { RingView } from 'ringmesh';

export const size = 504;
const bandOuter = 236;
const bandInner = 206;
const markRadius = 241;
const peersRadius = 128;

/** Neighbouring arcs overlap a little, or a bright hairline would shine through. */
const overlap = 0.0015;

interface Point {
  readonly x: number;
  readonly y: number;
}

interface RadialPoint {
  readonly angle: number;
  readonly radius: number;
}

const angleOf = scaleLinear([0, 2 ** 32], [0, 2 * Math.PI]);
const band = arc<readonly [start: number, end: number]>()
  .innerRadius(bandInner)
  .outerRadius(bandOuter)
  .startAngle(([start]) => angleOf(start))
  .endAngle(([, end]) => angleOf(end) + overlap);
const curve = linkRadial<unknown, RadialPoint>()
  .angle((point) => point.angle)
  .radius((point) => point.radius);

export const track = band([0, 2 ** 32]) ?? '';

/** One path for each member: all arcs that end at one of its tokens. */
export function ownedArcs(ring: RingView): string[] {
  const paths = ring.members.map(() => '');
  const last = ring.tokens.at(-1)?.[0] ?? 0;
  let start = last - 2 ** 32;
  for (const [position, owner] of ring.tokens) {
    if (position > start) paths[owner] += band([start, position]) ?? '';
    start = position;
  }
  return paths;
}

const onCircle = (angle: number, radius: number): Point => ({ x: Math.sin(angle) * radius, y: -Math.cos(angle) * radius });

export const markPoint = (position: number): Point => onCircle(angleOf(position), markRadius);

const seatAngle = (index: number, count: number): number => (index / Math.max(1, count)) * 2 * Math.PI;

export const seat = (index: number, count: number): Point =>
  count === 1 ? { x: 0, y: 0 } : onCircle(seatAngle(index, count), peersRadius);

/** Peers shrink as they become many. */
export const seatRadius = (count: number): number => Math.max(4, Math.min(33, (Math.PI * peersRadius) / Math.max(1, count) / 1.3));

/** From a place on the ring to a peer's seat. */
export function linkPath(position: number, index: number, count: number): string {
  const source = { angle: angleOf(position), radius: bandInner };
  const target = { angle: seatAngle(index, count), radius: count === 1 ? 0 : peersRadius };
  return curve({ source, target }) ?? '';
}
