/**
 * A request's body, bounded twice (SE3): by its Content-Length before a byte is read, and by a count while it streams in. What all requests together
 * hold in memory is bounded too. A body that is refused is not read here: the server drains and, if need be, cuts the connection.
 */

import type { IncomingMessage } from 'node:http';
import { valueMaxBytes, valueMaxText } from '../value-limits.ts';
import { GatewayError } from './errors.ts';

const bodiesMaxBytes = 256 * 1024 * 1024;

const tooLarge = (): GatewayError =>
  new GatewayError('VALUE_TOO_LARGE', `a value may have at most ${valueMaxBytes} bytes (${valueMaxText})`);

/** True when the Content-Length alone forbids the body. */
export const declaredTooLarge = (incoming: IncomingMessage): boolean => Number(incoming.headers['content-length'] ?? 0) > valueMaxBytes;

/** Reads bodies for one gateway and keeps the count of bytes that are held. */
export class BodyReader {
  #heldBytes = 0;

  async read(incoming: IncomingMessage): Promise<Uint8Array> {
    if (declaredTooLarge(incoming)) throw tooLarge();
    const declared = incoming.headers['content-length'];
    const reservedBytes = declared === undefined ? valueMaxBytes : Number(declared);
    if (this.#heldBytes + reservedBytes > bodiesMaxBytes) throw new GatewayError('OVERLOADED', 'too many values are being sent at once');
    this.#heldBytes += reservedBytes;
    try {
      return await collect(incoming);
    } finally {
      this.#heldBytes -= reservedBytes;
    }
  }
}

function collect(incoming: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (finish: () => void): void => {
      incoming.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      finish();
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      chunks.push(chunk);
      if (length <= valueMaxBytes) return;
      incoming.pause();
      settle(() => reject(tooLarge()));
    };
    const onEnd = (): void => settle(() => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    const onCut = (): void => settle(() => reject(new GatewayError('ABORTED', 'the request ended before its body did')));
    incoming.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  });
}
