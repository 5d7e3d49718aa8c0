/** What a run or its history did wrong: which check says so, where, and the sentence that a person needs to begin with. */

export type CheckName =
  | 'dots'
  | 'phantoms'
  | 'lost'
  | 'resurrection'
  | 'concurrency'
  | 'staleness'
  | 'convergence'
  | 'values'
  | 'trees'
  | 'strays'
  | 'watch'
  | 'liveness'
  | 'exception';

export interface Violation {
  readonly check: CheckName;
  /** Empty when it concerns no single key. */
  readonly key: string;
  readonly message: string;
}
