/** This tab as a peer of the live mesh: it has its own identity and its own data in the browser, meets the others by WebSocket and WebRTC, and is asked like any other. */

import { signal } from '@preact/signals';
import type { MeshEvent, MeshPeer } from 'ringmesh';

export type TabState =
  | { readonly type: 'off' }
  | { readonly type: 'starting' }
  | { readonly type: 'on'; readonly peer: MeshPeer }
  | { readonly type: 'failed'; readonly why: string };

const name = 'page';
/** A browser keeps these for the next visit. */
const weightEntry = 'ringmesh weight';
const joinEntry = 'ringmesh join';
/** A page is closed more often than it comes back: it keeps copies for others only when somebody wants that. */
const defaultWeight = 0;

export class TabPeer {
  readonly state = signal<TabState>({ type: 'off' });
  /** Places on the ring; 0 keeps nothing and asks others only. */
  readonly weight = signal(Number(localStorage.getItem(weightEntry) ?? defaultWeight));
  readonly #heard: (by: string, event: MeshEvent) => void;

  constructor(heard: (by: string, event: MeshEvent) => void) {
    this.#heard = heard;
  }

  /** Whether the person has sent it away before. */
  get isUnwanted(): boolean {
    return localStorage.getItem(joinEntry) === 'no';
  }

  get peer(): MeshPeer | undefined {
    return this.state.value.type === 'on' ? this.state.value.peer : undefined;
  }

  async join(cluster: string, bootstrap: readonly string[]): Promise<void> {
    if (this.state.value.type === 'starting' || this.state.value.type === 'on') return;
    this.state.value = { type: 'starting' };
    localStorage.removeItem(joinEntry);
    try {
      // The libp2p tree is large: it is loaded when the page is there already.
      const { createPeer } = await import('ringmesh/browser');
      const peer = await createPeer({ cluster, bootstrap, name, weight: this.weight.value });
      peer.onEvent((event) => this.#heard(peer.id, event));
      this.state.value = { type: 'on', peer };
    } catch (error) {
      this.state.value = { type: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
  }

  async leave(): Promise<void> {
    localStorage.setItem(joinEntry, 'no');
    await this.close();
  }

  async close(): Promise<void> {
    const { peer } = this;
    this.state.value = { type: 'off' };
    await peer?.close();
  }

  setWeight(weight: number): void {
    this.weight.value = weight;
    localStorage.setItem(weightEntry, `${weight}`);
  }
}
