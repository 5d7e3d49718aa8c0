/** Calls a peer for WebRTC while it is reached through a relay only: again and again, but ever more rarely. */

import type { Connection, Libp2p } from '@libp2p/interface';
import { peerId } from '../core/ids.ts';
import type { Report } from './libp2p-events.ts';
import { backoffMs, errorText } from './libp2p-events.ts';
import { isRelayed, webRtcAddress } from './libp2p-paths.ts';
import type { Turns } from './libp2p-turns.ts';

const callTimeoutMs = 20_000;
const callBackoffMaxMs = 5 * 60_000;
/** Who comes back is called soon, however often it was called in vain while it was away. */
const failuresKept = 2;

export interface CallsOptions {
  readonly node: Libp2p;
  readonly report: Report;
  /** All calls of this peer take turns. */
  readonly turns: Turns;
  /** The connection through which the peer is reached now, if it is to be called. */
  readonly reachedBy: () => Connection | undefined;
}

export class Calls {
  readonly #options: CallsOptions;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isCalling = false;
  /** What the last call led to. */
  #answered: Connection | undefined;
  #closed = false;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  soon(): void {
    const isCalled = this.#timer !== undefined || this.#isCalling || this.#answered?.status === 'open';
    if (this.#closed || isCalled || this.#relayed() === undefined) return;
    const delayMs = this.#failures === 0 ? 0 : backoffMs(this.#failures + 3, callBackoffMaxMs);
    this.#timer = setTimeout(() => void this.#call(), delayMs);
  }

  /** The peer is reached anew. */
  anew(): void {
    this.#failures = Math.min(this.#failures, failuresKept);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#answered = undefined;
    this.soon();
  }

  /** The peer was there for long. */
  forgive(): void {
    this.#failures = 0;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #relayed(): Connection | undefined {
    const connection = this.#options.reachedBy();
    return connection !== undefined && isRelayed(connection) ? connection : undefined;
  }

  async #call(): Promise<void> {
    this.#timer = undefined;
    this.#isCalling = true;
    this.#answered = await this.#options.turns.run(() => this.#dial());
    this.#isCalling = false;
    this.#answered?.addEventListener('close', () => this.soon(), { once: true });
    this.soon();
  }

  async #dial(): Promise<Connection | undefined> {
    const relayed = this.#relayed();
    if (relayed?.status !== 'open') return undefined;
    this.#failures++;
    try {
      return await this.#options.node.dial(webRtcAddress(relayed), { signal: AbortSignal.timeout(callTimeoutMs), force: true });
    } catch (error) {
      const peer = peerId(relayed.remotePeer.toString());
      if (!this.#closed) this.#options.report({ type: 'dial-failed', peer, error: `WebRTC: ${errorText(error)}` });
      return undefined;
    }
  }
}
