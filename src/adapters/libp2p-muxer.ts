/**
 * Yamux with the bounds of ringmesh, and with less talk.
 *
 * The decoder of @libp2p/yamux 8 collects a whole frame before it looks at the length, so a peer could announce 4 GiB and keep sending. No
 * honest peer has a frame under way that is larger than the window it was given: this factory closes a connection that does.
 */

import type { MessageStream, Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';

const windowMaxBytes = 4 * 1024 * 1024;
/** A window and what may have been read from the socket behind it. */
const undecodedMaxBytes = windowMaxBytes + 256 * 1024;

interface Decoding {
  readonly decoder?: { readonly buffer?: { readonly byteLength: number } };
}

export function boundedYamux(): () => StreamMuxerFactory {
  const create = yamux({
    maxInboundStreams: 64,
    maxOutboundStreams: 256,
    streamOptions: { maxStreamWindowSize: windowMaxBytes, maxReadBufferLength: 256 * 1024 },
  });
  return () => {
    const factory = create();
    return {
      ...factory,
      protocol: factory.protocol,
      createStreamMuxer(connection: MessageStream) {
        const muxer: StreamMuxer = factory.createStreamMuxer(connection);
        mendStreams(muxer as unknown as Taking);
        connection.addEventListener('message', () => {
          if (((muxer as Decoding).decoder?.buffer?.byteLength ?? 0) <= undecodedMaxBytes) return;
          const error = new Error('a yamux frame is larger than the window');
          muxer.abort(error);
          connection.abort(error);
        });
        return muxer;
      },
    };
  };
}

interface Taking {
  onRemoteStream(stream: Stream): void;
}

/** For streams that others open; of those that we open, few bring much. A listener of the muxer would keep it from holding early streams back. */
function mendStreams(muxer: Taking): void {
  const take = muxer.onRemoteStream.bind(muxer);
  muxer.onRemoteStream = (stream) => {
    updateWindowRarely(stream);
    take(stream);
  };
}

interface Receiving {
  state?: number;
  recvWindow?: number;
  recvWindowCapacity?: number;
  sendWindowUpdate?: () => void;
}

const established = 3;

/**
 * Yamux tells the sender of its free window after every single message, which costs as much as the message. Half a window is early enough.
 * For streams of other multiplexers it does nothing.
 */
export function updateWindowRarely(stream: Stream): void {
  const inner = stream as Receiving;
  const update = inner.sendWindowUpdate?.bind(stream);
  if (update === undefined) return;
  inner.sendWindowUpdate = () => {
    const { state, recvWindow = 0, recvWindowCapacity = 0 } = inner;
    if (state !== established || recvWindowCapacity * 2 < recvWindow) update();
  };
}
