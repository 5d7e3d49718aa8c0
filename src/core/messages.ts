/**
 * What peers say to each other. A `call` carries an id and expects one `answer` with the same id; a `notice` expects nothing. The codec turns messages
 * into frames; everything that arrives was checked there.
 */

import type { ErrorCode } from './errors.ts';
import type { ByteString, Dot, DurabilityClass, PeerId } from './ids.ts';
import type { Clock, RecordSet, StoredResolver } from './record.ts';
import type { VersionVector } from './versions.ts';
import type { TransferProgress } from './transfer.ts';

export type WriteMode = 'strict' | 'sloppy' | 'any';

/** A put as the client meant it, on its way to the replica that will mint its dot. */
export interface PutCommand {
  readonly bucket: string;
  readonly key: ByteString;
  readonly context: VersionVector;
  readonly tombstone: boolean;
  readonly bytes: Uint8Array;
  readonly contentType: string | undefined;
  readonly priority: number;
  /** From this Unix millisecond on it counts as deleted; undefined: never. */
  readonly expires?: number | undefined;
  /** 16 random bytes: what makes a repeated delivery the same put (VR5). */
  readonly operation: ByteString;
  readonly n: number;
  readonly w: number;
  readonly mode: WriteMode;
  readonly resolver: StoredResolver;
  /** How much longer the client waits. */
  readonly budgetMs: number;
}

export type ReplicaState = 'stored' | 'answered' | 'pending' | 'unreachable' | 'timeout' | 'refused';

/** What became of one replica in a request (QR4). */
export interface Receipt {
  readonly peer: PeerId;
  readonly host: string;
  readonly class: DurabilityClass;
  /** `gaining`: it copies the partition now, and will be a primary. */
  readonly role: 'primary' | 'fallback' | 'gaining';
  readonly state: ReplicaState;
  readonly durable: boolean;
}

export interface PutOutcome {
  readonly outcome: 'ok' | 'partial' | 'unknown';
  readonly context: VersionVector;
  readonly dot: Dot | undefined;
  readonly receipts: readonly Receipt[];
  readonly sloppy: boolean;
}

/** One key of a listing: enough to merge the answers of several replicas, without the values. */
export interface Listed {
  readonly key: ByteString;
  readonly record: RecordSet;
}

/** What a peer watches: one key, or all that begin with it. */
export interface Filter {
  readonly bucket: string;
  readonly key: ByteString;
  readonly exact: boolean;
}

/** A committed record; not `whole`: its values are left out, for they are large. */
export interface Changed {
  readonly bucket: string;
  readonly key: ByteString;
  readonly record: RecordSet;
  readonly whole: boolean;
}

/** From the top: all partitions, groups of them, a partition, its inner nodes. */
export type CompareLevel = 'all' | 'group' | 'partition' | 'inner';

export interface KeyName {
  readonly bucket: string;
  readonly key: ByteString;
}

export interface LeafEntry extends KeyName {
  readonly digest: ByteString;
}

/** How much a peer keeps. */
export interface Holdings {
  /** Keys that have a value, and the bytes of their values. */
  readonly keys: number;
  readonly bytes: number;
  /** Everything was counted. Else it is an estimate from the beginning of the ring, where the hash spreads keys like everywhere. */
  readonly exact: boolean;
  /** Writes that are kept for peers which could not be reached. */
  readonly hints: number;
}

/** What a peer itself keeps of a key. */
export interface OwnCopy {
  readonly record: RecordSet;
  /** The peers for whom the record is kept here (hints). */
  readonly keptFor: readonly PeerId[];
}

export type Call =
  | { readonly type: 'put'; readonly command: PutCommand }
  /**
   * `n`: of the bucket. `owner`: keep it for that primary, which cannot be reached (a hint). `ordered`: the bucket orders values by time, so drift is refused (VR7).
   * `among`: it counts in a strict quorum of the owners that have this name (`Placement.nameOf`): who sees other owners says so (MB5).
   */
  | {
      readonly type: 'store';
      readonly bucket: string;
      readonly key: ByteString;
      readonly n: number;
      readonly record: RecordSet;
      readonly owner: PeerId | undefined;
      readonly ordered: boolean;
      readonly among?: number | undefined;
    }
  /**
   * `n`: of the bucket; 0 when the answer counts in no quorum. With `wholeMaxBytes` the clock alone is enough where the values are larger together (QR7).
   * `among` as for a store.
   */
  | {
      readonly type: 'fetch';
      readonly bucket: string;
      readonly key: ByteString;
      readonly n: number;
      readonly wholeMaxBytes?: number | undefined;
      readonly among?: number | undefined;
    }
  | {
      readonly type: 'list';
      readonly bucket: string;
      readonly prefix: ByteString;
      readonly after: ByteString | undefined;
      readonly limit: number;
    }
  /**
   * Anti-entropy over the partitions that both peers hold for this n: the digests below these nodes of a level, please. Level `all` has one node and names
   * the sender's digest of it: nothing is answered when it is the same.
   */
  | {
      readonly type: 'compare';
      readonly n: number;
      readonly level: CompareLevel;
      readonly nodes: readonly number[];
      readonly digest: ByteString;
    }
  /** The keys in these leaves, with the digests of their records. */
  | { readonly type: 'leaves'; readonly n: number; readonly nodes: readonly number[] }
  /** The records of these keys, or of the first of them when they are large. They count in no quorum. */
  | { readonly type: 'fetchMany'; readonly keys: readonly KeyName[] }
  /** These records hold nothing but tombstones: do you hold the same, or nothing? With `commit`: all do, remove them (TS1). */
  | { readonly type: 'reap'; readonly entries: readonly LeafEntry[]; readonly commit: boolean }
  /** How much do you keep? */
  | { readonly type: 'holdings' }
  /** What do you yourself keep of this key? */
  | { readonly type: 'copy'; readonly bucket: string; readonly key: ByteString }
  /** How far are you with the partitions that you take over by this placement? */
  | { readonly type: 'takeover'; readonly placement: string }
  | { readonly type: 'probe' }
  /** Please probe this peer for me (SWIM's indirect probe). */
  | { readonly type: 'probeFor'; readonly target: PeerId }
  /** Push-pull of the member table: `view` is the sender's digest of it. `parts`: only these parts of it are to be told, which differ. */
  | { readonly type: 'sync'; readonly view: string; readonly parts: readonly number[] }
  /** Tell me of what you commit of these from now on, and of nothing else. */
  | { readonly type: 'watch'; readonly filters: readonly Filter[] }
  /** This was committed here, in this order. */
  | { readonly type: 'changed'; readonly entries: readonly Changed[] };

export type Answer =
  | { readonly type: 'putDone'; readonly result: PutOutcome }
  /** `agrees`: the receiver has the sender's view of the ring, so that it counts in a strict request. */
  | { readonly type: 'stored'; readonly durable: boolean; readonly agrees: boolean }
  | { readonly type: 'fetched'; readonly record: RecordSet }
  /** What a fetch would bring, without the values. */
  | { readonly type: 'clock'; readonly clock: Clock }
  | { readonly type: 'listed'; readonly entries: readonly Listed[]; readonly more: boolean }
  /** The digests below each node asked for, one node's after the other's. */
  | { readonly type: 'digests'; readonly digests: readonly ByteString[] }
  | { readonly type: 'leafKeys'; readonly entries: readonly LeafEntry[] }
  /** In the order of the keys, at least one: each with its record, or why it cannot be read. */
  | { readonly type: 'fetchedMany'; readonly records: readonly (RecordSet | ErrorCode)[] }
  /** One answer for each entry, in their order. */
  | { readonly type: 'reaped'; readonly agreed: readonly boolean[] }
  /** `counts`: the n of the records that the answering peer holds. */
  | { readonly type: 'takenOver'; readonly progress: TakeoverProgress; readonly counts: readonly number[] }
  | { readonly type: 'holdings'; readonly holdings: Holdings }
  | ({ readonly type: 'copied' } & OwnCopy)
  | { readonly type: 'probed'; readonly alive: boolean }
  /** The receiver's table, without the signed records; absent when the digests were equal. */
  | ({ readonly type: 'synced' } & Synced)
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string }
  /** The same session as before: nothing that was committed since was left out. */
  | { readonly type: 'watching'; readonly session: number }
  | { readonly type: 'heard' };

export type Notice =
  /** Signed records and suspicions that the receiver may not know; `wanted` names records that the sender asks for in turn. */
  { readonly type: 'rumors'; readonly rumors: Rumors; readonly wanted: readonly PeerId[] };

export type Message =
  | { readonly kind: 'call'; readonly id: number; readonly ring: string; readonly body: Call }
  | { readonly kind: 'answer'; readonly id: number; readonly body: Answer }
  | { readonly kind: 'notice'; readonly body: Notice };

/** What a peer has still to copy and compare before it owns what it gains. */
export interface TakeoverProgress extends TransferProgress {
  /** It sees the placement that was asked about. */
  readonly agrees: boolean;
  /** And has copied all that it gains by it. */
  readonly ready: boolean;
}

/** A member's way: it copies what it will own, owns it, hands it over, is gone. */
export type MemberStatus = 'joining' | 'up' | 'leaving' | 'left';

/** A peer's own word about itself, signed by it (MB1). */
export interface MemberRecord {
  readonly peer: PeerId;
  /** Rises at each start of the peer and with each refutation of a suspicion. */
  readonly incarnation: number;
  /** Rises with each change within an incarnation. */
  readonly sequence: number;
  readonly status: MemberStatus;
  /** It announced that it stops for now; it keeps its place. */
  readonly paused: boolean;
  /** The incarnation in which it began to join: who was removed must join anew. */
  readonly joined: number;
  /** Whose tokens it has, when it replaced somebody (and that one perhaps somebody else); undefined: its own. */
  readonly seat: PeerId | undefined;
  /** Whose place it takes when it is up. */
  readonly replaces: Removal | undefined;
  /** The n of all buckets that it has seen in use: for these a new owner has to copy records. */
  readonly counts: readonly number[];
  readonly host: string;
  readonly zone: string;
  readonly class: DurabilityClass;
  readonly weight: number;
  readonly addresses: readonly string[];
  readonly gateway: string;
  /** The newest message version it understands (MB6). */
  readonly version: number;
}

export interface SignedMember {
  readonly record: MemberRecord;
  /** The canonical bytes that were signed. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** Someone's failed probes of a peer in one of its incarnations. Only a higher incarnation of the subject takes it back. */
export interface Suspicion {
  readonly peer: PeerId;
  readonly incarnation: number;
  readonly dead: boolean;
}

/** An operator, or the rule for members of its class, says that a member will not come back. It holds for whoever began to join in this incarnation or before. */
export interface Removal {
  readonly peer: PeerId;
  readonly joined: number;
}

export interface Rumors {
  readonly members: readonly SignedMember[];
  readonly suspicions: readonly Suspicion[];
  readonly removals: readonly Removal[];
}

/** What a comparison of tables finds. No summary: both know the same. With digests of all parts of the table it tells of the peer only that asks, which is to say what parts differ. */
export interface Synced {
  readonly summary: readonly MemberSummary[] | undefined;
  readonly parts: readonly number[];
}

export interface MemberSummary {
  readonly peer: PeerId;
  readonly incarnation: number;
  readonly sequence: number;
  readonly health: 'alive' | 'suspect' | 'dead';
  readonly status: MemberStatus;
  readonly joined: number;
  readonly removed: boolean;
}
