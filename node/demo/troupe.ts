/**
 * All peers of the demo, and what the page may do to them: kill, pause, resume, start, add and remove, and put them apart. A split is made at the peers' own doors:
 * each refuses all connections with those of the other sides, and closes what there is.
 */

import { rm } from 'node:fs/promises';
import { GatewayError } from '../gateway/errors.ts';
import { checkPorts, type DemoOptions, type PeerPlan, peersMax, planPeer, serveFlags } from './plan.ts';
import { writeRoster } from './roster.ts';
import { type Life, SupervisedPeer } from './supervised-peer.ts';

const leaveWithinMs = 60_000;

export interface TroupeState {
  readonly peers: readonly { readonly name: string; readonly peer: string; readonly life: Life; readonly gateway: string }[];
  readonly sides: readonly (readonly string[])[] | null;
}

export class Troupe {
  readonly #options: DemoOptions;
  readonly #supervisor: string;
  readonly #tell: (text: string) => void;
  #peers: SupervisedPeer[];
  /** Peer ids. */
  #sides: readonly (readonly string[])[] | null = null;

  constructor(options: DemoOptions, plans: readonly PeerPlan[], supervisor: string, tell: (text: string) => void) {
    this.#options = options;
    this.#supervisor = supervisor;
    this.#tell = tell;
    this.#peers = plans.map((plan) => this.#supervised(plan, plans));
  }

  get peers(): readonly SupervisedPeer[] {
    return this.#peers;
  }

  state(): TroupeState {
    return {
      peers: this.#peers.map(({ plan, peer, life }) => ({ name: plan.name, peer, life, gateway: plan.gatewayUrl })),
      sides: this.#sides,
    };
  }

  /** The peer with this name. */
  find(name: string): SupervisedPeer {
    const found = this.#peers.find(({ plan }) => plan.name === name);
    if (found === undefined) throw new GatewayError('NOT_FOUND', `the demo has no peer called ${name.slice(0, 40)}`);
    return found;
  }

  /** The first free name; what another peer of that name may have left behind is gone. */
  async add(): Promise<void> {
    const taken = new Set(this.#peers.map(({ plan }) => plan.index));
    const index = Array.from({ length: peersMax }, (_, at) => at).find((at) => !taken.has(at));
    if (index === undefined) throw new GatewayError('OVERLOADED', `the demo has at most ${peersMax} peers`);
    const plan = planPeer(this.#options, index);
    await checkPorts([plan]);
    await rm(plan.folder, { recursive: true, force: true });
    const peer = this.#supervised(
      plan,
      this.#peers.map((other) => other.plan),
    );
    await this.#become([...this.#peers, peer]);
    await peer.start();
    this.#tell(`${plan.name} was added from the page: ${plan.gatewayUrl}`);
    if (this.#sides !== null) this.split([[...(this.#sides[0] ?? []), peer.peer], ...this.#sides.slice(1)]);
  }

  /** It leaves the mesh, or is removed from it when it does not run; its data goes with it. */
  async remove(name: string): Promise<void> {
    if (this.#peers.length === 1) throw new GatewayError('REQUEST_INVALID', 'the last peer of the demo stays');
    const peer = this.find(name);
    peer.hold();
    await this.#leave(peer);
    await peer.stop();
    await this.#become(this.#peers.filter((other) => other !== peer));
    await rm(peer.plan.folder, { recursive: true, force: true });
    this.#tell(`${name} was removed from the page`);
  }

  async #leave(peer: SupervisedPeer): Promise<void> {
    const other = this.#peers.find((candidate) => candidate !== peer && candidate.life === 'running');
    const runs = peer.life === 'running';
    const url = runs ? `${peer.plan.gatewayUrl}/v1/leave` : `${other?.plan.gatewayUrl ?? ''}/v1/members/${peer.peer}`;
    try {
      const answer = await fetch(url, { method: runs ? 'POST' : 'DELETE', signal: AbortSignal.timeout(leaveWithinMs) });
      // The last line comes when all that it kept is with others.
      await answer.text();
    } catch {
      this.#tell(`${peer.plan.name} could not leave in order; the others take it for dead`);
    }
  }

  split(sides: readonly (readonly string[])[]): void {
    this.#sides = sides;
    for (const peer of this.#peers) {
      // Whoever is on no side stands between them.
      const own = sides.find((side) => side.includes(peer.peer));
      peer.setApart(own === undefined ? [] : sides.filter((side) => side !== own).flat());
    }
  }

  heal(): void {
    this.#sides = null;
    for (const peer of this.#peers) peer.setApart([]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop()));
  }

  /** These are there from now on, and with the next start of the demo. */
  async #become(peers: SupervisedPeer[]): Promise<void> {
    this.#peers = peers;
    await writeRoster(
      this.#options,
      peers.map(({ plan }) => plan.index),
    );
  }

  #supervised(plan: PeerPlan, others: readonly PeerPlan[]): SupervisedPeer {
    return new SupervisedPeer(plan, serveFlags(plan, others, this.#options), this.#supervisor, this.#tell);
  }
}
