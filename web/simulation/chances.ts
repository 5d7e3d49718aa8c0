/** Clients and faults of a simulated mesh that is there to be played with, as often as the sliders say. They are drawn from the world's own seed, in its own time. */

import type { Cluster } from 'ringmesh/sim';
import type { Breaking, Door } from '../mesh/types.ts';
import { textValue } from '../mesh/values.ts';
import type { Chances } from './words.ts';

const keys = 200;
const downMs = 8000;
const tickMs = 20;
const lateMaxMs = 600;

interface Played {
  door(peer: string): Door;
  readonly breaking: Pick<Breaking, 'start'>;
}

/** Goes on as long as the world. */
export function drawChances({ world, network, peers }: Cluster, mesh: Played, chances: () => Chances): void {
  const random = world.stream('page');
  Object.assign(network.faults, { delayMaxMs: lateMaxMs });
  const happens = (aSecond: number): boolean => random.below(1_000_000) < (aSecond * tickMs * 1_000_000) / 1000;
  const tick = (): void => {
    const { kills, clients } = chances();
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
    world.after(downMs, 'fault', peer.index, () => void mesh.breaking.start(peer.id));
  };
  tick();
}
