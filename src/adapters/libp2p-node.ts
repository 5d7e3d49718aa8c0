/**
 * The transports of a Node.js peer: TCP and WebSocket, both for dialling and for listening, and the way through other Node.js peers to tabs that have not come by themselves. The only libp2p file that needs Node.js.
 *
 * The TCP transport writes each length prefix, each frame and each window update with a system call of its own. Here what belongs to one
 * round of the event loop is held back and goes out in one.
 */

import type { MultiaddrConnection } from '@libp2p/interface';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { tcp } from '@libp2p/tcp';
import type { Libp2pInit } from 'libp2p';
import type { Sending } from './libp2p-mend.ts';
import { mended } from './libp2p-mend.ts';
import { meshWebSockets } from './libp2p-websockets.ts';

interface SocketConnection extends Sending {
  readonly socket?: { readonly writableLength: number; cork(): void; uncork(): void };
}

/** More than this is not held back. */
const heldMaxBytes = 64 * 1024;

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
    if (!isCorked) return;
    isCorked = false;
    socket.uncork();
  };
  inner.sendData = (pieces) => {
    if (!isCorked) {
      isCorked = true;
      socket.cork();
      // After all sockets and commits that are ready now have had their turn: what they lead to goes along.
      setImmediate(uncork);
    }
    const taken = send(pieces);
    if (socket.writableLength >= heldMaxBytes) uncork();
    return taken;
  };
}
