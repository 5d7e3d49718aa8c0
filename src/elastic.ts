/** Members that come and go, for the public handle: leaving, removing, and plans of both. */

import type { LeaveOptions, LeaveProgress, MemberView, PlanRequest, PlanResult } from './api.ts';
import { MeshError } from './core/errors.ts';
import type { PeerId } from './core/ids.ts';
import type { Placement } from './core/placement.ts';
import { movesBetween } from './core/plan.ts';
import { type RingMember, seatOf } from './core/ring.ts';
import type { Requester } from './runtime.ts';

const defaultWeight = 128;
/** Partitions of this peer whose records are counted for an estimate. */
const sampleSize = 512;

/** What the public handle knows of the mesh. */
export interface MeshView {
  readonly self: string;
  readonly placement: Placement;
  readonly members: readonly MemberView[];
}

export async function leave(runtime: Requester, { signal, onProgress }: LeaveOptions): Promise<void> {
  const stop = runtime.onEvent((event) => {
    if (event.type !== 'leaving') return;
    const { type: _type, at: _at, ...progress } = event;
    onProgress?.(progress satisfies LeaveProgress);
  });
  try {
    await runtime.request({ type: 'leave' }, signal);
  } finally {
    stop();
  }
}

export async function remove(runtime: Requester, view: MeshView, peer: string): Promise<void> {
  await runtime.request({ type: 'remove', peer: memberNamed(view, peer) });
}

/** By the whole id, or by an end of it that no other member has. */
function memberNamed({ members }: MeshView, name: string): PeerId {
  const present = members.filter(({ state }) => state !== 'left' && state !== 'removed');
  const found = present.filter(({ peer }) => peer === name || (name.length >= 4 && peer.endsWith(name)));
  const [member] = found;
  if (member !== undefined && found.length === 1) return member.peer as PeerId;
  const problem = found.length === 0 ? `there is no member ${name}` : `the ids of ${found.length} members end with ${name}`;
  throw new MeshError('OPTION_INVALID', `${problem}: see the members of this peer`);
}

export async function plan(runtime: Requester, view: MeshView, request: PlanRequest, n: number): Promise<PlanResult> {
  const { placement } = view;
  const after = placement.of(ownersAfter(view, request));
  if (after.ring.members.length === 0) throw new MeshError('OPTION_INVALID', 'no member would be left that stores anything');
  const { keys, bytes } = await perPartition(runtime, view, n);
  const moves = movesBetween(placement, after, n);
  const peers = [...moves].map(([peer, { gains, loses }]) => ({
    peer,
    gains,
    loses,
    keys: Math.round(gains * keys),
    bytes: Math.round(gains * bytes),
  }));
  const sum = (of: (entry: (typeof peers)[number]) => number): number => peers.reduce((total, entry) => total + of(entry), 0);
  return {
    action: request.action,
    copies: sum(({ gains }) => gains),
    partitions: placement.ring.partitions * Math.min(n, placement.ring.members.length),
    keys: sum((entry) => entry.keys),
    bytes: sum((entry) => entry.bytes),
    peers: peers.sort((a, b) => b.gains - a.gains || (a.peer < b.peer ? -1 : 1)),
  };
}

function ownersAfter(view: MeshView, request: PlanRequest): RingMember[] {
  const owners = [...view.placement.ring.members];
  const without = (peer: string): RingMember[] => owners.filter((member) => member.peer !== peer);
  const newcomer = (weight = defaultWeight): RingMember => {
    const { host = '(new)', class: durability = 'server' } = request;
    return { peer: '(new)' as PeerId, host, class: durability, weight: request.weight ?? weight };
  };
  switch (request.action) {
    case 'join':
      return [...owners, newcomer()];
    case 'leave':
      return without(request.peer === undefined ? view.self : memberNamed(view, request.peer));
    case 'replace': {
      const peer = memberNamed(view, request.peer ?? '');
      const replaced = owners.find((member) => member.peer === peer);
      if (replaced === undefined) throw new MeshError('OPTION_INVALID', `${peer} owns nothing that another one could take over`);
      return [...without(peer), { ...newcomer(replaced.weight), seat: seatOf(replaced) }];
    }
  }
}

/** The mean of what lies in a partition, by a sample of those that this peer owns. */
async function perPartition(runtime: Requester, { self, placement }: MeshView, n: number): Promise<{ keys: number; bytes: number }> {
  const own = Array.from({ length: placement.ring.partitions }, (_, partition) => partition).filter((partition) =>
    placement.primaries(partition, n).includes(self as PeerId),
  );
  const step = Math.max(1, Math.floor(own.length / sampleSize));
  const sample = own.filter((_, index) => index % step === 0);
  if (sample.length === 0) return { keys: 0, bytes: 0 };
  const reply = await runtime.request({ type: 'sizes', partitions: sample });
  if (reply.type !== 'sizes') throw new MeshError('INTERNAL', `bug: a reply of type ${reply.type}`);
  return { keys: reply.keys / sample.length, bytes: reply.bytes / sample.length };
}
