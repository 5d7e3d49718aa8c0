/**
 * What may lie between two peers: nothing, or a relay. A relayed connection is encrypted from end to end, but it costs the relay's line, so it is left for a
 * WebRTC one as soon as there is one.
 */

import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import type { Multiaddr } from '@multiformats/multiaddr';
import { multiaddr } from '@multiformats/multiaddr';
import type { PeerId } from '../core/ids.ts';
import type { Path } from '../ports.ts';

const circuit = 'p2p-circuit';

const names = (address: Multiaddr): string[] => address.getComponents().map((component) => component.name);

/** Leads through a relay; addresses of WebRTC name the relay too, but only to begin with. */
export function isRelayedAddress(address: Multiaddr): boolean {
  const parts = names(address);
  return parts.includes(circuit) && !parts.includes('webrtc');
}

export const isRelayed = (connection: Connection): boolean => isRelayedAddress(connection.remoteAddr);

/** Where a peer that is reached through a relay can be called for WebRTC. */
export function webRtcAddress(relayed: Connection): Multiaddr {
  const [relay = ''] = relayed.remoteAddr.toString().split(`/${circuit}`);
  return multiaddr(`${relay}/${circuit}/webrtc/p2p/${relayed.remotePeer.toString()}`);
}

export function pathOf(connection: Connection): Omit<Path, 'peer'> {
  const { remoteAddr, direction } = connection;
  const parts = names(remoteAddr);
  const transport = parts.includes('webrtc') ? 'webrtc' : parts.includes('ws') || parts.includes('wss') ? 'websocket' : 'tcp';
  if (!isRelayed(connection)) return { relay: undefined, transport, direction };
  const relay = remoteAddr.getComponents().find((component) => component.name === 'p2p')?.value;
  return { relay: relay ?? '', transport, direction };
}

export function parsePeerId(peer: PeerId): Libp2pPeerId | undefined {
  try {
    const id = peerIdFromString(peer);
    return id.toString() === peer ? id : undefined;
  } catch {
    return undefined;
  }
}

export function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  const named = address.getComponents().findLast((component) => component.name === 'p2p')?.value;
  // The last part of a relayed address names the peer behind the relay, if it names any.
  return named === peer ? address : address.encapsulate(`/p2p/${peer}`);
}
