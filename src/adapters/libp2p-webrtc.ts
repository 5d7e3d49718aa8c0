/**
 * The WebRTC transport of libp2p, mended in one place.
 *
 * A call begins with a data channel that the caller closes when it has seen it open. The one who is called closes it too, and is often sooner: a busy caller then sees
 * it closed already, waits for its opening until the call times out, and the next call goes the same way. Here the channel is left to the caller.
 */

import type { StreamMuxer, Transport } from '@libp2p/interface';
import type { WebRTCTransportComponents, WebRTCTransportInit } from '@libp2p/webrtc';
import { webRTC } from '@libp2p/webrtc';
import { mendedUpgrader } from './libp2p-mend.ts';

const firstLabel = 'init';

/** What is used of the multiplexer's inside. */
interface Taking {
  onDataChannel(channel: { readonly label: string }, early?: unknown): void;
}

export function meshWebRtc(init: WebRTCTransportInit): (components: WebRTCTransportComponents) => Transport {
  const create = webRTC(init);
  return (components) => {
    const upgrader = mendedUpgrader(components.upgrader, (_, { muxerFactory: factory }) => {
      if (factory === undefined) return;
      const createMuxer = factory.createStreamMuxer.bind(factory);
      factory.createStreamMuxer = (connection) => leavingFirst(createMuxer(connection));
    });
    return create(Object.create(components, { upgrader: { value: upgrader } }) as WebRTCTransportComponents);
  };
}

function leavingFirst(muxer: StreamMuxer): StreamMuxer {
  const inner = muxer as unknown as Taking;
  const take = inner.onDataChannel.bind(muxer);
  inner.onDataChannel = (channel, early) => {
    if (channel.label !== firstLabel) take(channel, early);
  };
  return muxer;
}
