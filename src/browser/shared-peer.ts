/**
 * A peer that all tabs of a browser profile share: a Web Lock elects the tab that runs it, the others are its guests, and the next in line takes over when the
 * runner closes, with the same identity and store (VR3). For the application it is one handle all the time.
 */

import type {
  Bucket,
  BucketOptions,
  ConnectionView,
  Holdings,
  KeyInput,
  LeaveOptions,
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
} from '../api.ts';
import { BucketHandle } from '../bucket.ts';
import { leave, type MeshView, plan, remove } from '../elastic.ts';
import { MeshError } from '../core/errors.ts';
import { Placement as RingPlacement } from '../core/placement.ts';
import { peerTokens, type Ring, type RingMember, seatOf } from '../core/ring.ts';
import { defaultN, holdings, type Mesh, partitionView, placementView, ringView } from '../mesh.ts';
import { repair, scrub } from '../upkeep.ts';
import { Line } from './line.ts';
import type { View } from './messages.ts';
import { Runner, type Running } from './runner.ts';

export interface SharedPeerOptions {
  /** Tells peers of one profile and origin apart. */
  readonly name: string;
  readonly buckets: ReadonlyMap<string, BucketOptions>;
  /** The n of all buckets that this tab has been told of. */
  readonly counts: readonly number[];
  /** Runs the peer in this tab; called when no other tab does. `witnessed`: the incarnation at which this tab has seen it run in another one. */
  readonly run: (witnessed: number | undefined) => Promise<Running>;
}

const runAgainMs = 1000;
const defaultReadyMs = 30_000;

/** Resolves when the peer serves requests, here or in another tab. Rejects when it cannot be run here and nobody else does. */
export async function openSharedPeer(options: SharedPeerOptions): Promise<MeshPeer> {
  const peer = new SharedPeer(options);
  await peer.opened;
  return peer;
}

class SharedPeer implements MeshPeer {
  readonly opened: Promise<void>;
  readonly #options: SharedPeerOptions;
  readonly #line: Line;
  readonly #closing = new AbortController();
  readonly #onViews = new Set<() => void>();
  #mesh: Mesh | undefined;
  #placed: { readonly ring: Ring; readonly placement: RingPlacement } | undefined;
  #end!: (reason: MeshError) => void;
  readonly ended: Promise<MeshError> = new Promise((resolve) => {
    this.#end = resolve;
  });
  #open!: () => void;
  #fail!: (error: unknown) => void;
  #isOpen = false;

  constructor(options: SharedPeerOptions) {
    this.#options = options;
    this.opened = new Promise((resolve, reject) => {
      this.#open = () => {
        this.#isOpen = true;
        resolve();
      };
      this.#fail = reject;
    });
    this.#line = new Line(options.name, () => {
      this.#open();
      for (const look of this.#onViews) look();
    });
    this.#stand();
  }

  /** Waits in line to run the peer. The lock is given back when the peer has closed, or with the tab. */
  #stand(): void {
    const lock = `ringmesh/${this.#options.name}`;
    navigator.locks
      .request(lock, { signal: this.#closing.signal }, () => this.#run())
      .catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        if (!this.#isOpen) {
          this.#line.close();
          return this.#fail(error);
        }
        setTimeout(() => this.#closing.signal.aborted || this.#stand(), runAgainMs);
      });
  }

  async #run(): Promise<void> {
    const { name, run } = this.#options;
    const running = await run(this.#line.view?.members.find((member) => member.self)?.incarnation);
    const left = new Promise<void>((resolve) => running.left.addEventListener('abort', () => resolve(), { once: true }));
    if (this.#closing.signal.aborted) void running.mesh.close();
    this.#mesh = running.mesh;
    void running.mesh.ended.then((reason) => {
      if (reason.code === 'REMOVED') this.#end(reason);
    });
    void this.#line.useHere(running.runtime, (options) => running.mesh.ready(options));
    new Runner(name, running);
    this.#open();
    await left;
    // Closed with its page, which may come back from the browser's cache.
    this.#mesh = undefined;
    if (this.#closing.signal.aborted) return;
    this.#line.useOthers();
    queueMicrotask(() => this.#stand());
  }

  get #view(): View {
    const { view } = this.#line;
    if (view === undefined) throw new MeshError('INTERNAL', 'bug: a view before the first one');
    return view;
  }

  get #ring(): Ring {
    const { ring } = this.#line;
    if (ring === undefined) throw new MeshError('INTERNAL', 'bug: a ring before the first one');
    return ring;
  }

  get #placement(): RingPlacement {
    const ring = this.#ring;
    if (this.#placed?.ring !== ring) {
      const { durableMin, status } = this.#view;
      const { cluster } = status;
      const tokensOf = (member: RingMember): Uint32Array => peerTokens(cluster, seatOf(member), member.weight);
      const options = { cluster, partitions: ring.partitions, durableMin, tokensOf };
      this.#placed = { ring, placement: new RingPlacement(options, ring.members, { joining: [], leaving: new Set() }) };
    }
    return this.#placed.placement;
  }

  get id(): string {
    return this.#mesh?.id ?? this.#view.status.peer;
  }

  bucket(name: string, options: BucketOptions = {}): Bucket {
    return new BucketHandle(this.#line, name, { ...this.#options.buckets.get(name), ...options });
  }

  members(): MemberView[] {
    return this.#mesh?.members() ?? [...this.#view.members];
  }

  connections(): ConnectionView[] {
    return this.#mesh?.connections() ?? [...this.#view.connections];
  }

  ring(): RingView {
    if (this.#mesh !== undefined) return this.#mesh.ring();
    return ringView(this.#ring, new Map(this.#view.members.map(({ peer, share }) => [peer, share])));
  }

  placement(bucket: string, key: KeyInput): Placement {
    return this.#mesh?.placement(bucket, key) ?? placementView(this.#placement, bucket, key, this.bucket(bucket).options.n);
  }

  async partition(id: number): Promise<PartitionView> {
    return this.#mesh === undefined ? partitionView(this.#line, this.#placement, id) : this.#mesh.partition(id);
  }

  holdings(peer?: string): Promise<Holdings> {
    return holdings(this.#line, peer);
  }

  status(): PeerStatus {
    return this.#mesh?.status() ?? { ...this.#view.status, runsHere: false };
  }

  repair(options: RepairOptions = {}): Promise<RepairResult> {
    return repair(this.#line, this.#options.counts, options);
  }

  scrub(options: ScrubOptions = {}): Promise<ScrubResult> {
    return scrub(this.#line, this.#options.counts, options);
  }

  leave(options: LeaveOptions = {}): Promise<void> {
    return leave(this.#line, options);
  }

  remove(peer: string): Promise<void> {
    return remove(this.#line, this.#meshView(), peer);
  }

  plan(request: PlanRequest): Promise<PlanResult> {
    return plan(this.#line, this.#meshView(), request, defaultN);
  }

  #meshView(): MeshView {
    return { self: this.id, placement: this.#placement, members: this.members() };
  }

  async ready(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    if (this.#mesh !== undefined) return this.#mesh.ready(options);
    const { timeoutMs = defaultReadyMs, signal } = options;
    const ends = [AbortSignal.timeout(timeoutMs), this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    const end = AbortSignal.any(ends);
    while (!this.status().ready) {
      if (this.#closing.signal.aborted) throw new MeshError('CLOSED', 'the peer was closed');
      if (signal?.aborted === true) throw new MeshError('ABORTED', 'the wait was aborted');
      if (end.aborted) throw new MeshError('TIMEOUT', `not ready after ${timeoutMs} ms`);
      await this.#nextView(end);
    }
  }

  #nextView(end: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#onViews.delete(done);
        end.removeEventListener('abort', done);
        resolve();
      };
      this.#onViews.add(done);
      end.addEventListener('abort', done, { once: true });
    });
  }

  onEvent(listener: (event: MeshEvent) => void): () => void {
    return this.#line.onEvent(listener);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#mesh?.close();
    this.#line.close();
    this.#end(new MeshError('CLOSED', 'the peer was closed'));
  }
}
