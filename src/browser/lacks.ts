/** What this browser lacks and a peer can do without, in words for a person. What it cannot do without is an error of `createPeer`. */

const noWebRtc = 'this browser or worker has no WebRTC: other tabs are reached through Node.js peers only';
const noPersistence = 'the browser has not granted persistent storage: it may delete the data of this page when space is short';

/** The list grows as the browser answers. Asks it to keep the data, which some browsers ask their user in turn. */
export function findLacks({ storesData, known }: { storesData: boolean; known: readonly string[] }): readonly string[] {
  const lacks = [...known];
  if (typeof globalThis.RTCPeerConnection !== 'function') lacks.push(noWebRtc);
  if (!storesData) return lacks;
  const { storage } = navigator as { storage?: StorageManager };
  // A worker cannot ask, only look.
  const granted = storage?.persist?.() ?? storage?.persisted?.() ?? Promise.resolve(false);
  void granted.catch(() => false).then((isKept) => isKept || lacks.push(noPersistence));
  return lacks;
}
