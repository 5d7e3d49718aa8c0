/**
 * The one error class of ringmesh. `code` is stable: programs branch on it. `message` tells a person what to do.
 * Bytes from a peer, a disk or a user are never a bug; `assert` is for bugs and is always on.
 */

export type ErrorCode =
  // what the caller sent
  | 'BUCKET_INVALID'
  | 'KEY_INVALID'
  | 'VALUE_TOO_LARGE'
  | 'CONTEXT_INVALID'
  | 'QUORUM_INVALID'
  | 'OPTION_INVALID'
  | 'CURSOR_INVALID'
  | 'WATCH_TOO_LARGE'
  // what the store cannot do now
  | 'UNREACHABLE'
  | 'NOT_OWNER'
  // another view of the ring than the receiver's (MB5)
  | 'RING_DIFFERS'
  | 'REMOVED'
  | 'UNKNOWN'
  | 'TIMEOUT'
  | 'ABORTED'
  | 'OVERLOADED'
  | 'HINTS_FULL'
  | 'CLOSED'
  // limits of a record (VR6) and of clocks (VR7)
  | 'TOO_MANY_SIBLINGS'
  | 'CONTEXT_TOO_LARGE'
  | 'COUNTER_EXHAUSTED'
  | 'CLOCK_DRIFT'
  // damage
  | 'FRAME_INVALID'
  | 'RECORD_CORRUPT'
  | 'STORAGE_FAILED'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_INVALID'
  | 'STORAGE_LOCKED'
  | 'STORAGE_FULL'
  | 'INTERNAL';

export class MeshError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MeshError';
    this.code = code;
  }
}

/** Stops at a bug of ours. Never used on input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new MeshError('INTERNAL', `bug: ${message}`);
}
