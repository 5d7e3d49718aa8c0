/**
 * The geometry of the drawing, in the units of its viewBox: 0 of the circle is at the top, positions grow clockwise. The band outside shows who owns which arc; the
 * peers have their seats on smaller circles inside.
 */

import { scaleLinear, scaleSqrt } from 'd3-scale';
import { arc, linkRadial } from 'd3-shape';
import type { RingView } from 'ringmesh';
import type { Point } from './plane.ts';

const bandOuter = 236;
const bandInner = 206;
const markRadius = 241;
/** Few peers sit close together in the middle, many along the band, hundreds in several rows. */
const innerSeats = 128;
const outerSeats = 184;
const rowGap = 12.5;
const seatGap = 10.5;
const fewMax = 16;

/** Neighbouring arcs overlap a little, or a bright hairline would shine through. */
const overlap = 0.0015;

interface RadialPoint {
  readonly angle: number;
  readonly radius: number;
}

const angleOf = scaleLinear([0, 2 ** 32], [0, 2 * Math.PI]);
const band = arc<readonly [start: number, end: number]>()
  .innerRadius(bandInner)
  .outerRadius(bandOuter)
  .startAngle(([start]) => angleOf(start))
  .endAngle(([, end]) => angleOf(end) + overlap)
  .digits(2);
const curve = linkRadial<unknown, RadialPoint>()
  .angle((point) => point.angle)
  .radius((point) => point.radius);

export const track = band([0, 2 ** 32]) ?? '';

/** One path for each member: all arcs that end at one of its tokens. */
export function ownedArcs(ring: RingView): string[] {
  const paths = ring.members.map((): string[] => []);
  const last = ring.tokens.at(-1)?.[0] ?? 0;
  let start = last - 2 ** 32;
  for (const [position, owner] of ring.tokens) {
    if (position > start) paths[owner]?.push(band([start, position]) ?? '');
    start = position;
  }
  return paths.map((parts) => parts.join(''));
}

const onCircle = ({ angle, radius }: RadialPoint): Point => ({ x: Math.sin(angle) * radius, y: -Math.cos(angle) * radius });

export const markPoint = (position: number): Point => onCircle({ angle: angleOf(position), radius: markRadius });

function seatAt(index: number, count: number): RadialPoint {
  if (count === 1) return { angle: 0, radius: 0 };
  const [first, inRow, radius] = rowOf(index, count);
  return { angle: ((index - first) / inRow) * 2 * Math.PI, radius };
}

/** Rows fill from the outermost one, each with as many as its length has room for. */
function rowOf(index: number, count: number): [first: number, inRow: number, radius: number] {
  if (count <= fewMax) return [0, count, innerSeats];
  const tight = tightness(count);
  let first = 0;
  for (let radius = outerSeats; ; radius -= rowGap * tight) {
    const room = radius > rowGap * 2 ? Math.floor((2 * Math.PI * radius) / (seatGap * tight)) : count;
    const inRow = Math.min(room, count - first);
    if (index < first + inRow) return [first, inRow, radius];
    first += inRow;
  }
}

/** How much closer than usual so many seats must be to fit: less than 1 from some 700 on. */
const tightness = (count: number): number => Math.min(1, Math.sqrt((0.95 * Math.PI * outerSeats ** 2) / (rowGap * seatGap * count)));

export const seat = (index: number, count: number): Point => onCircle(seatAt(index, count));

/** Peers shrink as they become many, and differ by how much they own. */
export function seatRadius(count: number, share: number): number {
  const room = count <= fewMax ? (Math.PI * innerSeats) / Math.max(1, count) / 1.3 : (Math.PI * outerSeats) / count / 1.25;
  const most = Math.max(4.4 * tightness(count), Math.min(34, room));
  return scaleSqrt([0, 2], [most * 0.72, most]).clamp(true)(share * count);
}

/** From a place on the ring to a peer's seat. */
export function linkPath(position: number, index: number, count: number): string {
  return curve({ source: { angle: angleOf(position), radius: bandInner }, target: seatAt(index, count) }) ?? '';
}
