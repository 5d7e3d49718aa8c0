/**
 * Identities without keys: a signature is a checksum of the signer's name and the bytes, which anybody could forge, but only on purpose.
 */

import { sha256 } from '@noble/hashes/sha2.js';

import { textToBytes, toByteString, fromByteString } from '../../../src/core/bytes.ts';
import type { Identity } from '../../../src/core/identity.ts';
import type { PeerId } from '../../../src/core/ids.ts';

const signatureOf = (peer: PeerId, bytes: Uint8Array): Uint8Array =>
  sha256(fromByteString(`${textToBytes(peer)}\0${toByteString(bytes)}`)).slice(0, 8);

export function fakeIdentity(name: string): Identity {
  const peerId = name as PeerId;
  return {
    peerId,
    sign: (bytes) => signatureOf(peerId, bytes),
    verify: (peer, bytes, signature) => toByteString(signature) === toByteString(signatureOf(peer, bytes)),
  };
}
