/**
 * A simulated mesh in this tab: the very peers that Node.js runs, in virtual time. `SimulatedMesh` lets the world run a little in each frame, as fast as was asked
 * for and as the machine can; its requests go through the public handles of the simulated peers.
 */

import { signal } from '@preact/signals';
import type { MeshPeer } from 'ringmesh';
import { type Cluster, simHandle, type World } from 'ringmesh/sim';
import { SimulatedBreaking } from './simulated-breaking.ts';
import { Through } from './through.ts';
import { type Door, type Mesh, MeshProblem, type Told } from './types.ts';
import { meshView, type MeshView } from './view.ts';

/** What a frame may spend on the simulation, so that drawing stays smooth. */
const frameBudgetMs = 9;
/** A tab that was in the background does not catch up. */
const frameMaxMs = 100;
const sliceMs = 4;
const viewEveryMs = 150;

export interface Pace {
  /** Virtual milliseconds for each real one. */
  speed: number;
  running: boolean;
}

export class SimulatedMesh implements Mesh {
  readonly kind = 'simulated';
  readonly view = signal<MeshView | undefined>(undefined);
  readonly lost = signal(false);
  readonly breaking: Mesh['breaking'];
  readonly pace = signal<Pace>({ speed: 1, running: true });
  /** Virtual time, for the page to show. */
  readonly clock = signal(0);
  /** How fast it really goes. */
  readonly reached = signal(1);
  readonly cluster: Cluster;
  readonly #world: World;
  readonly #advance: (ms: number) => void;
  readonly #handles: readonly MeshPeer[];
  readonly #listeners = new Set<(told: Told) => void>();
  readonly #stopEvents: () => void;
  readonly #breaking: SimulatedBreaking;
  #frame = 0;
  #lastFrame = performance.now();
  #viewDue = 0;
  #changed = true;
  #owed = 0;

  /** `advance`: lets so many virtual milliseconds pass. */
  constructor(cluster: Cluster, advance: (ms: number) => void = (ms) => cluster.world.runFor(ms)) {
    this.cluster = cluster;
    this.#world = cluster.world;
    this.#advance = advance;
    this.#handles = cluster.peers.map(({ index }) => simHandle(cluster, index));
    this.#breaking = new SimulatedBreaking(cluster, () => this.look());
    this.breaking = signal(this.#breaking);
    this.#stopEvents = cluster.onEvent((index, event) => {
      if (event.type === 'member' || event.type === 'ring' || event.type === 'link') this.#changed = true;
      // The clocks of simulated peers differ; the page shows the time of the world.
      const told = { by: cluster.peer(index).id, event: { ...event, at: cluster.world.nowMs } };
      for (const listener of this.#listeners) listener(told);
    });
    this.look();
    this.#frame = requestAnimationFrame(this.#onFrame);
  }

  now = (): number => this.#world.nowMs;

  follow(listener: (told: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  door = (peer?: string): Door => new Through(() => this.#peer(peer));
  doorNear = this.door;

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#stopEvents();
  }

  /** The next thing that happens in the simulated world, and nothing more. */
  step(): void {
    this.#world.step();
    this.look();
  }

  #onFrame = (at: number): void => {
    const elapsed = Math.min(frameMaxMs, at - this.#lastFrame);
    this.#lastFrame = at;
    const { speed, running } = this.pace.value;
    if (running) this.#run(elapsed, speed);
    if (at >= this.#viewDue) {
      this.#viewDue = at + viewEveryMs;
      this.clock.value = this.#world.nowMs;
      if (this.#changed) this.look();
    }
    this.#frame = requestAnimationFrame(this.#onFrame);
  };

  #run(elapsed: number, speed: number): void {
    const began = this.#world.nowMs;
    const until = performance.now() + frameBudgetMs;
    this.#owed += elapsed * speed;
    while (this.#owed >= 1 && performance.now() < until) {
      const ms = Math.min(sliceMs, Math.floor(this.#owed));
      this.#advance(ms);
      this.#owed -= ms;
    }
    // What could not be done in time is not done faster later.
    if (this.#owed > speed * frameMaxMs) this.#owed = 0;
    if (elapsed > 0) this.reached.value += ((this.#world.nowMs - began) / elapsed - this.reached.value) / 30;
  }

  /** Looks at the mesh with the eyes of a peer that is up. */
  look(): void {
    this.#changed = false;
    this.#breaking.look();
    const viewer = this.#viewer();
    this.lost.value = viewer === undefined;
    if (viewer === undefined) return;
    const handle = this.#peer(viewer);
    const known = this.view.value;
    const { ringDigest } = handle.status();
    const ring = known?.ring.digest === ringDigest ? known.ring : handle.ring();
    this.view.value = meshView(handle.members(), ring, [{ from: viewer, connections: handle.connections() }]);
  }

  /** The same eyes as long as they are open. */
  #viewer(): string | undefined {
    const before = this.cluster.peers.find((peer) => peer.id === this.view.value?.self);
    return (before?.serving === true ? before : this.cluster.peers.find((peer) => peer.serving))?.id;
  }

  #peer(id: string | undefined = this.view.value?.self): MeshPeer {
    const handle = this.#handles[this.cluster.peers.findIndex((peer) => peer.id === id)];
    if (handle === undefined) throw new MeshProblem('OFFLINE', 'No peer of the simulated mesh is up.');
    return handle;
  }
}
