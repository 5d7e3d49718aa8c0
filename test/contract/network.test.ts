/** The network suite against the memory network and libp2p over TCP and WebSocket, and what only libp2p can do wrong. */

import '../../src/adapters/polyfill.ts';
import { createIdentity } from '../../src/adapters/identity.ts';
import type { KeyIdentity } from '../../src/adapters/identity.ts';
import { clusterDht } from '../../src/adapters/libp2p-dht.ts';
import { createLibp2pNetwork } from '../../src/adapters/libp2p.ts';
import { nodeTransports } from '../../src/adapters/libp2p-node.ts';
import { createMemoryHub } from '../../src/adapters/memory-network.ts';
import { SeededRandom } from '../../src/core/random.ts';
import type { NetworkWorld } from './network-suite.ts';
import { networkSuite } from './network-suite.ts';

const identity = (seed: number): KeyIdentity => createIdentity(new SeededRandom(seed).bytes(32));

function memoryWorld(): NetworkWorld {
  const hub = createMemoryHub();
  return {
    network: ({ seed, bootstrap = [] }) => hub.network({ self: identity(seed).peerId, bootstrap }),
    peerId: (seed) => identity(seed).peerId,
  };
}

function libp2pWorld(listen: string): NetworkWorld {
  return {
    network: ({ seed, bootstrap = [] }) =>
      createLibp2pNetwork({
        cluster: 'contract',
        privateKey: identity(seed).privateKey,
        transports: nodeTransports(),
        listen: [listen],
        bootstrap,
        dht: clusterDht,
      }),
    peerId: (seed) => identity(seed).peerId,
  };
}

networkSuite({ name: 'memory network', world: memoryWorld });
networkSuite({ name: 'libp2p over TCP', world: () => libp2pWorld('/ip4/127.0.0.1/tcp/0') });
networkSuite({ name: 'libp2p over WebSocket', world: () => libp2pWorld('/ip4/127.0.0.1/tcp/0/ws') });
