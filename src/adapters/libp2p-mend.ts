/**
 * A way into the connections of a libp2p transport: `mended(transport, mend)` shows each new connection, dialled or accepted, to `mend`
 * before libp2p takes it. Used where a transport does something on a socket that costs or hurts, and has no option against it.
 */

import type { MultiaddrConnection, StreamMuxerFactory, Transport, Upgrader } from '@libp2p/interface';

/** With what a connection becomes one of libp2p. */
interface Upgrade {
  readonly muxerFactory?: StreamMuxerFactory | undefined;
}

type Mend = (connection: MultiaddrConnection, upgrade: Upgrade) => void;

/** The pieces that a connection hands to its socket at once. */
export interface Pieces extends Iterable<Uint8Array> {
  readonly byteLength: number;
}

/** What the connections of libp2p's transports have inside, as far as it is mended here. */
export interface Sending {
  sendData(pieces: Pieces): unknown;
  sendReset(): void;
}

export function mended(transport: Transport, mend: Mend): Transport {
  const dial = transport.dial.bind(transport);
  const createListener = transport.createListener.bind(transport);
  transport.dial = (address, options) => dial(address, { ...options, upgrader: mendedUpgrader(options.upgrader, mend) });
  transport.createListener = (options) => createListener({ ...options, upgrader: mendedUpgrader(options.upgrader, mend) });
  return transport;
}

export function mendedUpgrader(upgrader: Upgrader, mend: Mend): Upgrader {
  const own: Pick<Upgrader, 'upgradeInbound' | 'upgradeOutbound'> = {
    upgradeInbound(connection, options) {
      mend(connection, options ?? {});
      return upgrader.upgradeInbound(connection, options);
    },
    upgradeOutbound(connection: MultiaddrConnection, options: Parameters<Upgrader['upgradeOutbound']>[1]) {
      mend(connection, options ?? {});
      return upgrader.upgradeOutbound(connection, options);
    },
  };
  return Object.assign(Object.create(upgrader) as Upgrader, own);
}
