/**
 * A simulated mesh that runs: the very peers that Node.js runs, in virtual time, as fast as was asked for and as the machine can. Requests go through the public
 * handles of the simulated peers; what the page is to know is posted.
 */

import type { MeshPeer } from 'ringmesh';
import { type Cluster, simHandle } from 'ringmesh/sim';
import { Through } from '../mesh/through.ts';
import { type Door, MeshProblem, type Told } from '../mesh/types.ts';
import { SimulatedBreaking } from './breaking.ts';
import { drawChances } from './chances.ts';
import type { Started } from './start.ts';
import type { Chances, FromWorker, Look, Pace } from './words.ts';

type CoreEvent = Parameters<Parameters<Cluster['onEvent']>[0]>[1];

const turnMs = 16;
/** What of a turn the simulation may take: the page needs the machine, too. */
const busyMs = 11;
/** Who stood still does not catch up. */
const elapsedMaxMs = 100;
const sliceMs = 4;
const lookEveryMs = 150;

export class RunningMesh {
  readonly breaking: SimulatedBreaking;
  readonly #started: Started;
  readonly #post: (said: FromWorker) => void;
  readonly #handles: readonly MeshPeer[];
  #pace: Pace = { speed: 1, running: true };
  #chances: Chances | undefined;
  #told: Told[] = [];
  #early: Told[] = [];
  #viewer: string | undefined;
  #ringDigest = '';
  #changed = true;
  #lookDue = 0;
  #lastTurn = performance.now();
  #owed = 0;
  #reached = 1;

  constructor(started: Started, post: (said: FromWorker) => void) {
    const { cluster } = started;
    this.#started = started;
    this.#post = post;
    this.#handles = cluster.peers.map(({ index }) => simHandle(cluster, index));
    this.breaking = new SimulatedBreaking(cluster, () => this.#look());
    cluster.onEvent((index, event) => this.#hear(cluster.peer(index).id, event));
    this.#look();
    void this.#live();
  }

  door = (peer?: string): Door =>
    new Through(
      () => this.#peer(peer),
      () => this.#started.cluster.world.nowMs,
    );

  pace(pace: Pace): void {
    this.#pace = pace;
  }

  chances(chances: Chances): void {
    const begin = this.#chances === undefined;
    this.#chances = chances;
    Object.assign(this.#started.cluster.network.faults, { loss: chances.loss / 10_000, delay: chances.delay / 100 });
    if (begin) drawChances(this.#started.cluster, this, () => this.#chances ?? chances);
  }

  /** The next thing that happens in the simulated world, and nothing more. */
  step(): void {
    this.#started.cluster.world.step();
    this.#look();
  }

  /** All peers tell of all others: of these events one pair of eyes is enough. */
  #hear(by: string, event: CoreEvent): void {
    const ofMembers = event.type === 'member' || event.type === 'ring' || event.type === 'link';
    if (ofMembers && by !== this.#viewer) return;
    if (ofMembers) this.#changed = true;
    // The clocks of simulated peers differ; the page shows the time of the world. Of members it is told after a look that names them.
    (ofMembers ? this.#early : this.#told).push({ by, event: { ...event, at: this.#started.cluster.world.nowMs } });
  }

  async #live(): Promise<never> {
    for (;;) {
      const began = performance.now();
      await this.#turn(began);
      if (began >= this.#lookDue || this.#started.run()?.phase === 'healing') {
        this.#lookDue = began + lookEveryMs;
        if (this.breaking.look() || !this.#isUp(this.#viewer)) this.#changed = true;
        if (this.#changed) this.#look();
        else this.#tellTime();
      }
      this.#tell();
      await new Promise((resolve) => void setTimeout(resolve, Math.max(0, began + turnMs - performance.now())));
    }
  }

  async #turn(began: number): Promise<void> {
    const elapsed = Math.min(elapsedMaxMs, began - this.#lastTurn);
    this.#lastTurn = began;
    const { speed, running } = this.#pace;
    if (!running) return;
    const { world } = this.#started.cluster;
    const virtual = world.nowMs;
    this.#owed += elapsed * speed;
    while (this.#owed >= 1 && performance.now() < began + busyMs) {
      const ms = Math.min(sliceMs, Math.floor(this.#owed));
      this.#started.advance(ms);
      this.#owed -= ms;
      await othersTurn();
    }
    // What could not be done in time is not done faster later.
    if (this.#owed > speed * elapsedMaxMs) this.#owed = 0;
    if (elapsed > 0) this.#reached += ((world.nowMs - virtual) / elapsed - this.#reached) / 30;
  }

  #tell(): void {
    if (this.#told.length === 0) return;
    this.#post({ type: 'told', told: this.#told });
    this.#told = [];
  }

  #tellTime(): void {
    this.#post({ type: 'time', clock: this.#started.cluster.world.nowMs, reached: this.#reached, run: this.#started.run() });
  }

  /** Looks at the mesh with the eyes of a peer that is up: the same as long as they are open. */
  #look(): void {
    this.#changed = false;
    this.breaking.look();
    const { lives, sides } = this.breaking;
    if (!this.#isUp(this.#viewer)) this.#viewer = this.#started.cluster.peers.find((peer) => peer.serving)?.id;
    const seen = this.#viewer === undefined ? undefined : this.#seenBy(this.#viewer);
    this.#post({ type: 'look', look: { seen, lives, sides } });
    this.#told.push(...this.#early);
    this.#early = [];
    this.#tellTime();
  }

  #seenBy(viewer: string): NonNullable<Look['seen']> {
    const handle = this.#peer(viewer);
    const { ringDigest } = handle.status();
    const ring = this.#ringDigest === ringDigest ? undefined : handle.ring();
    this.#ringDigest = ringDigest;
    return { self: viewer, members: handle.members(), connections: handle.connections(), ring };
  }

  #isUp(id: string | undefined): boolean {
    return this.#started.cluster.peers.find((peer) => peer.id === id)?.serving === true;
  }

  #peer(id: string | undefined = this.#viewer): MeshPeer {
    const handle = this.#handles[this.#started.cluster.peers.findIndex((peer) => peer.id === id)];
    if (handle === undefined) throw new MeshProblem('OFFLINE', 'No peer of the simulated mesh is up.');
    return handle;
  }
}

const { port1, port2 } = new MessageChannel();
let goOn: (() => void) | undefined;
port1.addEventListener('message', () => goOn?.());
port1.start();

/** Lets promises and messages have their turn: whoever waited for an answer asks the next thing before much virtual time has passed. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => {
    goOn = resolve;
    port2.postMessage(0);
  });
}
