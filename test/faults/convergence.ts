/** When a mesh is whole and its replicas are equal, as its gateways tell it. */

import type { LocalRecord, PartitionView, Placement, PeerStatus } from 'ringmesh';
import type { MembersAnswer } from '../../node/client/api.ts';
import { askJson } from './gateway.ts';
import { type KeyName, keyText, pathOf } from './history-client.ts';
import type { PeerProcess } from './peer-process.ts';
import { awaitNothing } from './waiting.ts';

const wholeWithinMs = 60_000;

interface Root {
  readonly partition: number;
  readonly node: string;
  readonly digest: string;
}

/** Every peer is up, sees every other alive and is linked with it, and all have one ring. */
export async function awaitWhole(peers: readonly PeerProcess[], withinMs = wholeWithinMs): Promise<void> {
  await awaitNothing('the mesh is whole', withinMs, async () => {
    const views = await Promise.all(peers.map((peer) => viewOf(peer, peers)));
    const doubts = views.flatMap((view) => view.doubts);
    if (doubts.length > 0) return doubts.slice(0, 4).join(', ');
    return new Set(views.map((view) => view.ring)).size === 1 ? undefined : 'their rings differ';
  });
}

async function viewOf(peer: PeerProcess, peers: readonly PeerProcess[]): Promise<{ ring: string; doubts: string[] }> {
  const [status, { members }] = await Promise.all([statusOf(peer), askJson<MembersAnswer>(peer.url, '/v1/members')]);
  const doubts = status.ready ? [] : [`${peer.name} is not ready`];
  for (const other of peers) {
    const member = members.find((candidate) => candidate.peer === other.id);
    const isLinked = member?.self === true || member?.connected === true;
    if (member?.state !== 'alive' || !isLinked)
      doubts.push(`${peer.name} sees ${other.name} ${member?.state ?? 'not at all'}${isLinked ? '' : ' without a link'}`);
  }
  return { ring: status.ringDigest, doubts };
}

const statusOf = (peer: PeerProcess): Promise<PeerStatus> => askJson<PeerStatus>(peer.url, '/v1/status');

/** Hints are zero, and the roots of each partition that holds a key are equal at all its primaries. Nothing but the mesh itself brings that about. */
export async function awaitEqual(peers: readonly PeerProcess[], keys: readonly KeyName[], withinMs: number): Promise<void> {
  const places = await placesOf(peers, keys);
  await awaitNothing('hints are zero and the roots are equal', withinMs, async () => {
    const held = (await Promise.all(peers.map(statusOf))).map((status, index) => ({ name: peers[index]?.name, hints: status.hints }));
    const holders = held.filter(({ hints }) => hints > 0);
    if (holders.length > 0) return holders.map(({ name, hints }) => `${name} has hints for ${hints}`).join(', ');
    return differences(await rootsOf(peers, places));
  });
}

function differences(roots: readonly Root[]): string | undefined {
  const byPartition = new Map<number, Root[]>();
  for (const root of roots) byPartition.set(root.partition, [...(byPartition.get(root.partition) ?? []), root]);
  const differing = [...byPartition].filter(([, found]) => new Set(found.map(({ digest }) => digest)).size > 1);
  if (differing.length === 0) return undefined;
  const sides = differing.map(
    ([partition, found]) => `${partition} (${found.map(({ node, digest }) => `${node} ${digest.slice(0, 6)}`).join(', ')})`,
  );
  return `the roots of ${differing.length} partitions differ: ${sides.slice(0, 3).join(', ')}`;
}

/** No peer keeps a key that it does not own. */
export async function awaitInPlace(peers: readonly PeerProcess[], keys: readonly KeyName[], withinMs: number): Promise<void> {
  const places = await placesOf(peers, keys);
  await awaitNothing('every key lies at its owners only', withinMs, async () => {
    for (const key of keys) {
      for (const peer of peers) {
        if (places.get(keyText(key))?.primaries.includes(peer.id) === true) continue;
        const { siblings, tombstones } = await askJson<LocalRecord>(peer.url, pathOf(key, '/v1/local'));
        if (siblings.length + tombstones.length > 0) return `${peer.name} keeps ${keyText(key)}`;
      }
    }
    return undefined;
  });
}

/** Where each key lives, by the first peer's ring, which all share. */
export async function placesOf(peers: readonly PeerProcess[], keys: readonly KeyName[]): Promise<Map<string, Placement>> {
  const [first] = peers;
  const places = await Promise.all(
    keys.map((name) => askJson<Placement>(first?.url ?? '', `/v1/placement?bucket=${name.bucket}&key=${encodeURIComponent(name.key)}`)),
  );
  return new Map(keys.map((name, index) => [keyText(name), places[index] as Placement]));
}

/** The peer of the run behind a peer id. */
export function peerOf(peers: readonly PeerProcess[], id: string): PeerProcess {
  const peer = peers.find((candidate) => candidate.id === id);
  if (peer === undefined) throw new Error(`no peer of this run has the id ${id}`);
  return peer;
}

export async function rootsOf(peers: readonly PeerProcess[], places: ReadonlyMap<string, Placement>): Promise<Root[]> {
  const partitions = new Map([...places.values()].map(({ partition, primaries }) => [partition, primaries]));
  const reads = [...partitions].flatMap(([partition, primaries]) =>
    primaries.map(async (id): Promise<Root> => {
      const peer = peerOf(peers, id);
      const { root } = await askJson<PartitionView>(peer.url, `/v1/partitions/${partition}`);
      return { partition, node: peer.name, digest: root };
    }),
  );
  return Promise.all(reads);
}
