/**
 * The ed25519 identity of a peer: signs its member records and checks those of others (MB1), synchronously, in Node.js and in a browser.
 *
 * Node.js signs and verifies with its own OpenSSL, found at run time so that this file also loads where there is none; elsewhere
 * @noble/curves does it (measured on a busy machine: sign 70 µs against 1.5 ms, verify 190 µs against 2.5 ms). Both keep the strict rules of
 * RFC 8032. The public key of another peer is read out of its peer id and never asked for.
 */

import { privateKeyFromProtobuf, privateKeyFromRaw, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { ed25519 } from '@noble/curves/ed25519.js';
import type * as NodeCrypto from 'node:crypto';
import { MeshError } from '../core/errors.ts';
import type { Identity } from '../core/identity.ts';
import type { PeerId } from '../core/ids.ts';
import { peerId } from '../core/ids.ts';

/** An identity together with the key that libp2p needs. */
export interface KeyIdentity extends Identity {
  readonly privateKey: Ed25519PrivateKey;
}

const seedBytes = 32;
const publicKeyBytes = 32;
const signatureBytes = 64;
const publicKeysMax = 4096;

type Verify = (bytes: Uint8Array, signature: Uint8Array) => boolean;

/** How a platform signs and verifies. `verifier` prepares a public key once, for many signatures. */
export interface Ed25519Engine {
  signer(seed: Uint8Array): (bytes: Uint8Array) => Uint8Array;
  verifier(publicKey: Uint8Array): Verify;
}

export const nobleEngine: Ed25519Engine = {
  signer: (seed) => (bytes) => ed25519.sign(bytes, seed),
  // Without ZIP 215, so that it refuses what OpenSSL refuses.
  verifier: (publicKey) => (bytes, signature) => ed25519.verify(signature, bytes, publicKey, { zip215: false }),
};

/** Undefined where there is no Node.js. */
export function nodeEngine(): Ed25519Engine | undefined {
  const load = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process?.getBuiltinModule;
  const crypto = load?.('node:crypto') as typeof NodeCrypto | undefined;
  if (crypto === undefined) return undefined;
  return {
    signer(seed) {
      const der = derKey('302e020100300506032b657004220420', seed) as Buffer;
      const key = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      // A plain array, not a Buffer: the two differ in what `slice` does.
      return (bytes) => new Uint8Array(crypto.sign(null, bytes, key));
    },
    verifier(publicKey) {
      const der = derKey('302a300506032b6570032100', publicKey) as Buffer;
      const key = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' });
      return (bytes, signature) => crypto.verify(null, bytes, key, signature);
    },
  };
}

/** A new identity. The seed is 32 random bytes; the same seed gives the same peer id. */
export function createIdentity(seed: Uint8Array = crypto.getRandomValues(new Uint8Array(seedBytes))): KeyIdentity {
  if (seed.length !== seedBytes) throw new MeshError('OPTION_INVALID', `the seed of an identity has ${seedBytes} bytes`);
  const raw = new Uint8Array(seedBytes + publicKeyBytes);
  raw.set(seed);
  raw.set(ed25519.getPublicKey(seed), seedBytes);
  return identityOf(privateKeyFromRaw(raw) as Ed25519PrivateKey);
}

/** From the libp2p protobuf form. Rejects other key types: the peer id must carry the public key. */
export function loadIdentity(bytes: Uint8Array): KeyIdentity {
  let key;
  try {
    key = privateKeyFromProtobuf(bytes);
  } catch (cause) {
    throw new MeshError('OPTION_INVALID', 'the key file does not hold a libp2p private key', { cause });
  }
  if (key.type !== 'Ed25519') throw new MeshError('OPTION_INVALID', `the key must be Ed25519, not ${key.type}`);
  return identityOf(key);
}

/** The bytes that `loadIdentity` takes. They are secret. */
export function saveIdentity(identity: KeyIdentity): Uint8Array {
  return privateKeyToProtobuf(identity.privateKey);
}

function identityOf(privateKey: Ed25519PrivateKey): KeyIdentity {
  const engine = nodeEngine() ?? nobleEngine;
  const verifiers = new Map<PeerId, Verify>();
  return {
    peerId: peerId(peerIdFromPrivateKey(privateKey).toString()),
    privateKey,
    sign: engine.signer(privateKey.raw.slice(0, seedBytes)),
    verify(peer, bytes, signature) {
      if (signature.length !== signatureBytes) return false;
      try {
        return verifierOf(peer, verifiers, engine)(bytes, signature);
      } catch {
        return false;
      }
    },
  };
}

/** The cache drops what was not used for longest: a member list is checked over and over, strangers once. */
function verifierOf(peer: PeerId, verifiers: Map<PeerId, Verify>, engine: Ed25519Engine): Verify {
  const cached = verifiers.get(peer);
  const verify = cached ?? engine.verifier(publicKeyOf(peer));
  if (cached !== undefined) verifiers.delete(peer);
  else if (verifiers.size >= publicKeysMax) {
    const [oldest] = verifiers.keys();
    if (oldest !== undefined) verifiers.delete(oldest);
  }
  verifiers.set(peer, verify);
  return verify;
}

function publicKeyOf(peer: PeerId): Uint8Array {
  const id = peerIdFromString(peer);
  // One peer, one text: the same key written in another base would be another name.
  if (id.type !== 'Ed25519' || id.toString() !== peer) throw new MeshError('OPTION_INVALID', 'not the id of an Ed25519 key');
  return id.publicKey.raw;
}

function derKey(prefixHex: string, key: Uint8Array): Uint8Array {
  const der = new Uint8Array(prefixHex.length / 2 + key.length);
  for (let i = 0; i < prefixHex.length / 2; i++) der[i] = Number.parseInt(prefixHex.slice(i * 2, i * 2 + 2), 16);
  der.set(key, prefixHex.length / 2);
  return der;
}
