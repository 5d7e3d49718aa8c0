/**
 * Relays (circuit relay v2). Node.js peers relay for tabs, which cannot be dialled; a tab holds a reservation with some of them, so that other tabs find it
 * there and call it for WebRTC.
 *
 * libp2p asks for reservations when it meets a relay, but not always again after the relay has restarted. The watchdog here looks every few seconds
 * whether the reservations still stand, and asks the relays that this peer is connected to.
 */

import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2';
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import type { Libp2p, PeerId as Libp2pPeerId, Transport } from '@libp2p/interface';
import { setMaxListeners } from '@libp2p/interface';
import { peerId } from '../core/ids.ts';
import type { Report } from './libp2p-events.ts';
import { backoffMs, errorText } from './libp2p-events.ts';
import { isRelayed } from './libp2p-paths.ts';

const reservationsMax = 1024;
const hopProtocol = '/libp2p/circuit/relay/0.2.0/hop';
const watchMs = 2000;
const pauseMaxMs = 8000;

/** A relay for the tabs of the cluster, without the small default limits: what it relays is its own cluster's data. */
export function relayServer(): ReturnType<typeof circuitRelayServer> {
  const create = circuitRelayServer({ reservations: { maxReservations: reservationsMax, applyDefaultLimit: false } });
  return (components) => {
    const relay = create(components);
    const { reservations } = relay;
    const keep = reservations.set.bind(reservations);
    // Each connection that is relayed listens to its reservation, and Node.js takes more than ten listeners for a leak.
    reservations.set = (peer, reservation) => {
      setMaxListeners(Infinity, reservation.signal);
      return keep(peer, reservation);
    };
    return relay;
  };
}

/** What is used of the transport's inside. */
interface Reserving {
  readonly reservationStore: {
    relayFilter: { has(item: Uint8Array): boolean; add(item: Uint8Array): void };
    hasReservation(peer: Libp2pPeerId): boolean;
    reservationCount(): number;
    addRelay(peer: Libp2pPeerId, type: 'discovered'): Promise<unknown>;
  };
}

/** libp2p remembers relays that failed once, and would never ask them again. */
const forgivesAll = { has: () => false, add: () => undefined };

/** The way of a tab into the relays: the transport, and the watchdog over its reservations. */
export class Reservations {
  readonly #wanted: number;
  #transport: (Transport & Reserving) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #closed = false;

  /** `wanted`: how many relays to stay reserved with, if so many can be reached. */
  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  readonly transport = (components: CircuitRelayTransportComponents): Transport => {
    const transport = circuitRelayTransport()(components);
    this.#transport = transport as Transport & Reserving;
    return transport;
  };

  get listen(): string[] {
    return Array.from({ length: this.#wanted }, () => '/p2p-circuit');
  }

  start(node: Libp2p, report: Report): void {
    const watch = (): void => {
      this.#timer = setTimeout(() => void this.#renew(node, report).finally(() => this.#closed || watch()), this.#pauseMs());
    };
    watch();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #pauseMs(): number {
    return this.#failures === 0 ? watchMs : Math.max(watchMs, backoffMs(this.#failures, pauseMaxMs));
  }

  async #renew(node: Libp2p, report: Report): Promise<void> {
    const store = this.#transport?.reservationStore;
    if (store === undefined || store.reservationCount() >= this.#wanted) return;
    for (const connection of node.getConnections()) {
      const relay = connection.remotePeer;
      if (this.#closed || store.reservationCount() >= this.#wanted) return;
      if (connection.status !== 'open' || isRelayed(connection) || store.hasReservation(relay)) continue;
      const known = await node.peerStore.get(relay).catch(() => undefined);
      if (known?.protocols.includes(hopProtocol) !== true) continue;
      store.relayFilter = forgivesAll;
      try {
        await store.addRelay(relay, 'discovered');
        this.#failures = 0;
      } catch (error) {
        if (this.#closed) return;
        this.#failures++;
        report({ type: 'reservation-failed', peer: peerId(relay.toString()), error: errorText(error) });
      }
    }
  }
}
