/**
 * The noise encryption of libp2p, mended in one place: at the end of every message it looked for the length of a next one by an exception, which cost as much as the
 * decryption.
 */

import type { ConnectionEncrypter } from '@libp2p/interface';
import { noise } from '@libp2p/noise';

type Create = ReturnType<typeof noise>;

/** What is used of an encrypted connection's inside. */
interface Decoding {
  readonly decoder?: { lengthDecoder: (bytes: Bytes) => number; readonly maxDataLength: number };
}

interface Bytes {
  readonly length: number;
}

export function meshNoise(): Create {
  const create = noise();
  return (components) => {
    const encrypter = create(components);
    const own: Pick<ConnectionEncrypter, 'secureInbound' | 'secureOutbound'> = {
      secureInbound: async (connection, options) => {
        const secured = await encrypter.secureInbound(connection, options);
        mend(secured.connection as Decoding);
        return secured;
      },
      secureOutbound: async (connection, options) => {
        const secured = await encrypter.secureOutbound(connection, options);
        mend(secured.connection as Decoding);
        return secured;
      },
    };
    return Object.assign(Object.create(encrypter) as typeof encrypter, own);
  };
}

function mend({ decoder }: Decoding): void {
  if (decoder === undefined) return;
  const { lengthDecoder, maxDataLength } = decoder;
  // More than there is: the decoder waits for the rest.
  decoder.lengthDecoder = (bytes) => (bytes.length < 2 ? maxDataLength : lengthDecoder(bytes));
}
