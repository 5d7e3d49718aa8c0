/** Several peers as real processes that agree on one ring, and HTTP to them. */

import { join } from 'node:path';
import type { MemberView } from 'ringmesh';
import type { MembersAnswer, RingView } from '../../../node/client/api.ts';
import { GatewayClient, type GatewayAnswer, type GatewayRequest } from '../../../node/client/gateway-client.ts';
import { startPeer, until, type PeerProcess } from './processes.ts';

/** One request to one gateway, its path sent as it stands. */
export async function http(
  url: string,
  method: GatewayRequest['method'],
  path: string,
  rest: { body?: string | Uint8Array; headers?: Record<string, string> } = {},
): Promise<GatewayAnswer> {
  const client = new GatewayClient([url]);
  try {
    return await client.send({
      method,
      path,
      ...(rest.headers === undefined ? {} : { headers: rest.headers }),
      ...(rest.body === undefined ? {} : { body: Buffer.from(rest.body as Uint8Array) }),
    });
  } finally {
    client.close();
  }
}

export const jsonOf = <T>(answer: GatewayAnswer): T => JSON.parse(answer.body.toString()) as T;

export const errorCode = (answer: GatewayAnswer): string => jsonOf<{ error: { code: string } }>(answer).error.code;

const get = async <T>(url: string, path: string): Promise<T> => jsonOf<T>(await http(url, 'GET', path));

/** In touch with it, and not taken for dead. On a busy machine an alive peer may be suspected for a moment. */
const isPresent = (member: MemberView): boolean => ['alive', 'suspect'].includes(member.state) && (member.self || member.connected);

/** What one peer lacks for an agreement: its view in a few words. */
async function viewOf(
  { url, options }: PeerProcess,
  peers: readonly PeerProcess[],
): Promise<{ digest: string; agrees: boolean; text: string }> {
  const [ring, { members }, readiness] = await Promise.all([
    get<RingView>(url, '/v1/ring'),
    get<MembersAnswer>(url, '/v1/members'),
    http(url, 'GET', '/readyz'),
  ]);
  const present = members.filter(isPresent).map((member) => member.peer);
  const agrees = readiness.status === 200 && peers.every((peer) => present.includes(peer.id));
  const states = members.map((member) => `${member.host} ${member.state}${member.self || member.connected ? '' : ' apart'}`);
  return { digest: ring.digest, agrees, text: `${options.label} (${readiness.status}, ${ring.digest.slice(0, 6)}): ${states.join(', ')}` };
}

/** Waits until all are ready, in touch with each other, and have one ring. */
export async function awaitAgreement(peers: readonly PeerProcess[], withinMs = 90_000): Promise<void> {
  await until(
    `${peers.length} peers agree on one ring`,
    async () => {
      const views = await Promise.all(peers.map((peer) => viewOf(peer, peers)));
      if (views.every((view) => view.agrees && view.digest === views[0]?.digest)) return true;
      throw new Error(views.map((view) => view.text).join(' | '));
    },
    withinMs,
  );
}

/** Peers `peer-1` … with their own data folders below `root`; the first is the others' way in. */
export async function startMesh(root: string, count: number, flags: readonly string[] = []): Promise<PeerProcess[]> {
  const options = (index: number) => ({ data: join(root, `peer-${index + 1}`), label: `host-${index + 1}`, flags });
  const first = await startPeer(options(0));
  const bootstrap = first.addresses.slice(0, 1);
  const others = await Promise.all(Array.from({ length: count - 1 }, (_, index) => startPeer({ ...options(index + 1), bootstrap })));
  const peers = [first, ...others];
  await awaitAgreement(peers);
  return peers;
}

/** The member's state in the eyes of another peer. */
export async function stateOf(peer: PeerProcess, seenBy: PeerProcess): Promise<string | undefined> {
  const { members } = await get<MembersAnswer>(seenBy.url, '/v1/members');
  return members.find((member) => member.peer === peer.id)?.state;
}
