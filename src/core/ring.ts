/**
 * The consistent-hash ring: a sorted circle of tokens (Karger et al., "Consistent Hashing and Random Trees", 1997; virtual positions and preference
 * lists as in DeCandia et al., "Dynamo", 2007, sections 4.2 and 4.3).
 *
 * A token is a pure function of the cluster's name, the peer's id and the token's index (RG1), so that nobody declares its own and equal member lists
 * give equal rings. The circle has 2^32 positions; a token is kept as `position * 2^20 + owner` in one double, so that the native sort also breaks ties
 * by peer id. Placement goes by partition: one of Q equal slices, placed by the clockwise walk from the slice's first position (RG2).
 */

import { textToBytes, fromByteString, hex, u32Bytes, Writer } from './bytes.ts';
import { assert } from './errors.ts';
import { leadingU32, sha256 } from './hash.ts';
import type { DurabilityClass, PeerId } from './ids.ts';

export const defaultPartitions = 4096;

/** What placement knows about a peer. */
export interface RingMember {
  readonly peer: PeerId;
  /** Peers with one host label fail together: a walk takes each host once before it takes a host again (RG3). */
  readonly host: string;
  readonly class: DurabilityClass;
  /** Number of tokens (RG4). */
  readonly weight: number;
  /** Whose tokens it has: those of the member that it replaced. Absent: its own. */
  readonly seat?: PeerId | undefined;
}

export const seatOf = (member: RingMember): PeerId => member.seat ?? member.peer;

export interface Ring {
  readonly partitions: number;
  /** Sorted by peer id; weight 0 is left out. */
  readonly members: readonly RingMember[];
  /** Sorted `position * 2^20 + index into members`. */
  readonly tokens: Float64Array;
  /** Hosts with at least one peer of class `server`. */
  readonly serverHosts: ReadonlySet<string>;
  /** Equal for equal member lists, hexadecimal. */
  readonly digest: string;
}

export interface Placed {
  readonly primaries: readonly PeerId[];
  /** Distinct hosts among the primaries; fewer than n means that copies share a machine. */
  readonly hosts: number;
}

const ownerSpan = 2 ** 20;
const tokensPerDigest = 8;

export const tokenPosition = (token: number): number => Math.floor(token / ownerSpan);
export const tokenOwner = (token: number): number => token % ownerSpan;

/** The positions of one peer's tokens, in the order of their index. Eight come from each SHA-256. */
export function peerTokens(cluster: string, peer: PeerId, count: number): Uint32Array {
  const positions = new Uint32Array(count);
  const seed = `${textToBytes(cluster)}\0${textToBytes(peer)}\0`;
  for (let block = 0; block * tokensPerDigest < count; block++) {
    const digest = sha256(fromByteString(seed + u32Bytes(block)));
    for (let slot = 0; slot < tokensPerDigest; slot++) {
      const index = block * tokensPerDigest + slot;
      if (index < count) positions[index] = leadingU32(digest.subarray(slot * 4));
    }
  }
  return positions;
}

/** `tokensOf` lets a caller keep the hashes of peers that stay; it must answer what `peerTokens` answers. */
export function buildRing(
  cluster: string,
  members: readonly RingMember[],
  partitions: number = defaultPartitions,
  tokensOf: (member: RingMember) => Uint32Array = (member) => peerTokens(cluster, seatOf(member), member.weight),
): Ring {
  assert(
    Number.isInteger(Math.log2(partitions)) && partitions >= 2 && partitions <= 65_536,
    'partitions must be a power of two from 2 to 65536',
  );
  const sorted = members.filter((member) => member.weight > 0).sort((a, b) => (a.peer < b.peer ? -1 : 1));
  assert(sorted.length < ownerSpan, 'more members than the token form can name');
  const tokens = new Float64Array(sorted.reduce((sum, member) => sum + member.weight, 0));
  let at = 0;
  sorted.forEach((member, owner) => {
    for (const position of tokensOf(member)) tokens[at++] = position * ownerSpan + owner;
  });
  tokens.sort();
  const serverHosts = new Set(sorted.filter((member) => member.class === 'server').map((member) => member.host));
  return { partitions, members: sorted, tokens, serverHosts, digest: ringDigest(cluster, sorted, partitions) };
}

/** Equal for equal names and members. */
export function ringDigest(cluster: string, members: readonly RingMember[], partitions: number): string {
  const writer = new Writer(members.length * 80 + 64).text(cluster).uint(partitions);
  for (const member of members) {
    writer.text(member.peer).text(member.host).text(member.class).uint(member.weight);
    if (member.seat !== undefined) writer.text(member.seat);
  }
  return hex(sha256(writer.finish()).subarray(0, 8));
}

export function partitionOf(ring: { readonly partitions: number }, position: number): number {
  return Math.floor(position / (2 ** 32 / ring.partitions));
}

/** All peers of the ring, each once, in the order in which the clockwise walk from the partition's first position meets them. */
export function* walk(ring: Ring, partition: number): Generator<RingMember> {
  const { tokens, members } = ring;
  const first = lowerBound(tokens, partition * (2 ** 32 / ring.partitions) * ownerSpan);
  const met = new Uint8Array(members.length);
  let left = members.length;
  for (let step = 0; step < tokens.length && left > 0; step++) {
    const owner = tokenOwner(tokens[(first + step) % tokens.length] ?? 0);
    if (met[owner] === 1) continue;
    met[owner] = 1;
    left--;
    const member = members[owner];
    if (member !== undefined) yield member;
  }
}

/**
 * The primaries of a partition: n distinct peers, on distinct hosts while there are such (RG3), at least `durableMin` of class `server` while there
 * are such (RG5). The walk's order is kept. When one wish cannot be met it gives way: first the host, never the number of peers.
 */
export function place(ring: Ring, partition: number, n: number, durableMin: number): Placed {
  const chosen: RingMember[] = [];
  const passed: RingMember[] = [];
  const hosts = new Set<string>();
  let serversNeeded = Math.min(durableMin, n);
  let freeServerHosts = ring.serverHosts.size;
  for (const member of walk(ring, partition)) {
    if (chosen.length === n) break;
    const isServer = member.class === 'server';
    const onServerHost = ring.serverHosts.has(member.host);
    const roomForOthers = n - chosen.length - serversNeeded;
    // Another class takes neither the last places nor the last hosts that servers need.
    const reserved = !isServer && (roomForOthers <= 0 || (onServerHost && freeServerHosts <= serversNeeded));
    if (hosts.has(member.host) || reserved) {
      passed.push(member);
      continue;
    }
    hosts.add(member.host);
    chosen.push(member);
    if (onServerHost) freeServerHosts--;
    if (isServer) serversNeeded = Math.max(0, serversNeeded - 1);
  }
  fill(chosen, passed, hosts, n, serversNeeded);
  return { primaries: chosen.map((member) => member.peer), hosts: hosts.size };
}

/** Fills the places that the strict walk left empty: servers on taken hosts first while durability asks for them, then new hosts, then any peer. */
function fill(chosen: RingMember[], passed: RingMember[], hosts: Set<string>, n: number, serversNeeded: number): void {
  const take = (wanted: (member: RingMember) => boolean, most: number): void => {
    for (const member of passed) {
      if (chosen.length === n || most === 0) return;
      if (chosen.includes(member) || !wanted(member)) continue;
      chosen.push(member);
      hosts.add(member.host);
      most--;
    }
  };
  take((member) => member.class === 'server', serversNeeded);
  take((member) => !hosts.has(member.host), n);
  take(() => true, n);
}

/** The share of all partitions' primaries that each member holds, by index into `ring.members`. Sums to 1. */
export function ownership(ring: Ring, n: number, durableMin: number): Float64Array {
  const shares = new Float64Array(ring.members.length);
  const indexOf = new Map(ring.members.map((member, index) => [member.peer, index]));
  let placements = 0;
  for (let partition = 0; partition < ring.partitions; partition++) {
    for (const peer of place(ring, partition, n, durableMin).primaries) {
      const index = indexOf.get(peer) ?? 0;
      shares[index] = (shares[index] ?? 0) + 1;
      placements++;
    }
  }
  return placements === 0 ? shares : shares.map((count) => count / placements);
}

function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
