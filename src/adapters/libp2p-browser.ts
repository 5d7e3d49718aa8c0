/** The transports of a tab: WebSocket to Node.js peers, through them to other tabs, and WebRTC between tabs where the browser has it. */

import type { Libp2pInit } from 'libp2p';
import { Reservations } from './libp2p-relayed.ts';
import { meshWebRtc } from './libp2p-webrtc.ts';
import { meshWebSockets } from './libp2p-websockets.ts';

export interface TabTransports {
  readonly transports: NonNullable<Libp2pInit['transports']>;
  readonly listen: readonly string[];
  readonly reservations: Reservations;
  /** False in browsers and workers without WebRTC: other tabs are then reached through Node.js peers only. */
  readonly webRtc: boolean;
}

/** Two, so that the end of one relay does not make a tab unreachable. */
const relaysWanted = 2;

/** `iceServers`: who tells a tab its address as the world sees it (STUN), or passes its traffic on (TURN). Nobody by default: no stranger is asked. */
export function tabTransports(iceServers: readonly RTCIceServer[]): TabTransports {
  const reservations = new Reservations(relaysWanted);
  const hasWebRtc = typeof globalThis.RTCPeerConnection === 'function';
  const listen = hasWebRtc ? [...reservations.listen, '/webrtc'] : reservations.listen;
  const transports: NonNullable<Libp2pInit['transports']> = [meshWebSockets(), reservations.transport];
  if (hasWebRtc) transports.push(meshWebRtc({ rtcConfiguration: { iceServers: [...iceServers] } }));
  return { transports, listen, reservations, webRtc: hasWebRtc };
}
