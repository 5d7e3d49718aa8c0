/** The forms in which a mesh is split. A split is a list of cuts, each of one direction. */

import type { SeededRandom } from '../../src/core/random.ts';
import { pick, shuffled } from '../../src/sim/chance.ts';
import type { Cut } from './network.ts';

export interface Split {
  readonly text: string;
  readonly cuts: readonly Cut[];
}

const name = (index: number): string => `${index + 1}`;
const names = (indexes: readonly number[]): string =>
  indexes
    .toSorted((a, b) => a - b)
    .map(name)
    .join(' ');

/** Between all of one side and all of the other, both ways. */
const between = (left: readonly number[], right: readonly number[]): Cut[] =>
  left.flatMap((a) =>
    right.flatMap((b): Cut[] => [
      [a, b],
      [b, a],
    ]),
  );

const forms: readonly ((peers: readonly number[]) => Split)[] = [
  (peers) => {
    const [left, right] = [peers.slice(0, peers.length >> 1), peers.slice(peers.length >> 1)];
    return { text: `in halves: ${names(left)} | ${names(right)}`, cuts: between(left, right) };
  },
  ([lone = 0, ...others]) => ({ text: `${name(lone)} alone`, cuts: between([lone], others) }),
  ([bridge = 0, ...others]) => {
    const [left, right] = [others.slice(0, others.length >> 1), others.slice(others.length >> 1)];
    return { text: `${name(bridge)} a bridge: ${names(left)} | ${names(right)}`, cuts: between(left, right) };
  },
  ([deaf = 0, ...others]) => ({ text: `${name(deaf)} hears nobody`, cuts: others.map((other): Cut => [other, deaf]) }),
  (peers) => {
    const isNear = (a: number, b: number): boolean => [1, peers.length - 1].includes(Math.abs(peers.indexOf(a) - peers.indexOf(b)));
    const cuts = peers.flatMap((a) => peers.filter((b) => a !== b && !isNear(a, b)).map((b): Cut => [a, b]));
    return { text: `a circle: each hears its two neighbours in ${peers.map(name).join(' ')}`, cuts };
  },
];

export const drawSplit = (random: SeededRandom, peers: number): Split =>
  pick(
    random,
    forms,
  )(
    shuffled(
      random,
      Array.from({ length: peers }, (_, index) => index),
    ),
  );
