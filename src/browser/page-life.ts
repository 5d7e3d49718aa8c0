/**
 * What becomes of a peer when its page is hidden for good, frozen, or kept in the browser's cache: it says so, since the others would else have to find out by
 * waiting (MB3). A paused peer keeps its place on the ring, and the others keep hints for it.
 */

export interface Pausable {
  pause(): void;
  resume(): void;
  close(): Promise<void>;
}

/** Until `left` is aborted. In a worker nothing of this happens. */
export function liveWithPage(peer: Pausable, left: AbortSignal): void {
  const listen = (target: EventTarget, type: string, listener: (event: Event) => void): void =>
    target.addEventListener(type, listener, { signal: left });
  const isCached = (event: Event): boolean => (event as PageTransitionEvent).persisted;
  listen(globalThis, 'pagehide', (event) => {
    if (isCached(event)) peer.pause();
    else void peer.close();
  });
  listen(globalThis, 'pageshow', (event) => {
    if (isCached(event)) peer.resume();
  });
  if (typeof document === 'undefined') return;
  listen(document, 'freeze', () => peer.pause());
  listen(document, 'resume', () => peer.resume());
}
