/** Who a peer is and how its word is checked. The key itself stays outside of the core. */

import type { PeerId } from './ids.ts';

/** Signs this peer's member records and checks those of others (MB1). Synchronous, so that the core stays synchronous. */
export interface Identity {
  readonly peerId: PeerId;
  sign(bytes: Uint8Array): Uint8Array;
  /** False for any wrong input; never throws. */
  verify(peer: PeerId, bytes: Uint8Array, signature: Uint8Array): boolean;
}
