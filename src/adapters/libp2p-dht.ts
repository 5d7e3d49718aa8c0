/**
 * The cluster's own DHT, by which peers find members whose addresses they do not know. Only for peers that can be dialled: a tab asks the members that it is linked to, and the
 * package would be a fifth of its bundle.
 */

import { kadDHT, passthroughMapper } from '@libp2p/kad-dht';

/** `prefix`: of the cluster's protocols, so that no two clusters share a table. */
export type DhtFactory = (prefix: string) => ReturnType<typeof kadDHT>;

export const clusterDht: DhtFactory = (prefix) =>
  kadDHT({
    protocol: `${prefix}/kad/1.0.0`,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    alpha: 3,
  });
