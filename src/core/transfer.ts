/** How far copying has come: what a peer that gains partitions tells of it. */

export interface TransferProgress {
  /** Each as often as there are numbers of replicas in use. */
  readonly partitions: number;
  readonly partitionsDone: number;
  /** Records copied so far, and the bytes of their values. */
  readonly keys: number;
  readonly bytes: number;
  /** A member that must be compared with and cannot be reached; empty when there is none. */
  readonly waitsFor: string;
}

/** Until all is copied, if it goes on as it has until now: partitions are alike in size. Undefined while nothing can be said. */
export function secondsLeft({ partitions, partitionsDone }: TransferProgress, elapsedMs: number): number | undefined {
  if (partitionsDone === 0) return undefined;
  return Math.ceil((elapsedMs / 1000 / partitionsDone) * (partitions - partitionsDone));
}
