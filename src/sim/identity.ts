/**
 * Identities of simulated peers: signatures that cost nothing and cannot be forged by accident. A peer signs with a hash over its own name and the bytes.
 */

import { toByteString } from '../core/bytes.ts';
import type { Identity } from '../core/identity.ts';
import type { PeerId } from '../core/ids.ts';

export function simIdentity(peerId: PeerId): Identity {
  return {
    peerId,
    sign: (bytes) => seal(peerId, bytes),
    verify(peer, bytes, signature) {
      const expected = seal(peer, bytes);
      return signature.length === expected.length && toByteString(expected) === toByteString(signature);
    },
  };
}

function seal(peer: PeerId, bytes: Uint8Array): Uint8Array {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let i = 0; i < peer.length; i++) low = Math.imul(low ^ peer.charCodeAt(i), 0x01000193);
  for (let i = 0; i < bytes.length; i++) {
    low = Math.imul(low ^ (bytes[i] as number), 0x01000193);
    high = Math.imul(high ^ low, 0x85ebca6b) ^ (high >>> 13);
  }
  const signature = new Uint8Array(8);
  new DataView(signature.buffer).setInt32(0, low);
  new DataView(signature.buffer).setInt32(4, high);
  return signature;
}
