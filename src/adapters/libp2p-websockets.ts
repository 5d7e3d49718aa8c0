/**
 * The WebSocket transport of libp2p, mended in three places. Works in Node.js and in a browser.
 *
 * - An aborted connection must close its socket. The transport asks for close code 1006, which `close()` refuses on every platform, so the
 *   socket would stay open and the other side would go on sending.
 * - One message of the listener's socket may be 100 MiB, which is buffered before libp2p sees a byte. Noise never sends more than 64 KiB at
 *   once.
 * - What is sent at once goes as one message, not as one for each length prefix and each piece.
 */

import type { MultiaddrConnection, Transport } from '@libp2p/interface';
import type { WebSocketsComponents, WebSocketsInit } from '@libp2p/websockets';
import { webSockets } from '@libp2p/websockets';
import type { Pieces, Sending } from './libp2p-mend.ts';
import { mended } from './libp2p-mend.ts';

const messageMaxBytes = 256 * 1024;
const joinMaxBytes = 64 * 1024;

interface SocketConnection extends Sending {
  readonly websocket?: { terminate?: () => void; close: () => void };
}

interface SocketListener {
  readonly wsServer?: { readonly options?: { maxPayload?: number } };
}

export function meshWebSockets(init: WebSocketsInit = {}): (components: WebSocketsComponents) => Transport {
  const create = webSockets(init);
  return (components) => {
    const transport = mended(create(components), mendConnection);
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options) => {
      const listener = createListener(options);
      const bounds = (listener as SocketListener).wsServer?.options;
      if (bounds !== undefined) bounds.maxPayload = messageMaxBytes;
      return listener;
    };
    return transport;
  };
}

function mendConnection(connection: MultiaddrConnection): void {
  const inner = connection as unknown as SocketConnection;
  const { websocket } = inner;
  if (websocket === undefined) return;
  inner.sendReset = () => {
    if (websocket.terminate === undefined) websocket.close();
    else websocket.terminate();
  };
  const send = inner.sendData.bind(connection);
  inner.sendData = (pieces) => send(pieces.byteLength > joinMaxBytes ? pieces : joined(pieces));
}

function joined(pieces: Pieces): Pieces {
  const bytes = new Uint8Array(pieces.byteLength);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { byteLength: bytes.length, [Symbol.iterator]: () => [bytes].values() };
}
