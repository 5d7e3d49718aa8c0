/**
 * Peers that this one has nothing to do with: no connection is made with them or taken from them, and what there is is closed. Who they are may change while the
 * node runs.
 */

import type { ConnectionGater, Libp2p } from '@libp2p/interface';

export type Refuse = (peer: string) => boolean;

const lookMs = 200;

/** Keeps their connections from being made. */
export const refusalGates = (refuse: Refuse): ConnectionGater => ({
  denyInboundEncryptedConnection: (id) => refuse(id.toString()),
  denyOutboundEncryptedConnection: (id) => refuse(id.toString()),
});

/** Closes connections with them soon after they are refused. The returned function ends it. */
export function closeRefused(node: Libp2p, refuse: Refuse): () => void {
  const timer = setInterval(() => {
    for (const connection of node.getConnections())
      if (refuse(connection.remotePeer.toString())) connection.abort(new Error('this peer is refused'));
  }, lookMs);
  return () => clearInterval(timer);
}
