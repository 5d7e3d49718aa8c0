/**
 * What libp2p expects from the platform and Node.js 20 lacks: `Promise.withResolvers`, and the global `WebSocket` that its dialler uses.
 *
 * Imported for its effect, before anything that loads libp2p, by the Node entry only. Does nothing where the platform has both (Node.js 22
 * and later).
 */

import { WebSocket as WsWebSocket } from 'ws';

interface Resolvers<T> {
  promise: Promise<T>;
  resolve: (value: T | PromiseLike<T>) => void;
  reject: (reason?: unknown) => void;
}

function withResolvers<T>(this: PromiseConstructor): Resolvers<T> {
  let resolve!: Resolvers<T>['resolve'];
  let reject!: Resolvers<T>['reject'];
  const promise = new this<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/**
 * The platform's WebSocket tells an error to whoever listens; the one of `ws` is an event emitter and brings the process down when nobody
 * does, which happens when a dial is given up while it connects.
 */
function QuietWebSocket(url: string | URL, protocols?: string | string[]): WsWebSocket {
  const socket = new WsWebSocket(url, protocols);
  socket.on('error', () => undefined);
  return socket;
}
Object.assign(QuietWebSocket, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3, prototype: WsWebSocket.prototype });

function supply(target: object, name: string, value: unknown): void {
  if (Reflect.get(target, name) !== undefined) return;
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

supply(Promise, 'withResolvers', withResolvers);
supply(globalThis, 'WebSocket', QuietWebSocket);
