/** The shapes in which a network comes apart: which pairs of peers cannot talk while it lasts (the shapes of Jepsen's nemesis). */

export const splitShapes = ['halves', 'isolate', 'bridge', 'majorities', 'scatter'] as const;
export type SplitShape = (typeof splitShapes)[number];

type Pair = readonly [a: number, b: number];

/** `order`: the peers in the random order in which the shape takes them. */
export function crossings(shape: SplitShape, order: readonly number[]): Pair[] {
  const pairs: Pair[] = [];
  order.forEach((a, i) => {
    for (let j = i + 1; j < order.length; j++) if (apart(shape, i, j, order.length)) pairs.push([a, order[j] ?? a]);
  });
  return pairs;
}

/** Whether the i-th and the j-th of `count` peers are apart, i < j. */
function apart(shape: SplitShape, i: number, j: number, count: number): boolean {
  const half = Math.floor(count / 2);
  switch (shape) {
    case 'halves':
      return i < half && j >= half;
    case 'isolate':
      return i === 0;
    case 'bridge':
      // The first one still talks to both sides.
      return i > 0 && i <= half && j > half;
    case 'majorities': {
      // Each one sees the nearest around a circle, a majority, and no two see the same one.
      const distance = Math.min(j - i, count - (j - i));
      return distance > Math.floor((Math.floor(count / 2) + 1) / 2);
    }
    case 'scatter':
      return (Math.imul(i + 1, 7919) ^ Math.imul(j + 1, 104_729)) % 3 === 0;
  }
}
