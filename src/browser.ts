/**
 * The entry `ringmesh/browser`: a ready-made peer for a page or a worker, with IndexedDB. It dials Node.js peers by WebSocket; other tabs
 * it finds through those, and talks to them by WebRTC, or through a Node.js peer where that is not possible.
 *
 * The tabs of a browser profile share one named peer: a Web Lock elects the tab that runs it. All peers of a profile and origin are one host (RG3).
 */

import { checkBrowserStorage, profileEntry } from './adapters/browser-profile.ts';
import { systemClock, systemRandom } from './adapters/clock.ts';
import { openIdbStorage } from './adapters/idb.ts';
import { createIdentity, type KeyIdentity, loadIdentity, saveIdentity } from './adapters/identity.ts';
import { tabTransports } from './adapters/libp2p-browser.ts';
import { createLibp2pNetwork } from './adapters/libp2p.ts';
import { openMemoryStorage } from './adapters/memory.ts';
import type { MeshPeer } from './api.ts';
import { MeshError } from './core/errors.ts';
import { metaKey } from './core/layout.ts';
import { clusterName } from './core/member-table.ts';
import { findLacks } from './browser/lacks.ts';
import { liveWithPage } from './browser/page-life.ts';
import type { Running } from './browser/runner.ts';
import { openSharedPeer } from './browser/shared-peer.ts';
import { Mesh, replicaCounts } from './mesh.ts';
import {
  checkPeerOptions,
  commonOptions,
  describeSelf,
  hintLimits,
  meshOptions,
  type PeerOptions,
  probeTimes,
  removeAfter,
} from './peer-options.ts';
import type { Storage } from './ports.ts';
import { Runtime } from './runtime.ts';

export * from './api.ts';
export { version } from './version.ts';

export interface BrowserPeerOptions extends PeerOptions {
  /** Which peer of this browser profile: its identity and its data are kept under this name. 1 to 64 of A-Z a-z 0-9 . _ - Default `default`. */
  readonly name?: string;
  /** Keep nothing: a new peer each time, with all of its data in memory. Default false. */
  readonly memory?: boolean;
  /** Default: a random label that is kept in the profile, so that all of its peers count as one host. */
  readonly host?: string;
  /** STUN and TURN servers that help tabs of different networks to find each other by WebRTC. Default: none, no stranger is asked. */
  readonly iceServers?: readonly RTCIceServer[];
  /** Default `tab`, or `ephemeral` with `memory`. */
  readonly class?: 'tab' | 'ephemeral';
}

const defaultWeight = 32;
/** With how many other tabs to keep in touch: what concerns the others goes through Node.js peers. */
const tabLinksMax = 8;
const zone = 'browser';

/** What a peer lives on. */
interface Home {
  readonly storage: Storage;
  readonly identity: KeyIdentity;
  /** Aborted when the browser has deleted the store. */
  readonly lost?: AbortSignal;
  /** It had deleted it before. */
  readonly hasLost?: boolean;
}

const lostText = 'the browser deleted what this peer had stored; it gets back from the others what they have of it';

/**
 * Starts a peer, or joins the tab of this profile that runs it: resolves when it serves requests. `ready()` of the peer tells when it has found the others.
 *
 * All tabs of a profile that ask for the same cluster and name share one peer. One of them runs it, with the options that it gave; when it closes, the next one takes
 * over. Rejects with `STORAGE_FAILED` where the browser keeps nothing (private mode).
 */
export async function createPeer(options: BrowserPeerOptions = {}): Promise<MeshPeer> {
  checkPeerOptions(options);
  const { buckets } = meshOptions(options);
  if (options.memory === true) return (await run(options, { identity: createIdentity(), storage: openMemoryStorage() })).mesh;
  checkBrowserStorage();
  const name = `${commonOptions(options).cluster}/${peerName(options)}`;
  let identity: KeyIdentity | undefined;
  return openSharedPeer({
    name,
    buckets,
    counts: replicaCounts(buckets),
    run: async (witnessed) => {
      const home = await homeInProfile(name, identity);
      identity = home.identity;
      return run(options, home, witnessed);
    },
  });
}

async function run(options: BrowserPeerOptions, { storage, identity, lost, hasLost = false }: Home, witnessed?: number): Promise<Running> {
  const { cluster, bootstrap, partitions, durableMin } = commonOptions(options);
  try {
    const left = closing(storage);
    const host = options.host ?? (await profileHost());
    const defaults = { host, zone, weight: defaultWeight, class: storage.durable ? 'tab' : 'ephemeral' } as const;
    const runtime = new Runtime({
      clock: systemClock,
      storage,
      network: createLibp2pNetwork({
        cluster: clusterName({ cluster, partitions, durableMin }),
        privateKey: identity.privateKey,
        bootstrap,
        onEvent: (event) => {
          if (event.type === 'dial-failed') runtime.notReached(event.address ?? event.peer ?? '', event.error);
        },
        relayedLinksMax: tabLinksMax,
        ...tabTransports(options.iceServers ?? []),
      }),
      peer: {
        cluster,
        partitions,
        founder: bootstrap.length === 0,
        removeAfterMs: removeAfter(options),
        durableMin,
        identity,
        self: describeSelf(options, defaults),
        times: probeTimes(options),
        hints: hintLimits(options),
        random: systemRandom,
        ...(witnessed === undefined ? {} : { witnessed }),
      },
    });
    await runtime.start();
    liveWithPage(runtime, left);
    // Whoever runs it next, this tab or another one, begins with an empty store.
    lost?.addEventListener('abort', () => void runtime.close(new MeshError('STORAGE_FAILED', lostText)), { once: true });
    const warnings = findLacks({ storesData: storage.durable, known: hasLost ? [lostText] : [] });
    const mesh = new Mesh(runtime, { ...meshOptions(options), warnings });
    return { mesh, runtime, left };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function peerName({ name = 'default' }: BrowserPeerOptions): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(name)) return name;
  throw new MeshError('OPTION_INVALID', 'the name of a peer has 1 to 64 characters, of letters, digits, dot, underscore and hyphen');
}

/** `before`: who this tab was when it ran the peer before, which the browser may have deleted together with the store. */
async function homeInProfile(name: string, before: KeyIdentity | undefined): Promise<Home> {
  const identity = loadIdentity(await profileEntry(`identity/${name}`, () => saveIdentity(before ?? createIdentity())));
  const lost = new AbortController();
  const storage = await openIdbStorage(`ringmesh/${name}`, () => lost.abort());
  // The canary: the profile keeps apart from the store that there was one.
  let wasThere = true;
  await profileEntry(`store/${name}`, () => {
    wasThere = before !== undefined;
    return true;
  });
  const [storeRow] = await storage.getMany([metaKey('store')]);
  return { identity, storage, lost: lost.signal, hasLost: wasThere && storeRow === undefined };
}

/** Aborted when the storage has been closed. */
function closing(storage: Storage): AbortSignal {
  const left = new AbortController();
  const close = storage.close.bind(storage);
  storage.close = () => close().finally(() => left.abort());
  return left.signal;
}

/** A profile that keeps nothing cannot tell its tabs apart from those of others: then each counts by itself. */
function profileHost(): Promise<string> {
  const make = (): string => `browser-${crypto.randomUUID()}`;
  return profileEntry('host', make).catch(make);
}
