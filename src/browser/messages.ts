/**
 * What the tabs of one browser profile say to each other about a peer that they share. One of them, the runner, runs it; the others, its guests, hand their requests
 * to the runner. All of them hear the common channel; each guest has a channel of its own with the runner.
 */

import type { ConnectionView, MemberView, PeerStatus } from '../api.ts';
import type { Reply, Request } from '../core/coordinator.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { MeshEvent } from '../core/events.ts';
import type { Ring } from '../core/ring.ts';
import type { News } from '../core/watching.ts';

/** What the synchronous views of a guest are made of. */
export interface View {
  readonly members: readonly MemberView[];
  readonly connections: readonly ConnectionView[];
  readonly status: PeerStatus;
  readonly durableMin: number;
}

/** On the common channel. */
export type CommonMessage =
  /** A tab has begun to run the peer; `term` names its time as the runner. */
  | { readonly type: 'runs'; readonly term: string }
  /** A guest looks for the runner. */
  | { readonly type: 'hello'; readonly guest: string };

/** From a guest, on its own channel. */
export type GuestMessage =
  | { readonly type: 'request'; readonly id: number; readonly request: Request }
  | { readonly type: 'abort'; readonly id: number }
  /** Whether the guest wants to hear events. */
  | { readonly type: 'listen'; readonly on: boolean };

/** To a guest, on its own channel. */
export type RunnerMessage =
  | { readonly type: 'welcome'; readonly term: string }
  /** The ring comes along when it is another one than before. */
  | { readonly type: 'view'; readonly view: View; readonly ring: Ring | undefined }
  | { readonly type: 'reply'; readonly id: number; readonly reply: Exclude<Reply, { type: 'failed' }> }
  /** Of a watch. */
  | { readonly type: 'news'; readonly id: number; readonly news: News }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'event'; readonly event: MeshEvent };

export const commonChannel = (name: string): BroadcastChannel => new BroadcastChannel(`ringmesh/${name}`);
export const guestChannel = (name: string, guest: string): BroadcastChannel => new BroadcastChannel(`ringmesh/${name}/${guest}`);
/** Held by a guest for as long as its tab lives. */
export const guestLock = (name: string, guest: string): string => `ringmesh/${name}/guest/${guest}`;
