/**
 * The ring's numbers on clusters of a real size: frozen placement answers, balance, movement, and the named cases of host and class rules.
 * `RINGMESH_FREEZE=1` writes the frozen answers anew; the difference is to be reviewed, for it moves data.
 */

import { writeFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { textToBytes } from '../../src/core/bytes.ts';
import { MeshError } from '../../src/core/errors.ts';
import { addressOf } from '../../src/core/hash.ts';
import type { DurabilityClass, PeerId } from '../../src/core/ids.ts';
import {
  buildRing,
  ownership,
  partitionOf,
  peerTokens,
  place,
  type Ring,
  type RingMember,
  tokenPosition,
  walk,
} from '../../src/core/ring.ts';
import frozen from './frozen/placement.json' with { type: 'json' };
import { currentPlacement, placementDifferences } from './support/frozen-placement.ts';

const member = (name: string, host: string, durability: DurabilityClass = 'server', weight = 128): RingMember => ({
  peer: name as PeerId,
  host,
  class: durability,
  weight,
});
const equalMembers = (count: number): RingMember[] => Array.from({ length: count }, (_, index) => member(`peer-${index}`, `host-${index}`));
const clusters = ['ringmesh', 'carts', 'a', 'b', 'test-7', 'Grüße', 'long-'.repeat(12)];

/** A ring whose walk from partition 0 meets the members in the order in which they are written. */
function ringOf(...members: RingMember[]): Ring {
  const position = new Map(members.map(({ peer }, index) => [peer, 1000 * (index + 1)]));
  const single = members.map((each) => ({ ...each, weight: 1 }));
  return buildRing('named', single, 16, ({ peer }) => Uint32Array.of(position.get(peer) ?? 0));
}

const primaries = (ring: Ring, n: number, durableMin: number): string => place(ring, 0, n, durableMin).primaries.join(' ');

describe('frozen answers', () => {
  it.runIf(process.env['RINGMESH_FREEZE'] === '1')('writes the frozen placement', () => {
    writeFileSync(new URL('frozen/placement.json', import.meta.url), `${JSON.stringify(currentPlacement(), null, 1)}\n`);
  });

  it('[RG1] 10,000 keys are where they have always been', () => {
    expect(frozen.answers.join('').length).toBe(60_000);
    expect(placementDifferences(frozen)).toEqual([]);
  });

  it('[RG1] the check sees one changed answer, a changed ring and a missing line', () => {
    const [first = '', ...rest] = frozen.answers;
    const changed = { ...frozen, answers: [`${first.slice(0, 5)}${first[5] === '0' ? '1' : '0'}${first.slice(6)}`, ...rest] };
    expect(placementDifferences(changed).length).toBe(1);
    expect(placementDifferences({ ...frozen, ring: '00/4096' }).length).toBe(1);
    expect(placementDifferences({ ...frozen, answers: rest }).length).toBeGreaterThan(1);
  });

  it('[RG1] known tokens, positions and digests', () => {
    expect([...peerTokens('ringmesh', 'peer-0' as PeerId, 9)]).toEqual([
      3256733866, 161198377, 800140990, 3975795270, 4259780319, 303848640, 1863584886, 408839418, 2895146333,
    ]);
    expect(buildRing('ringmesh', equalMembers(3)).digest).toEqual('e366006b1e94fa2e');
    expect(buildRing('ringmesh', equalMembers(3), 64).digest).not.toBe(buildRing('ringmesh', equalMembers(3)).digest);
    const changes = [{ host: 'other' }, { class: 'tab' as const }, { weight: 127 }, { peer: 'peer-x' as PeerId }];
    const digests = changes.map(
      (change) => buildRing('ringmesh', [...equalMembers(2), { ...(equalMembers(3)[2] as RingMember), ...change }]).digest,
    );
    expect(new Set([...digests, buildRing('ringmesh', equalMembers(3)).digest]).size).toBe(5);
  });
});

describe('partitions', () => {
  it('[RG2] cut the circle into equal slices', () => {
    for (const partitions of [2, 4096, 65_536]) {
      const span = 2 ** 32 / partitions;
      expect(partitionOf({ partitions }, 0)).toBe(0);
      expect(partitionOf({ partitions }, span - 1)).toBe(0);
      expect(partitionOf({ partitions }, span)).toBe(1);
      expect(partitionOf({ partitions }, 2 ** 32 - 1)).toBe(partitions - 1);
    }
  });

  it('[RG2] their number is a power of two from 2 to 65536', () => {
    for (const partitions of [0, 1, 3, 4095, 131_072, -2, 2.5, Number.NaN]) expect(() => buildRing('c', [], partitions)).toThrow(MeshError);
  });

  it('[RG2] an empty ring has no primaries and no fallbacks', () => {
    const ring = buildRing('empty', [member('only', 'host', 'server', 0)]);
    expect([...walk(ring, 17)]).toEqual([]);
    expect(place(ring, 17, 3, 2)).toEqual({ primaries: [], hosts: 0 });
  });
});

describe('preference lists', () => {
  it('[RG3] a host that is taken is passed over', () => {
    const ring = ringOf(member('a', 'one'), member('b', 'one'), member('c', 'two'), member('d', 'three'));
    expect(primaries(ring, 3, 0)).toBe('a c d');
    expect(place(ring, 0, 3, 0).hosts).toBe(3);
  });

  it('[RG3] with fewer hosts than n the answer says how many, and no peer is taken twice', () => {
    const ring = ringOf(member('a', 'one'), member('b', 'one'), member('c', 'two'), member('d', 'two'));
    expect(primaries(ring, 3, 2)).toBe('a c b');
    expect(place(ring, 0, 3, 2).hosts).toBe(2);
    expect(primaries(ring, 9, 2)).toBe('a c b d');
    expect(place(ring, 0, 9, 2)).toEqual({ primaries: ['a', 'c', 'b', 'd'], hosts: 2 });
  });

  it('[RG4] weight 0 is a member that is never a primary; more weight, more keys', () => {
    const ring = buildRing('weights', [
      member('none', 'h0', 'server', 0),
      member('small', 'h1', 'server', 32),
      member('large', 'h2', 'server', 128),
    ]);
    const shares = ownership(ring, 1, 0);
    expect(ring.members.map(({ peer }) => peer)).toEqual(['large', 'small']);
    expect((shares[0] as number) / (shares[1] as number)).toBeGreaterThan(2.5);
    expect((shares[0] as number) / (shares[1] as number)).toBeLessThan(6);
  });

  it('[RG5] tabs leave room for the servers that durability asks for', () => {
    const ring = ringOf(member('t1', 'a', 'tab'), member('t2', 'b', 'tab'), member('t3', 'c', 'tab'), member('s1', 'd'), member('s2', 'e'));
    expect(primaries(ring, 3, 0)).toBe('t1 t2 t3');
    expect(primaries(ring, 3, 1)).toBe('t1 t2 s1');
    expect(primaries(ring, 3, 2)).toBe('t1 s1 s2');
    expect(primaries(ring, 2, 2)).toBe('s1 s2');
    expect(primaries(ring, 1, 2)).toBe('s1');
  });

  it('[RG5] durability asks for no more than there is: fewer servers, then tabs', () => {
    const ring = ringOf(member('t1', 'a', 'tab'), member('t2', 'b', 'tab'), member('s1', 'c'), member('t3', 'd', 'ephemeral'));
    expect(place(ring, 0, 3, 2)).toEqual({ primaries: ['t1', 's1', 't2'], hosts: 3 });
    expect(primaries(ringOf(member('t1', 'a', 'tab'), member('t2', 'b', 'tab')), 3, 2)).toBe('t1 t2');
  });

  it('[RG3] [RG5] a tab does not take the host that a server is needed from', () => {
    const ring = ringOf(member('t1', 'a', 'tab'), member('s1', 'a'), member('s2', 'b'), member('t2', 'c', 'tab'));
    expect(place(ring, 0, 3, 2)).toEqual({ primaries: ['s1', 's2', 't2'], hosts: 3 });
    expect(place(ring, 0, 3, 1)).toEqual({ primaries: ['t1', 's2', 't2'], hosts: 3 });
  });

  it('[RG5] two servers on one host serve before durability is given up', () => {
    const ring = ringOf(member('t1', 'a', 'tab'), member('s1', 'b'), member('s2', 'b'), member('t2', 'c', 'tab'));
    expect(place(ring, 0, 3, 2)).toEqual({ primaries: ['t1', 's1', 's2'], hosts: 2 });
  });
});

describe('numbers', () => {
  it('[RG6] ten equal peers share evenly: the fullest has at most 1.3 times the mean', () => {
    for (const cluster of clusters) {
      const ring = buildRing(cluster, equalMembers(10));
      for (const n of [1, 3]) {
        const shares = [...ownership(ring, n, 2)];
        expect(Math.max(...shares) * 10, `cluster ${cluster}, n ${n}`).toBeLessThanOrEqual(1.3);
      }
    }
  });

  it('[RG6] a joining peer moves at most 1.3·N·K/(n+1) placements, and only to itself', () => {
    for (const cluster of clusters.slice(0, 4)) {
      for (const count of [5, 9]) {
        const before = buildRing(cluster, equalMembers(count));
        const after = buildRing(cluster, equalMembers(count + 1));
        const joined = `peer-${count}`;
        let moved = 0;
        let wrong = 0;
        for (let partition = 0; partition < before.partitions; partition++) {
          const old = place(before, partition, 3, 2).primaries;
          const now = place(after, partition, 3, 2).primaries;
          const added = now.filter((peer) => !old.includes(peer));
          moved += added.length;
          const toJoined = added.length === 1 && added[0] === joined;
          if (added.length > 0 ? !toJoined : now.join() !== old.join()) wrong++;
        }
        expect(wrong).toBe(0);
        expect(moved, `cluster ${cluster}, ${count} peers`).toBeLessThanOrEqual((1.3 * 3 * before.partitions) / (count + 1));
        expect(moved).toBeGreaterThan(0);
      }
    }
  });

  it('[RG2] keys spread over the partitions evenly', () => {
    const counts = new Uint32Array(64);
    for (let i = 0; i < 64_000; i++) {
      const partition = partitionOf({ partitions: 64 }, addressOf('spread', textToBytes(`key-${i}`)).position);
      counts[partition] = (counts[partition] as number) + 1;
    }
    expect(Math.max(...counts)).toBeLessThan(1150);
    expect(Math.min(...counts)).toBeGreaterThan(850);
  });

  it('[RG1] tokens of a ring are strictly inside the circle and sorted', () => {
    const ring = buildRing('sorted', equalMembers(10));
    expect(ring.tokens.length).toBe(1280);
    expect([...ring.tokens]).toEqual([...ring.tokens].sort((a, b) => a - b));
    expect(tokenPosition(ring.tokens.at(-1) as number)).toBeLessThan(2 ** 32);
  });
});
