/**
 * The public handle over a simulated peer: what an application does with a real one can be done with it, in virtual time. Its promises settle while somebody lets
 * the world run.
 */

import type { MeshPeer } from '../api.ts';
import type { Reply, Request } from '../core/coordinator.ts';
import { MeshError } from '../core/errors.ts';
import type { MeshEvent } from '../core/events.ts';
import type { Peer } from '../core/peer.ts';
import type { News } from '../core/watching.ts';
import { Mesh } from '../mesh.ts';
import type { Path } from '../ports.ts';
import type { Driver } from '../runtime.ts';
import type { Cluster } from './cluster.ts';
import type { SimPeer } from './sim-peer.ts';

export const simHandle = (cluster: Cluster, index: number): MeshPeer =>
  new Mesh(new SimDriver(cluster, cluster.peer(index)), { cluster: 'sim', durableMin: 2, hasBootstrap: true, buckets: new Map() });

const down = (): MeshError => new MeshError('CLOSED', 'this peer is down');

class SimDriver implements Driver {
  readonly #cluster: Cluster;
  readonly #peer: SimPeer;

  constructor(cluster: Cluster, peer: SimPeer) {
    this.#cluster = cluster;
    this.#peer = peer;
  }

  get peer(): Peer {
    const { core } = this.#peer;
    if (core === undefined) throw down();
    return core;
  }

  now(): ReturnType<SimPeer['now']> {
    return this.#peer.now();
  }

  /** Simulated peers end with their world. */
  readonly ended: Promise<MeshError> = new Promise(() => {});

  paths(): Path[] {
    return [...this.peer.calls.links()].map((peer) => ({ peer, relay: undefined, transport: 'memory', direction: 'outbound' }));
  }

  onEvent(listener: (event: MeshEvent) => void): () => void {
    return this.#cluster.onEvent((index, event) => {
      if (index === this.#peer.index) listener({ ...event, at: this.now().wall });
    });
  }

  request(request: Request, signal?: AbortSignal, tell?: (news: News) => void): Promise<Exclude<Reply, { type: 'failed' }>> {
    return new Promise((resolve, reject) => {
      const end = (reply: Reply | undefined): void => {
        if (reply === undefined) reject(down());
        else if (reply.type === 'failed') reject(reply.error);
        else resolve(reply);
      };
      const id = this.#peer.request(request, end, tell);
      signal?.addEventListener('abort', () => this.#peer.abort(id), { once: true });
    });
  }

  async until(condition: () => boolean): Promise<void> {
    if (!condition()) throw new MeshError('TIMEOUT', 'a simulated peer waits for nobody: let the world run, and look again');
  }

  close(): Promise<void> {
    this.#peer.kill();
    return Promise.resolve();
  }
}
