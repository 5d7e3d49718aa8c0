/**
 * The ring against a naive one: tokens as objects in a plain sorted list, and the best preference list found by trying every choice of members.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { DurabilityClass, PeerId } from '../../src/core/ids.ts';
import {
  buildRing,
  ownership,
  peerTokens,
  place,
  type Ring,
  type RingMember,
  tokenOwner,
  tokenPosition,
  walk,
} from '../../src/core/ring.ts';
import { placementOf } from '../unit/support/placements.ts';
import { holds } from './property.ts';

const utf8 = new TextEncoder();
const circle = 2 ** 32;

function naiveTokens(cluster: string, peer: string, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const block = Math.floor(index / 8);
    const seed = [
      ...utf8.encode(cluster),
      0,
      ...utf8.encode(peer),
      0,
      block >>> 24,
      (block >>> 16) & 255,
      (block >>> 8) & 255,
      block & 255,
    ];
    return new DataView(sha256(Uint8Array.from(seed)).buffer).getUint32((index % 8) * 4);
  });
}

type TokensOf = (member: RingMember) => readonly number[];

/** The peers in the order in which a walk from the partition's first position meets them. */
function naiveWalk(members: readonly RingMember[], partitions: number, partition: number, tokensOf: TokensOf): RingMember[] {
  const start = (partition * circle) / partitions;
  const tokens = members.flatMap((member) => tokensOf(member).map((position) => ({ member, position })));
  const distance = (position: number): number => (position - start + circle) % circle;
  tokens.sort((a, b) => distance(a.position) - distance(b.position) || (a.member.peer < b.member.peer ? -1 : 1));
  return [...new Set(tokens.map((token) => token.member))];
}

/** Every choice of `size` items, in the order of the items. */
function choices<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) => choices(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]));
}

const serversOf = (members: readonly RingMember[]): number => members.filter((member) => member.class === 'server').length;
const hostsOf = (members: readonly RingMember[]): number => new Set(members.map((member) => member.host)).size;

/** The most servers up to `durableMin`, then the most hosts, then the earliest in the walk. */
function bestChoice(walked: readonly RingMember[], n: number, durableMin: number): RingMember[] {
  const score = (choice: readonly RingMember[]): number => Math.min(serversOf(choice), durableMin) * 100 + hostsOf(choice);
  return choices(walked, Math.min(n, walked.length)).reduce((best, choice) => (score(choice) > score(best) ? choice : best));
}

const peerNames = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8'].map((name) => name as PeerId);
const aClass = fc.constantFrom<DurabilityClass>('server', 'server', 'tab', 'ephemeral');

function someMembers(weight: fc.Arbitrary<number>, hosts: number): fc.Arbitrary<RingMember[]> {
  const aMember = fc.record({
    peer: fc.constantFrom(...peerNames),
    host: fc.nat({ max: hosts - 1 }).map((host) => `host-${host}`),
    class: aClass,
    weight,
  });
  return fc.uniqueArray(aMember, { selector: (member) => member.peer, maxLength: peerNames.length });
}

const aCluster = fc.constantFrom('test', 'düsseldorf', '\u{1f98a}', '__proto__', '');
const peersOf = (members: Iterable<RingMember>): string[] => [...members].map((member) => member.peer);

describe('tokens', () => {
  it('[RG1] tokens are a pure function of cluster, peer and index', () => {
    holds(
      100,
      fc.property(aCluster, fc.constantFrom(...peerNames, 'pé' as PeerId), fc.nat({ max: 40 }), (cluster, peer, count) => {
        expect([...peerTokens(cluster, peer, count)]).toEqual(naiveTokens(cluster, peer, count));
      }),
    );
  });

  it('[RG1] [RG4] the ring holds every token once, sorted, with its owner; weight 0 has none', () => {
    holds(
      100,
      fc.property(aCluster, someMembers(fc.nat({ max: 20 }), 4), (cluster, members) => {
        const ring = buildRing(cluster, members, 64);
        const expected = members
          .flatMap(({ peer, weight }) => naiveTokens(cluster, peer, weight).map((position) => ({ position, peer })))
          .sort((a, b) => a.position - b.position || (a.peer < b.peer ? -1 : 1));
        expect([...ring.tokens].map((token) => ({ position: tokenPosition(token), peer: ring.members[tokenOwner(token)]?.peer }))).toEqual(
          expected,
        );
        expect(peersOf(ring.members)).toEqual(
          members
            .filter((member) => member.weight > 0)
            .map((member) => member.peer)
            .sort(),
        );
      }),
    );
  });
});

describe('the walk', () => {
  it('[RG2] meets the peers in the order of their first tokens clockwise, each once', () => {
    holds(
      150,
      fc.property(
        aCluster,
        someMembers(fc.nat({ max: 12 }), 4),
        fc.constantFrom(2, 16, 256),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (cluster, members, partitions, at) => {
          const partition = Math.floor(at * partitions);
          const ring = buildRing(cluster, members, partitions);
          const expected = naiveWalk(members, partitions, partition, (member) => naiveTokens(cluster, member.peer, member.weight));
          expect(peersOf(walk(ring, partition))).toEqual(peersOf(expected));
        },
      ),
    );
  });

  it('[RG1] ties break by peer id, and the first and last positions of the circle are positions like any other', () => {
    const positions = fc.array(fc.constantFrom(0, 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1), { minLength: 1, maxLength: 3 });
    holds(
      200,
      fc.property(
        someMembers(fc.constant(1), 4),
        fc.array(positions, { minLength: 8, maxLength: 8 }),
        fc.nat({ max: 15 }),
        (members, drawn, partition) => {
          const tokens = new Map(members.map((member, index) => [member.peer, drawn[index] as number[]]));
          const tokensOf = (member: RingMember): number[] => tokens.get(member.peer) ?? [];
          const weighted = members.map((member) => ({ ...member, weight: tokensOf(member).length }));
          const ring = buildRing('ties', weighted, 16, (member) => Uint32Array.from(tokensOf(member)));
          expect(peersOf(walk(ring, partition))).toEqual(peersOf(naiveWalk(weighted, 16, partition, tokensOf)));
        },
      ),
    );
  });

  it('[RG1] the order of the member list does not matter', () => {
    holds(
      60,
      fc.property(
        someMembers(fc.nat({ max: 12 }), 4).chain((members) =>
          fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
        ),
        ([members, shuffled]) => {
          const [one, other] = [buildRing('order', members, 32), buildRing('order', shuffled, 32)];
          expect(other).toEqual(one);
          for (let partition = 0; partition < 32; partition++) expect(place(other, partition, 3, 2)).toEqual(place(one, partition, 3, 2));
        },
      ),
    );
  });
});

describe('preference lists', () => {
  const n = fc.integer({ min: 1, max: 5 });
  const durableMin = fc.nat({ max: 5 });

  it('[RG3] [RG5] a list has as many servers as asked for, then as many hosts as there are, then the first peers of the walk', () => {
    let conflicts = 0;
    holds(
      1500,
      fc.property(
        someMembers(fc.integer({ min: 1, max: 3 }), 6),
        n,
        durableMin,
        fc.nat({ max: 7 }),
        (members, wanted, durable, partition) => {
          const ring = buildRing('best', members, 8);
          const walked = [...walk(ring, partition)];
          const placed = place(ring, partition, wanted, durable);
          const chosen = placed.primaries.map((peer) => members.find((member) => member.peer === peer) as RingMember);
          const best = walked.length === 0 ? [] : bestChoice(walked, wanted, durable);
          expect(new Set(placed.primaries).size).toBe(placed.primaries.length);
          expect(chosen.length).toBe(Math.min(wanted, walked.length));
          expect(placed.hosts).toBe(hostsOf(chosen));
          expect(Math.min(serversOf(chosen), durable)).toBe(Math.min(serversOf(best), durable));
          expect(hostsOf(chosen)).toBe(hostsOf(best));
          // When no wish had to give way, it is the very choice, in the order of the walk.
          if (hostsOf(best) === wanted && serversOf(best) >= Math.min(durable, wanted)) expect(peersOf(chosen)).toEqual(peersOf(best));
          else conflicts++;
        },
      ),
    );
    expect(conflicts).toBeGreaterThan(100);
  });

  it('[RG2] a placement keeps its answers and gives them for every n', () => {
    holds(
      60,
      fc.property(someMembers(fc.integer({ min: 1, max: 3 }), 6), durableMin, (members, durable) => {
        const ring: Ring = buildRing('kept', members, 8);
        const placement = placementOf('kept', members, { partitions: 8, durableMin: durable });
        for (let twice = 0; twice < 2; twice++) {
          for (let partition = 0; partition < 8; partition++) {
            for (const wanted of [1, 2, 3, 16]) {
              expect(placement.placed(partition, wanted)).toEqual(place(ring, partition, wanted, durable));
              const others = peersOf(walk(ring, partition)).filter(
                (peer) => !placement.primaries(partition, wanted).includes(peer as PeerId),
              );
              expect([...placement.fallbacks(partition, wanted)]).toEqual(others);
            }
          }
        }
        expect(placement.placed(3, 2)).toBe(placement.placed(3, 2));
        for (const peer of peerNames) expect(placement.member(peer)).toEqual(members.find((member) => member.peer === peer));
      }),
    );
  });

  it('[RG6] shares are the counted primaries and sum to 1', () => {
    holds(
      40,
      fc.property(someMembers(fc.integer({ min: 1, max: 5 }), 8), n, (members, wanted) => {
        const ring = buildRing('shares', members, 16);
        const shares = [...ownership(ring, wanted, 2)];
        const held = Array.from({ length: 16 }, (_, partition) => place(ring, partition, wanted, 2).primaries).flat();
        expect(shares).toEqual(ring.members.map((member) => held.filter((peer) => peer === member.peer).length / held.length));
        if (members.length > 0) expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
      }),
    );
  });
});
