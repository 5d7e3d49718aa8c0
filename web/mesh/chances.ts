/** Clients and faults of a simulated mesh that is there to be played with, as often as the sliders say. They are drawn from the world's own seed, in its own time. */

import { effect, type ReadonlySignal } from '@preact/signals';
import type { SimulatedMesh } from './simulated.ts';
import { textValue } from './values.ts';

export interface Chances {
  /** Broken links, in 10,000 messages. */
  readonly loss: number;
  /** Late messages, in 100. */
  readonly delay: number;
  /** A minute. */
  readonly kills: number;
  /** Requests a second. */
  readonly clients: number;
}

const keys = 200;
const downMs = 8000;
const tickMs = 20;
const lateMaxMs = 600;

/** The returned function ends it. */
export function drawChances(mesh: SimulatedMesh, chances: ReadonlySignal<Chances>): () => void {
  const { world, network, peers } = mesh.cluster;
  const random = world.stream('page');
  let isOn = true;
  const stopWatching = effect(() => {
    const { loss, delay } = chances.value;
    Object.assign(network.faults, { loss: loss / 10_000, delay: delay / 100, delayMaxMs: lateMaxMs });
  });
  const happens = (aSecond: number): boolean => random.below(1_000_000) < (aSecond * tickMs * 1_000_000) / 1000;
  const tick = (): void => {
    if (!isOn) return;
    const { kills, clients } = chances.peek();
    if (happens(clients)) ask();
    if (happens(kills / 60)) kill();
    world.after(tickMs, 'client', 0, tick);
  };
  const anyone = () => {
    const up = peers.filter((peer) => peer.serving);
    return up[random.below(Math.max(1, up.length))];
  };
  const ask = (): void => {
    const peer = anyone();
    if (peer === undefined) return;
    const name = { bucket: 'traffic', key: `key-${random.below(keys)}` };
    const quorum = { r: 2, w: 2, mode: 'sloppy' } as const;
    const door = mesh.door(peer.id);
    const read = door.read(name, quorum);
    const done =
      random.below(2) === 0 ? read : read.then(({ context }) => door.write(name, quorum, textValue(`at ${world.nowMs}`), context));
    // What becomes of it is told by events.
    done.catch(() => {});
  };
  const kill = (): void => {
    const peer = anyone();
    if (peer === undefined || peers.filter((one) => one.serving).length < 4) return;
    peer.kill();
    world.after(downMs, 'fault', peer.index, () => void mesh.breaking.peek()?.start(peer.id));
  };
  tick();
  return () => {
    isOn = false;
    stopWatching();
  };
}
