/** Waits until all peers of the demo are ready, in touch with each other and have the same ring. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { MemberView } from 'ringmesh';
import { fetchJson, type MembersAnswer, type RingView } from '../client/api.ts';
import { GatewayClient } from '../client/gateway-client.ts';
import type { PeerPlan } from './plan.ts';

export interface Agreement {
  readonly agreed: boolean;
  readonly digest: string;
  /** Shares of the ring by peer id. */
  readonly shares: ReadonlyMap<string, number>;
  /** What is missing, when they do not agree. */
  readonly missing: string;
}

const pollMs = 100;

export async function awaitAgreement(
  plans: readonly PeerPlan[],
  peers: readonly string[],
  withinMs: number,
  signal: AbortSignal,
): Promise<Agreement> {
  const clients = plans.map(({ name, gatewayUrl }) => ({ name, client: new GatewayClient([gatewayUrl]) }));
  const deadline = performance.now() + withinMs;
  try {
    for (;;) {
      const agreement = await look(clients, peers);
      if (agreement.agreed || performance.now() > deadline || signal.aborted) return agreement;
      await sleep(pollMs);
    }
  } finally {
    for (const { client } of clients) client.close();
  }
}

interface View {
  readonly ring: RingView;
  readonly ready: boolean;
  /** In touch, and not taken for dead. A busy machine may make an alive peer suspect for a moment. */
  readonly present: number;
}

async function look(
  clients: readonly { readonly name: string; readonly client: GatewayClient }[],
  peers: readonly string[],
): Promise<Agreement> {
  const views = await Promise.all(clients.map(({ client }) => view(client, peers).catch(() => undefined)));
  const first = views[0];
  const digest = first?.ring.digest ?? '';
  const missing = views.flatMap((view, index) => {
    const name = clients[index]?.name ?? '';
    if (view === undefined) return [`${name} does not answer`];
    if (view.present < peers.length) return [`${name} sees ${view.present} of ${peers.length} peers`];
    if (view.ring.digest !== digest) return [`${name} has another ring`];
    return view.ready ? [] : [`${name} is not ready`];
  });
  const shares = new Map(first?.ring.members.map((member) => [member.peer, member.share]));
  return { agreed: missing.length === 0, digest, shares, missing: missing.join(', ') };
}

async function view(client: GatewayClient, peers: readonly string[]): Promise<View> {
  const [ring, { members }, readiness] = await Promise.all([
    fetchJson<RingView>(client, '/v1/ring'),
    fetchJson<MembersAnswer>(client, '/v1/members'),
    client.request({ method: 'GET', path: '/readyz' }),
  ]);
  const isPresent = (member: MemberView): boolean => ['alive', 'suspect'].includes(member.state) && (member.self || member.connected);
  const present = members.filter((member) => isPresent(member) && peers.includes(member.peer)).length;
  return { ring, ready: readiness.status === 200, present };
}
