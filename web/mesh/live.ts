/**
 * The mesh that serves this page, over HTTP: seen with the eyes of one peer, and asked through it. That is the peer whose gateway the page came from, or, when that
 * does not answer, another one that the page may talk to. In the demo the page follows the events of all peers; elsewhere those of its own.
 */

import { signal } from '@preact/signals';
import type { MeshEvent } from 'ringmesh';
import { Gateway } from './gateway.ts';
import { connectSupervisor, type Supervisor } from './supervisor.ts';
import { TabPeer } from './tab-peer.ts';
import { Through } from './through.ts';
import { trial } from './trial.ts';
import { type Breaking, type Door, type Mesh, MeshProblem, type Told, type Trial } from './types.ts';
import { memberIn, meshView, type MeshView } from './view.ts';

const refreshMs = 3000;
const afterEventMs = 120;
const joinAfterMs = 1500;

export class LiveMesh implements Mesh {
  readonly kind = 'live';
  readonly view = signal<MeshView | undefined>(undefined);
  readonly lost = signal(false);
  readonly breaking = signal<Breaking | undefined>(undefined);
  /** This tab's own peer. */
  readonly tab = new TabPeer((by, event) => this.#heard(by, event));
  readonly #own = new Gateway('');
  readonly #gateways = new Map<string, Gateway>();
  readonly #followed = new Map<string, () => void>();
  readonly #listeners = new Set<(told: Told) => void>();
  /** The one that is asked. */
  #home = this.#own;
  /** The peer behind the page's own origin. */
  #ownPeer = '';
  #supervisor: Supervisor | undefined;
  #timer = 0;
  #joinTimer = 0;
  #closed = false;
  #looking = false;
  #failures = 0;
  #cluster = '';

  constructor() {
    void connectSupervisor().then((supervisor) => {
      this.#supervisor = supervisor;
      this.breaking.value = supervisor;
      if (supervisor !== undefined) supervisor.whenChanged = () => this.#soon();
      return this.#refresh();
    });
    // The page first, and then its tab as a peer; where the mesh is not a demo, only when somebody wants it.
    this.#joinTimer = setTimeout(() => {
      if (this.#supervisor !== undefined && !this.tab.isUnwanted) void this.joinWithTab();
    }, joinAfterMs);
  }

  follow(listener: (told: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  door(peer?: string): Door {
    return this.#ownTab(peer) ?? this.#gateway(peer);
  }

  /** Its own door where this page may come in, for then it can be seen in a split, too; else the eyes ask it. */
  doorNear(peer: string): Door {
    return this.#ownTab(peer) ?? (this.#canAsk(peer) ? this.#gateway(peer) : this.#home);
  }

  trial = (...given: Parameters<Mesh['trial']>): Promise<Trial> => trial(this, ...given);

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#joinTimer);
    void this.tab.close();
    for (const stop of this.#followed.values()) stop();
  }

  /** Makes this tab a peer of the mesh, by way of all members that take WebSocket connections. */
  async joinWithTab(): Promise<void> {
    const reachable = (this.view.value?.members ?? []).filter(({ state }) => state === 'alive');
    const isWebSocket = (address: string): boolean => /\/wss?$/.test(address);
    await this.tab.join(
      this.#cluster,
      reachable.flatMap(({ addresses }) => addresses.filter(isWebSocket)),
    );
  }

  #ownTab(peer: string | undefined): Door | undefined {
    const { peer: own } = this.tab;
    return own === undefined || own.id !== peer
      ? undefined
      : new Through(
          () => own,
          () => performance.now(),
        );
  }

  /** Other peers' gateways let only the demo's page in. */
  #canAsk(peer: string): boolean {
    return peer === this.#ownPeer || (this.#supervisor !== undefined && memberIn(this.view.value, peer)?.gateway !== undefined);
  }

  #gateway(peer: string | undefined): Gateway {
    if (peer === undefined || peer === this.view.value?.self) return this.#home;
    if (peer === this.#ownPeer) return this.#own;
    const base = memberIn(this.view.value, peer)?.gateway;
    if (base === undefined) throw new MeshProblem('OFFLINE', 'This peer has no gateway.');
    let gateway = this.#gateways.get(base);
    if (gateway === undefined) this.#gateways.set(base, (gateway = new Gateway(base)));
    return gateway;
  }

  #soon(): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#refresh(), afterEventMs);
  }

  /** One look at a time: slow peers are not asked ever more. */
  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#looking) {
      this.#soon();
      return;
    }
    this.#looking = true;
    try {
      await this.#look();
      this.#failures = 0;
      this.lost.value = false;
    } catch (error) {
      if (!(error instanceof MeshProblem)) throw error;
      const moved = await this.#moveHome();
      // A machine that is busy for a moment is not lost.
      this.lost.value = !moved && ++this.#failures > 1;
    } finally {
      this.#looking = false;
      if (!this.#closed) this.#timer = setTimeout(() => void this.#refresh(), refreshMs);
    }
  }

  async #look(): Promise<void> {
    const home = this.#home;
    const [status, members, connections] = await Promise.all([home.status(), home.members(), home.connections()]);
    const known = this.view.value;
    const ring = known?.ring.digest === status.ringDigest ? known.ring : await home.ring();
    if (home === this.#own) this.#ownPeer = status.peer;
    this.#cluster = status.cluster;
    const tab = this.tab.peer;
    const tabWays = tab === undefined ? [] : [{ from: tab.id, connections: tab.connections() }];
    this.view.value = meshView(members, ring, [{ from: status.peer, connections }, ...tabWays], tab?.id);
    this.#followAll();
  }

  /** Looks with the eyes of another peer when the one that was asked is down. */
  async #moveHome(): Promise<boolean> {
    const others = this.view.value?.members.filter(({ peer }) => peer !== this.view.value?.self && this.#canAsk(peer)) ?? [];
    for (const gateway of [this.#own, ...others.map(({ peer }) => this.#gateway(peer))]) {
      if (gateway === this.#home) continue;
      const answers = await gateway.status().then(
        () => true,
        () => false,
      );
      if (!answers) continue;
      this.#home = gateway;
      this.#soon();
      return true;
    }
    return false;
  }

  #followAll(): void {
    const wanted = this.#supervisor === undefined ? [this.#ownPeer] : (this.view.value?.members ?? []).map(({ peer }) => peer);
    for (const peer of wanted) {
      if (this.#followed.has(peer) || !this.#canAsk(peer)) continue;
      const gateway = peer === this.#ownPeer ? this.#own : this.#gateway(peer);
      this.#followed.set(
        peer,
        gateway.follow(
          (event) => this.#heard(peer, event),
          () => this.#soon(),
        ),
      );
    }
  }

  #heard(by: string, event: MeshEvent): void {
    for (const listener of this.#listeners) listener({ by, event });
    if (event.type === 'member' || event.type === 'ring' || event.type === 'link') this.#soon();
  }
}
