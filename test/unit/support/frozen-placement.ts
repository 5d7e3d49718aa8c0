/**
 * The frozen placement answers: where 10,000 keys live in a fixed cluster of mixed members. They hold for every platform and every version: a change of
 * one of them moves people's data (RG1). Free of Node.js, so that a page can check them as well.
 *
 * An answer is six hexadecimal digits: three of the partition, one for each primary (an index into `members`); 0xf where there is none.
 */

import { textToBytes } from '../../../src/core/bytes.ts';
import { addressOf } from '../../../src/core/hash.ts';
import type { DurabilityClass, PeerId } from '../../../src/core/ids.ts';
import { buildRing, defaultPartitions, partitionOf, place, type RingMember } from '../../../src/core/ring.ts';

export interface FrozenPlacement {
  readonly ring: string;
  readonly answers: readonly string[];
}

const answersPerLine = 20;
const keys = 10_000;
const cluster = 'frozen';
const bucket = 'frozen';

const member = (index: number, host: string, durability: DurabilityClass, weight: number): RingMember => ({
  peer: `12D3KooWFrozenPeer${index}` as PeerId,
  host,
  class: durability,
  weight,
});

/** Servers that share a host, laptops, tabs beside a server, a coordinator without data. Not in the order of their names. */
const members: readonly RingMember[] = [
  member(11, 'rack-a', 'server', 128),
  member(2, 'rack-a', 'server', 128),
  member(7, 'rack-b', 'server', 128),
  member(0, 'rack-c', 'server', 256),
  member(9, 'laptop', 'server', 64),
  member(4, 'laptop', 'tab', 16),
  member(1, 'phone', 'tab', 16),
  member(3, 'phone', 'tab', 16),
  member(10, 'büro', 'tab', 32),
  member(5, 'kiosk', 'ephemeral', 8),
  member(6, 'kiosk', 'ephemeral', 8),
  member(8, 'rack-b', 'server', 0),
];

/** What this version of the code says. */
export function currentPlacement(): FrozenPlacement {
  const ring = buildRing(cluster, members);
  const indexOf = new Map(members.map(({ peer }, index) => [peer, index]));
  const answers: string[] = [];
  for (let line = 0; line < keys / answersPerLine; line++) {
    let answer = '';
    for (let i = line * answersPerLine; i < (line + 1) * answersPerLine; i++) {
      const partition = partitionOf(ring, addressOf(bucket, textToBytes(`key-${i}`)).position);
      const { primaries } = place(ring, partition, 3, 2);
      answer += partition.toString(16).padStart(3, '0');
      for (let rank = 0; rank < 3; rank++) answer += (indexOf.get(primaries[rank] as PeerId) ?? 15).toString(16);
    }
    answers.push(answer);
  }
  return { ring: `${ring.digest}/${defaultPartitions}`, answers };
}

/** The keys whose answer differs, and what is said of the ring. Empty when all is as it was. */
export function placementDifferences(frozen: FrozenPlacement): string[] {
  const current = currentPlacement();
  const differences: string[] = current.ring === frozen.ring ? [] : [`ring ${current.ring} instead of ${frozen.ring}`];
  const [now, before] = [current.answers.join(''), frozen.answers.join('')];
  if (now.length !== before.length) differences.push(`${before.length / 6} answers instead of ${now.length / 6}`);
  for (let at = 0; at < now.length; at += 6) {
    const [is, was] = [now.slice(at, at + 6), before.slice(at, at + 6)];
    if (is !== was) differences.push(`key-${at / 6}: ${is} instead of ${was}`);
  }
  return differences;
}
