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
import { type Breaking, type Door, type KeyName, type Mesh, MeshProblem, type Told, type Trial } from './types.ts';
import { memberIn, meshView, type MeshView } from './view.ts';

const refreshMs = 3000;
const afterEventMs = 120;
/** While a process starts, of which no event tells. */
const startingMs = 500;
const joinAfterMs = 1500;

/** The door of who is down. */
const nobody = new Through(
  () => {
    throw new MeshProblem('OFFLINE', 'This peer is down.');
  },
  () => 0,
);

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
  readonly #early: Told[] = [];
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
    document.addEventListener('visibilitychange', this.#seenOrNot);
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

  /** Its own door where this page may come in, for then it can be seen in a split, too; else the eyes ask it. Who is down is not asked: that would only be an error in the console. */
  doorNear(peer: string): Door {
    const own = this.#ownTab(peer);
    if (own !== undefined) return own;
    const life = this.#supervisor?.lives.value.get(peer);
    if (life === 'running' && this.#canAsk(peer)) return this.#gateway(peer);
    return life === undefined && memberIn(this.view.value, peer)?.state !== 'dead' ? this.#home : nobody;
  }

  trial = (...given: Parameters<Mesh['trial']>): Promise<Trial> => trial(this, ...given);

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#joinTimer);
    document.removeEventListener('visibilitychange', this.#seenOrNot);
    void this.tab.close();
    this.#unfollow(() => true);
  }

  /** Until the returned function ends it: of the tab's own peer where there is one, for a browser opens few streams to one gateway. */
  watch(name: KeyName, changed: () => void): () => void {
    const own = this.tab.peer;
    if (own === undefined) return this.#home.watch(name, changed);
    const watch = own.bucket(name.bucket).watch(name.key);
    void (async () => {
      for await (const event of watch) if (event.type !== 'ready') changed();
    })().catch(() => {});
    return () => watch.close();
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

  /** Nobody looks at a page in the background, and a browser opens six streams to one gateway, whichever of its tabs asks. */
  #seenOrNot = (): void => {
    if (document.hidden) this.#unfollow(() => true);
    else this.#soon();
  };

  #soon(): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#refresh(), afterEventMs);
  }

  /** One look at a time: slow peers are not asked ever more. */
  async #refresh(): Promise<void> {
    clearTimeout(this.#timer);
    if (document.hidden) return;
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
      if (!this.#closed)
        this.#timer = setTimeout(() => void this.#refresh(), this.#supervisor?.isChanging === true ? startingMs : refreshMs);
    }
  }

  async #look(): Promise<void> {
    const home = this.#home;
    void this.#supervisor?.look().catch(() => undefined);
    const [status, members, connections] = await Promise.all([home.status(), home.members(), home.connections()]);
    const known = this.view.value;
    const ring = known?.ring.digest === status.ringDigest ? known.ring : await home.ring();
    if (home === this.#own) this.#ownPeer = status.peer;
    this.#cluster = status.cluster;
    const tab = this.tab.peer;
    const tabWays = tab === undefined ? [] : [{ from: tab.id, connections: tab.connections() }];
    this.view.value = meshView(members, ring, [{ from: status.peer, connections }, ...tabWays], tab?.id);
    this.#followAll();
    for (const told of this.#early.splice(0)) this.#tell(told);
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

  /** Those that are up: who is down would only be an error in the browser's console, again and again. */
  #followAll(): void {
    const lives = this.#supervisor?.lives.value;
    const up = [...(lives ?? [])].filter(([, life]) => life === 'running' || life === 'paused').map(([peer]) => peer);
    const wanted = lives === undefined ? [this.#ownPeer] : up;
    this.#unfollow((peer) => !wanted.includes(peer));
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

  #unfollow(isUnwanted: (peer: string) => boolean): void {
    for (const [peer, stop] of this.#followed) {
      if (!isUnwanted(peer)) continue;
      stop();
      this.#followed.delete(peer);
    }
  }

  /** Of a member that has just come, the page does not know the name yet: that is told after the next look. */
  #heard(by: string, event: MeshEvent): void {
    const ofMembers = event.type === 'member' || event.type === 'ring' || event.type === 'link';
    const isNew = (peer: string): boolean => this.view.value?.names.has(peer) !== true;
    if (isNew(by) || ('peer' in event && ofMembers && isNew(event.peer))) this.#early.push({ by, event });
    else this.#tell({ by, event });
    if (ofMembers || this.#early.length > 0) this.#soon();
  }

  #tell(told: Told): void {
    for (const listener of this.#listeners) listener(told);
  }
}
