/**
 * The coordinator: takes the requests of clients, starts the machine that serves each one, and ends it with one reply, by its answer, its deadline or an abort
 * (QR9). Requests beyond the limit are refused at once, so that a flood cannot fill the memory (SE3).
 */

import type { AntiEntropy } from './anti-entropy.ts';
import { toByteString } from './bytes.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { CoreEvent } from './events.ts';
import { type GetCommand, type GetOutcome, GetRun } from './get-run.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import { KeysRun, type KeysCommand, type KeysOutcome } from './keys-run.ts';
import { type LeaveParts, LeaveRun } from './leave-run.ts';
import { limits } from './limits.ts';
import type { Looks } from './looks.ts';
import { combine } from './merkle.ts';
import type { Holdings, OwnCopy, PutCommand, PutOutcome } from './messages.ts';
import { PutForward } from './put-forward.ts';
import { liveSiblings, recordSize } from './record.ts';
import { type RepairCommand, type RepairOutcome, RepairRun } from './repair-run.ts';
import { type ScrubOutcome, ScrubRun } from './scrub-run.ts';
import { Waiting } from './waiting.ts';
import type { WatchCommand } from './watching.ts';

export type Request =
  | { readonly type: 'get'; readonly command: GetCommand }
  /** The operation id is drawn here. */
  | { readonly type: 'put'; readonly command: Omit<PutCommand, 'operation'> }
  | { readonly type: 'keys'; readonly command: KeysCommand }
  /** One peer's own copy, whatever the others hold. Default: this peer's. */
  | { readonly type: 'local'; readonly bucket: string; readonly key: ByteString; readonly peer?: PeerId | undefined }
  /** How much one peer keeps. Default: this one. */
  | { readonly type: 'holdings'; readonly peer?: PeerId | undefined }
  /** This peer's own tree of a partition. */
  | { readonly type: 'partition'; readonly partition: number }
  /** Compares with all members that share partitions. */
  | { readonly type: 'repair'; readonly command: RepairCommand }
  /** How many records lie in these partitions here, and how large their values are. */
  | { readonly type: 'sizes'; readonly partitions: readonly number[] }
  /** Gives up this peer's place once others have copied what it owns. */
  | { readonly type: 'leave' }
  /** Takes the place of a member that will not come back from it. */
  | { readonly type: 'remove'; readonly peer: PeerId }
  /** Verifies this peer's own storage; `counts` is for the repair of what is damaged. */
  | { readonly type: 'scrub'; readonly counts: readonly number[] }
  /** Is told news until it is aborted. */
  | { readonly type: 'watch'; readonly command: WatchCommand };

/** What ends with a reply by itself. */
type BoundedRequest = Exclude<Request, { type: 'watch' }>;

export type Reply =
  | { readonly type: 'get'; readonly outcome: GetOutcome }
  | { readonly type: 'put'; readonly outcome: PutOutcome }
  | { readonly type: 'keys'; readonly outcome: KeysOutcome }
  | { readonly type: 'local'; readonly copy: OwnCopy }
  | { readonly type: 'holdings'; readonly holdings: Holdings }
  | { readonly type: 'partition'; readonly root: ByteString; readonly keys: number }
  | { readonly type: 'repair'; readonly outcome: RepairOutcome }
  | { readonly type: 'scrub'; readonly outcome: ScrubOutcome }
  | { readonly type: 'sizes'; readonly keys: number; readonly bytes: number }
  | { readonly type: 'left' }
  | { readonly type: 'removed' }
  | { readonly type: 'failed'; readonly error: MeshError };

type ClientRequest = Extract<Request, { type: 'get' | 'put' | 'keys' }>;
type RequestEvent = Extract<CoreEvent, { type: 'request' }>;

interface Active {
  readonly request: BoundedRequest;
  readonly startedAt: number;
  readonly abort: () => void;
}

export class Coordinator {
  readonly #env: Environment;
  readonly #antiEntropy: AntiEntropy;
  readonly #looks: Looks;
  readonly #leaving: LeaveParts;
  #leaveRun: LeaveRun | undefined;
  readonly #leaveDone: ((now: Instant, error: MeshError | undefined) => void)[] = [];
  readonly #output: (id: number, reply: Reply) => void;
  readonly #active = new Waiting<number, Active>();

  constructor(parts: LeaveParts & { readonly looks: Looks }, output: (id: number, reply: Reply) => void) {
    this.#leaving = parts;
    this.#env = parts.env;
    this.#antiEntropy = parts.antiEntropy;
    this.#looks = parts.looks;
    this.#output = output;
  }

  get pending(): number {
    return this.#active.size;
  }

  request(now: Instant, id: number, request: BoundedRequest): void {
    if (this.#active.size >= limits.pendingRequestsMax) {
      const error = new MeshError('OVERLOADED', `${limits.pendingRequestsMax} requests are under way at this peer: try again later`);
      return this.#output(id, { type: 'failed', error });
    }
    const begin = (abort: () => void): void => this.#active.set(id, { request, startedAt: now.mono, abort });
    switch (request.type) {
      case 'get': {
        const run = new GetRun(this.#env, request.command, (then, outcome) => {
          this.#end(then, id, outcome instanceof MeshError ? failure(outcome) : { type: 'get', outcome });
        });
        begin(() => run.abort());
        return run.start(now);
      }
      case 'put': {
        const command = named(request.command, toByteString(this.#env.random.bytes(16)));
        const run = new PutForward(this.#env, now, command, (then, outcome, forwarded) => {
          this.#end(then, id, outcome instanceof MeshError ? failure(outcome) : { type: 'put', outcome }, forwarded);
        });
        // A put that has left cannot be called back; its answer is dropped.
        begin(() => {});
        return run.start(now);
      }
      case 'keys': {
        const run = new KeysRun(this.#env, request.command, (then, outcome) => {
          this.#end(then, id, outcome instanceof MeshError ? failure(outcome) : { type: 'keys', outcome });
        });
        begin(() => run.abort());
        return run.start(now);
      }
      case 'local':
        begin(() => {});
        return this.#looks.askCopy(now, request.peer, request.bucket, request.key, (then, copy) => {
          this.#end(then, id, copy instanceof MeshError ? failure(copy) : { type: 'local', copy });
        });
      case 'holdings':
        begin(() => {});
        return this.#looks.askHoldings(now, request.peer, (then, holdings) => {
          this.#end(then, id, holdings instanceof MeshError ? failure(holdings) : { type: 'holdings', holdings });
        });
      case 'partition':
        begin(() => {});
        return this.#lookAtPartition(now, id, request.partition);
      case 'sizes':
        begin(() => {});
        return this.#measure(id, request.partitions, { keys: 0, bytes: 0 });
      case 'remove': {
        begin(() => {});
        const error = this.#leaving.members.remove(now, request.peer);
        return this.#end(now, id, error === undefined ? { type: 'removed' } : failure(error));
      }
      case 'leave':
        // Once begun it goes on, whether anyone waits for its end or not.
        begin(() => {});
        return this.#leave(now, (then, error) => this.#end(then, id, error === undefined ? { type: 'left' } : failure(error)));
      case 'repair':
      case 'scrub': {
        if ([...this.#active.values()].some((active) => isUpkeep(active.request))) {
          const error = new MeshError('OVERLOADED', 'a repair or scrub is under way at this peer already: wait for its end');
          return this.#output(id, failure(error));
        }
        const run = this.#upkeep(id, request);
        begin(() => run.abort());
        return run.start(now);
      }
    }
  }

  #measure(id: number, partitions: readonly number[], sum: { keys: number; bytes: number }, after?: ByteString): void {
    const [partition, ...rest] = partitions;
    if (partition === undefined) return this.#env.timers.soon((now) => this.#end(now, id, { type: 'sizes', ...sum }));
    this.#env.replica.records.page(partition, after, (now, page) => {
      if (page instanceof MeshError) return this.#end(now, id, failure(page));
      for (const [, held] of page.entries) {
        sum.keys++;
        if (!(held instanceof MeshError)) sum.bytes += recordSize(held.record);
      }
      this.#measure(id, page.last === undefined ? rest : partitions, sum, page.last);
    });
  }

  /** A peer that was stopped while it left, or has been told that it did, goes on with that. */
  goOn(now: Instant): void {
    if (this.#leaving.members.record.status === 'leaving' && this.#leaveRun === undefined) this.#leave(now, () => {});
  }

  /** There is one leaving, however many ask for it. */
  #leave(now: Instant, done: (now: Instant, error: MeshError | undefined) => void): void {
    this.#leaveDone.push(done);
    if (this.#leaveRun !== undefined) return;
    this.#leaveRun = new LeaveRun(this.#leaving, (then, error) => {
      this.#leaveRun = undefined;
      for (const each of this.#leaveDone.splice(0)) each(then, error);
    });
    this.#leaveRun.start(now);
  }

  #upkeep(id: number, request: Extract<Request, { type: 'repair' | 'scrub' }>): RepairRun | ScrubRun {
    if (request.type === 'repair') {
      return new RepairRun(this.#env, this.#antiEntropy, request.command, (now, outcome) =>
        this.#end(now, id, { type: 'repair', outcome }),
      );
    }
    return new ScrubRun(this.#env, this.#antiEntropy, request.counts, (now, outcome) => {
      this.#end(now, id, outcome instanceof MeshError ? failure(outcome) : { type: 'scrub', outcome });
    });
  }

  /** The roots of the trees for which this peer is a primary, combined when there are several n. */
  #lookAtPartition(now: Instant, id: number, partition: number): void {
    const { replica, members } = this.#env;
    const { trees } = replica.records;
    const isPrimary = (n: number): boolean => members.placement.primaries(partition, n).includes(members.self);
    const roots: ByteString[] = [];
    const next = (then: Instant, counts: readonly number[]): void => {
      const [n, ...rest] = counts;
      if (n === undefined) return this.#countPartition(id, partition, combine(roots));
      trees.tree(then, partition, n, (later, tree) => {
        if (tree instanceof MeshError) return this.#end(later, id, failure(tree));
        roots.push(tree.root);
        next(later, rest);
      });
    };
    next(now, trees.replicaCounts.filter(isPrimary));
  }

  #countPartition(id: number, partition: number, root: ByteString): void {
    this.#env.replica.records.count(partition, (now, keys) => {
      this.#end(now, id, keys instanceof MeshError ? failure(keys) : { type: 'partition', root, keys });
    });
  }

  abort(now: Instant, id: number): void {
    this.#active.get(id)?.abort();
    this.#end(now, id, failure(new MeshError('ABORTED', 'the request was aborted; a put may still take effect')));
  }

  #end(now: Instant, id: number, reply: Reply, forwarded = false): void {
    const active = this.#active.take(id);
    if (active === undefined) return;
    this.#output(id, reply);
    const { request, startedAt } = active;
    if (!this.#env.watched() || !isClientRequest(request)) return;
    this.#env.emit({ ...describe(now, request, reply), ms: now.mono - startedAt, forwarded });
  }
}

/** Field by field, as in `readCommand`. */
const named = (put: Omit<PutCommand, 'operation'>, operation: ByteString): PutCommand => ({
  bucket: put.bucket,
  key: put.key,
  context: put.context,
  tombstone: put.tombstone,
  bytes: put.bytes,
  contentType: put.contentType,
  priority: put.priority,
  expires: put.expires,
  operation,
  n: put.n,
  w: put.w,
  mode: put.mode,
  resolver: put.resolver,
  budgetMs: put.budgetMs,
});

const isClientRequest = (request: Request): request is ClientRequest => ['get', 'put', 'keys'].includes(request.type);

/** One at a time: they are long, and their progress is told by events. */
const isUpkeep = (request: Request): boolean => request.type === 'repair' || request.type === 'scrub';

const failure = (error: MeshError): Reply => ({ type: 'failed', error });

function describe(now: Instant, request: ClientRequest, reply: Reply): Omit<RequestEvent, 'ms' | 'forwarded'> {
  const op = request.type === 'put' && request.command.tombstone ? 'delete' : request.type;
  const base = { type: 'request', op, bucket: request.command.bucket, code: undefined, siblings: 0 } as const;
  switch (reply.type) {
    case 'failed':
      return { ...base, outcome: reply.error.code === 'ABORTED' ? 'aborted' : 'failed', code: reply.error.code };
    case 'get': {
      const siblings = liveSiblings(reply.outcome.record, now.wall).length;
      return { ...base, outcome: siblings === 0 ? 'absent' : 'ok', siblings };
    }
    case 'put':
      return { ...base, outcome: reply.outcome.outcome };
    default:
      return { ...base, outcome: 'ok' };
  }
}
