/**
 * How the property tests run: the same seed every time, so that a red run is red again; `RINGMESH_SEED` tries another one and `RINGMESH_RUNS` multiplies
 * the number of runs. fast-check prints the seed and the path of a counter-example, which then becomes a named test.
 */

import fc from 'fast-check';

const environment: Readonly<Record<string, string | undefined>> = typeof process === 'object' ? process.env : {};
export const seed = Number(environment['RINGMESH_SEED'] ?? 20_140_603);
const factor = Number(environment['RINGMESH_RUNS'] ?? 1);

/** Runs a property `runs` times, or fails with the smallest counter-example. */
export function holds<T extends [unknown, ...unknown[]]>(runs: number, property: fc.IProperty<T>): void {
  fc.assert(property, { seed, numRuns: runs * factor });
}
