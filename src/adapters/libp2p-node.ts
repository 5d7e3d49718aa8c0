/**
 * The transports of a Node.js peer: TCP and WebSocket, both for dialling and for listening, and the way through other Node.js peers to tabs that have not come by themselves. The only libp2p file that needs Node.js.
 *
 * The TCP transport writes each length prefix, each frame and each window update with a system call of its own. Here what belongs to one
 * turn is held back until its microtasks have run and goes out in one.
 */

import type { MultiaddrConnection } from '@libp2p/interface';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { tcp } from '@libp2p/tcp';
import type { Libp2pInit } from 'libp2p';
import type { Sending } from './libp2p-mend.ts';
import { mended } from './libp2p-mend.ts';
import { meshWebSockets } from './libp2p-websockets.ts';

interface SocketConnection extends Sending {
  readonly socket?: { cork(): void; uncork(): void };
}

export function nodeTransports(): NonNullable<Libp2pInit['transports']> {
  // Small messages must not wait for the acknowledgement of the last ones.
  const socketOptions = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  const createTcp = tcp({ dialOpts: socketOptions, listenOpts: socketOptions, backlog: 512 });
  return [(components) => mended(createTcp(components), corkPerTurn), meshWebSockets(), circuitRelayTransport()];
}

function corkPerTurn(connection: MultiaddrConnection): void {
  const inner = connection as unknown as SocketConnection;
  const { socket } = inner;
  if (socket === undefined) return;
  const send = inner.sendData.bind(connection);
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    socket.uncork();
  };
  inner.sendData = (pieces) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      // One microtask later, so that answers to what came in this turn, which are joined in a microtask themselves, still go along.
      queueMicrotask(() => queueMicrotask(uncork));
    }
    return send(pieces);
  };
}
