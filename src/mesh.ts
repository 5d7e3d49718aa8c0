/** The public handle of a running peer: buckets for data, views for whoever wants to look at the mesh. */

import type {
  Bucket,
  BucketOptions,
  ConnectionView,
  Holdings,
  KeyInput,
  LeaveOptions,
  MemberState,
  MemberView,
  MeshEvent,
  MeshPeer,
  PartitionView,
  PeerStatus,
  Placement,
  PlanRequest,
  PlanResult,
  RepairOptions,
  RepairResult,
  RingView,
  ScrubOptions,
  ScrubResult,
} from './api.ts';
import { BucketHandle, toKey } from './bucket.ts';
import { hex, fromByteString } from './core/bytes.ts';
import { MeshError } from './core/errors.ts';
import { addressOf } from './core/hash.ts';
import type { PeerId } from './core/ids.ts';
import { type Member, stateOf } from './core/member-table.ts';
import type { Placement as RingPlacement } from './core/placement.ts';
import { ownership, partitionOf, type Ring, tokenOwner, tokenPosition } from './core/ring.ts';
import type { Driver, Requester } from './runtime.ts';
import { leave, type MeshView, plan, remove } from './elastic.ts';
import { repair, scrub } from './upkeep.ts';
import { version } from './version.ts';

export const defaultN = 3;
const fallbacksShown = 5;
/** For how long a storage error is held against a peer. */
const unwellMs = 10_000;

export interface MeshOptions {
  readonly cluster: string;
  readonly durableMin: number;
  /** Whether there is anyone to wait for before this peer is ready. */
  readonly hasBootstrap: boolean;
  /** Bucket options that hold wherever the caller names none. */
  readonly buckets: ReadonlyMap<string, BucketOptions>;
  /** What the platform lacks. */
  readonly warnings?: readonly string[];
}

export class Mesh implements MeshPeer {
  readonly #runtime: Driver;
  readonly #options: MeshOptions;
  readonly #startedAt: number;
  #shares: { readonly digest: string; readonly shares: ReadonlyMap<string, number> } | undefined;

  constructor(runtime: Driver, options: MeshOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#startedAt = runtime.now().mono;
  }

  get id(): string {
    return this.#runtime.peer.membership.self;
  }

  get durableMin(): number {
    return this.#options.durableMin;
  }

  bucket(name: string, options: BucketOptions = {}): Bucket {
    return new BucketHandle(this.#runtime, name, { ...this.#options.buckets.get(name), ...options });
  }

  members(): MemberView[] {
    const { membership, calls } = this.#runtime.peer;
    const shares = this.#ownership();
    return [...membership.table.all()]
      .map((member) => {
        const { record } = member.signed;
        return {
          peer: record.peer,
          status: record.status,
          state: stateOf(member),
          self: record.peer === membership.self,
          connected: calls.linked(record.peer),
          host: record.host,
          class: record.class,
          weight: record.weight,
          incarnation: record.incarnation,
          addresses: record.addresses,
          gateway: record.gateway === '' ? undefined : record.gateway,
          share: shares.get(record.peer) ?? 0,
          roundTripMs: calls.roundTrip(record.peer)?.mean,
        };
      })
      .sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  connections(): ConnectionView[] {
    const { calls } = this.#runtime.peer;
    return this.#runtime.paths().map((path) => ({ ...path, roundTripMs: calls.roundTrip(path.peer)?.mean }));
  }

  /** Counted once for each ring: 4096 placements are worth keeping. */
  #ownership(): ReadonlyMap<string, number> {
    const { ring } = this.#runtime.peer.membership.placement;
    if (this.#shares?.digest !== ring.digest) {
      const counted = ownership(ring, defaultN, this.#options.durableMin);
      this.#shares = { digest: ring.digest, shares: new Map(ring.members.map((member, index) => [member.peer, counted[index] ?? 0])) };
    }
    return this.#shares.shares;
  }

  ring(): RingView {
    return ringView(this.#runtime.peer.membership.placement.ring, this.#ownership());
  }

  placement(bucket: string, key: KeyInput): Placement {
    return placementView(this.#runtime.peer.membership.placement, bucket, key, this.bucket(bucket).options.n);
  }

  async repair(options: RepairOptions = {}): Promise<RepairResult> {
    if (options.partition !== undefined) checkPartition(this.#runtime.peer.membership.placement, options.partition);
    return repair(this.#runtime, this.#counts(), options);
  }

  async scrub(options: ScrubOptions = {}): Promise<ScrubResult> {
    return scrub(this.#runtime, this.#counts(), options);
  }

  /** The n of all buckets that this peer has been told of: others may have records of them that it lacks. */
  #counts(): number[] {
    return replicaCounts(this.#options.buckets);
  }

  leave(options: LeaveOptions = {}): Promise<void> {
    return leave(this.#runtime, options);
  }

  remove(peer: string): Promise<void> {
    return remove(this.#runtime, this.#view(), peer);
  }

  plan(request: PlanRequest): Promise<PlanResult> {
    return plan(this.#runtime, this.#view(), request, defaultN);
  }

  #view(): MeshView {
    return { self: this.id, placement: this.#runtime.peer.membership.placement, members: this.members() };
  }

  get ended(): Promise<MeshError> {
    return this.#runtime.ended;
  }

  async partition(id: number): Promise<PartitionView> {
    return partitionView(this.#runtime, this.#runtime.peer.membership.placement, id);
  }

  holdings(peer?: string): Promise<Holdings> {
    return holdings(this.#runtime, peer);
  }

  status(): PeerStatus {
    const { peer } = this.#runtime;
    const now = this.#runtime.now().mono;
    const members: Record<MemberState, number> = { alive: 0, suspect: 0, dead: 0, left: 0, removed: 0 };
    for (const member of peer.membership.table.all()) members[stateOf(member)]++;
    return {
      peer: this.id,
      status: peer.membership.record.status,
      transfer: peer.transfer,
      cluster: this.#options.cluster,
      version,
      ready: this.#isReady(),
      ringDigest: peer.membership.placement.digest,
      actor: peer.replica.actor,
      members,
      addresses: peer.membership.record.addresses.map((address) => `${address}/p2p/${this.id}`),
      storage: { durable: peer.replica.durable, healthy: now - peer.storageFailedAt > unwellMs },
      runsHere: true,
      warnings: this.#options.warnings ?? [],
      hints: peer.hints.held,
      pendingRequests: peer.coordinator.pending,
      uptimeMs: now - this.#startedAt,
    };
  }

  #isReady(): boolean {
    const { membership, calls } = this.#runtime.peer;
    const others = [...membership.table.all()].filter((member) => member.signed.record.peer !== membership.self);
    if (others.length === 0) return !this.#options.hasBootstrap;
    if (membership.placement.ring.members.length === 0) return false;
    // A peer that cannot be dialled, such as a tab, may be on its way for long, or not need a link to this one.
    const isDialable = (address: string): boolean => !address.includes('/p2p-circuit');
    const awaited = ({ signed: { record } }: Member): boolean => record.addresses.some(isDialable) && !calls.linked(record.peer);
    return !others.some((member) => stateOf(member) === 'alive' && awaited(member));
  }

  ready(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    return this.#runtime.until(() => this.#isReady(), options);
  }

  onEvent(listener: (event: MeshEvent) => void): () => void {
    return this.#runtime.onEvent(listener);
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }
}

/** The n that buckets may have: of those that are known by name, and the default. */
export const replicaCounts = (buckets: ReadonlyMap<string, BucketOptions>): number[] => [
  ...new Set([defaultN, ...[...buckets.values()].map(({ n = defaultN }) => n)]),
];

export const ringView = (ring: Ring, shares: ReadonlyMap<string, number>): RingView => ({
  digest: ring.digest,
  partitions: ring.partitions,
  members: ring.members.map((member) => ({ ...member, share: shares.get(member.peer) ?? 0 })),
  tokens: Array.from(ring.tokens, (token) => [tokenPosition(token), tokenOwner(token)] as const),
});

export function placementView(placement: RingPlacement, bucket: string, key: KeyInput, n: number): Placement {
  const { position } = addressOf(bucket, toKey(key));
  const partition = partitionOf(placement.ring, position);
  return { position, partition, ...placement.placed(partition, n), fallbacks: fallbacksOf(placement, partition, n) };
}

export async function partitionView(requester: Requester, placement: RingPlacement, id: number): Promise<PartitionView> {
  checkPartition(placement, id);
  const reply = await requester.request({ type: 'partition', partition: id });
  if (reply.type !== 'partition') throw new MeshError('INTERNAL', `bug: a reply of type ${reply.type}`);
  const { root, keys } = reply;
  const primaries = placement.primaries(id, defaultN);
  return { id, primaries, fallbacks: fallbacksOf(placement, id, defaultN), root: hex(fromByteString(root)), keys };
}

export async function holdings(requester: Requester, peer: string | undefined): Promise<Holdings> {
  const reply = await requester.request({ type: 'holdings', peer: peer as PeerId | undefined });
  if (reply.type !== 'holdings') throw new MeshError('INTERNAL', `bug: a reply of type ${reply.type}`);
  return reply.holdings;
}

function checkPartition({ ring: { partitions } }: RingPlacement, id: number): void {
  if (Number.isInteger(id) && id >= 0 && id < partitions) return;
  throw new MeshError('OPTION_INVALID', `a partition is a whole number from 0 to ${partitions - 1}, not ${id}`);
}

const fallbacksOf = (placement: RingPlacement, partition: number, n: number): string[] => [
  ...placementHead(placement.fallbacks(partition, n), fallbacksShown),
];

function* placementHead<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken++ === most) return;
    yield item;
  }
}
