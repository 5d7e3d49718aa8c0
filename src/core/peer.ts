/**
 * One peer: the machines of a ringmesh peer behind one door.
 *
 * Everything that happens to a peer comes in through a method with the instant at which it happens; everything that it wants done comes out of `drain`, in
 * order. The peer never waits, calls nobody, and draws time and chance only from what it is given: the same inputs give the same outputs, in Node, in a
 * tab and in the simulator.
 */

import { fromByteString, textToBytes, toByteString, hex } from './bytes.ts';
import { AntiEntropy } from './anti-entropy.ts';
import { Calls } from './calls.ts';
import { Clearing, emptyStore } from './clearing.ts';
import { Coordinator, type Request, type Reply } from './coordinator.ts';
import { Disk, type DiskAnswer, type DiskRequest } from './disk.ts';
import type { Environment } from './environment.ts';
import { MeshError } from './errors.ts';
import type { CoreEvent } from './events.ts';
import { Hedging } from './hedging.ts';
import type { HintLimits } from './hint-index.ts';
import { Hints } from './hints.ts';
import type { Identity } from './identity.ts';
import type { ByteString, Instant, PeerId } from './ids.ts';
import { memberKey, metaKey, removalKey } from './layout.ts';
import { readSigned } from './member-codec.ts';
import { clusterName } from './member-table.ts';
import { Looks } from './looks.ts';
import { Membership } from './membership.ts';
import type { RemoveAfter } from './late-removals.ts';
import type { SelfDescription } from './own-record.ts';
import type { Answer, Message, Rumors } from './messages.ts';
import type { Placements } from './placement.ts';
import type { ProbeTimes } from './prober.ts';
import type { Random } from './random.ts';
import { defaultReaperTimes, Reaper, type ReaperTimes } from './reaper.ts';
import { Replica } from './replica.ts';
import { partitionOf } from './ring.ts';
import { Serving } from './serving.ts';
import { Takeover } from './takeover.ts';
import { Timers } from './timers.ts';
import { Watches } from './watches.ts';
import type { News } from './watching.ts';

export interface PeerOptions {
  readonly cluster: string;
  readonly partitions: number;
  /** Primaries of class `server` that each key has, where the members allow it (RG5). */
  readonly durableMin: number;
  readonly identity: Identity;
  readonly self: SelfDescription;
  /** An incarnation at which the last run of this very store was seen, by the tab that takes it over. */
  readonly witnessed?: number;
  /** Where the ids of calls begin: drawn for each run, so that an answer which was meant for an earlier run is not taken for one to a call of this one. */
  readonly firstCallId?: number;
  readonly times: ProbeTimes;
  /** Shared by the peers of one process, if there are several. */
  readonly placements?: Placements | undefined;
  readonly random: Random;
  /** There is nobody to join: the first member of a cluster. Default: it joins others. */
  readonly founder?: boolean;
  /** The dead member whose place this peer is to take when it joins: its id, or an end of it that no other member has. */
  readonly replaces?: string | undefined;
  /** For how long a member of a class may be dead before it is removed. */
  readonly removeAfterMs?: RemoveAfter | undefined;
  /** When tombstones go (TS1). */
  readonly reaping?: ReaperTimes;
  /** How much is kept for peers that cannot be reached (HH3). */
  readonly hints?: HintLimits | undefined;
  /** What the storage says of itself. */
  readonly durable: boolean;
  /** The storage may have lost what it had acknowledged. */
  readonly mayHaveForgotten?: boolean;
}

export type Output =
  | { readonly type: 'send'; readonly to: PeerId; readonly message: Message }
  | { readonly type: 'gossip'; readonly rumors: Rumors }
  | { readonly type: 'disk'; readonly request: DiskRequest }
  | { readonly type: 'connect'; readonly peer: PeerId; readonly addresses: readonly string[] }
  | { readonly type: 'reply'; readonly id: number; readonly reply: Reply }
  /** For the watch with this id. */
  | { readonly type: 'news'; readonly id: number; readonly news: News }
  /** This peer was removed from the cluster, and may not go on. */
  | { readonly type: 'evicted' }
  /** Storage has been read: requests are served from now on. Or it could not be: the peer is of no use. */
  | { readonly type: 'started'; readonly error: MeshError | undefined }
  | { readonly type: 'event'; readonly event: CoreEvent };

const nothingToDo: readonly Output[] = [];
const hintRoundMs = 2000;
const stillStarting: Answer = { type: 'refused', code: 'NOT_OWNER', message: 'this peer is still starting' };

export class Peer {
  readonly calls: Calls;
  readonly membership: Membership;
  readonly replica: Replica;
  readonly hints: Hints;
  readonly coordinator: Coordinator;
  readonly #options: PeerOptions;
  readonly #timers = new Timers();
  readonly #disk: Disk;
  readonly #env: Environment;
  readonly #antiEntropy: AntiEntropy;
  readonly #takeover: Takeover;
  readonly #reaper: Reaper;
  readonly #clearing: Clearing;
  readonly #watches: Watches;
  readonly #serving: Serving;
  /** Whether anyone wants the events. */
  watched = true;
  #outbox: Output[] = [];
  #started = false;
  #storageFailedAt = -Infinity;

  constructor(options: PeerOptions) {
    this.#options = options;
    const { identity, random } = options;
    const timers = this.#timers;
    const emit = (event: CoreEvent): void => {
      if (this.watched) this.#outbox.push({ type: 'event', event });
    };
    this.#disk = new Disk((request) => void this.#outbox.push({ type: 'disk', request }));
    this.calls = new Calls({
      self: identity.peerId,
      timers,
      firstId: options.firstCallId ?? 1,
      send: (to, message) => this.#send(to, message),
      serveSelf: (now, body, answer) => this.#serving.serve(now, identity.peerId, body, answer),
    });
    this.replica = new Replica({
      disk: this.#disk,
      durable: options.durable,
      partitions: options.partitions,
      random,
      emit,
      hints: options.hints,
      minted: (now) => this.membership.renewal.minted(now),
      doubted: (now, address, n) => this.#takeover.doubt(now, partitionOf(options, address.position), n),
    });
    this.membership = new Membership({
      ...options,
      founder: options.founder ?? false,
      forgot: () => this.#takeover.forgot(),
      evicted: (joined) => this.#evicted(joined),
      timers,
      calls: this.calls,
      disk: this.#disk,
      emit,
      gossip: (rumors) => void this.#outbox.push({ type: 'gossip', rumors }),
      notify: (to, body) => this.#send(to, { kind: 'notice', body }),
      recognised: (standing) => this.replica.recognised(standing),
      connect: (peer, addresses) => void this.#outbox.push({ type: 'connect', peer, addresses }),
    });
    const hedging = new Hedging(this.calls);
    let runs = 0;
    this.#env = {
      calls: this.calls,
      timers,
      hedging,
      replica: this.replica,
      members: this.membership,
      random,
      emit,
      nextRun: () => ++runs,
      watched: () => this.watched,
      confirmed: () => !this.#takeover.isUnconfirmed,
    };
    this.#antiEntropy = new AntiEntropy(this.#env);
    this.#takeover = new Takeover(this.#env, this.membership, this.#disk, this.#antiEntropy);
    this.#reaper = new Reaper(this.#env, this.#disk, options.reaping ?? defaultReaperTimes, () => this.membership.everyone());
    this.hints = new Hints(this.#env, this.#disk);
    const looks = new Looks(this.#env);
    const parts = { env: this.#env, members: this.membership, antiEntropy: this.#antiEntropy, hints: this.hints, looks };
    const reply = (id: number, it: Reply): void => void this.#outbox.push({ type: 'reply', id, reply: it });
    this.coordinator = new Coordinator(parts, reply);
    this.#clearing = new Clearing(this.#env, this.membership, this.#disk, this.#antiEntropy);
    this.#watches = new Watches(
      this.#env,
      (id, news) => void this.#outbox.push({ type: 'news', id, news }),
      (id, error) => reply(id, { type: 'failed', error }),
    );
    this.#serving = new Serving({ env: this.#env, membership: this.membership, takeover: this.#takeover, looks, watches: this.#watches });
  }

  get started(): boolean {
    return this.#started;
  }

  /** What it copies now; undefined when there is nothing to copy. */
  get transfer(): Takeover['transfer'] {
    return this.#takeover.transfer;
  }

  /** When the storage last failed, in monotonic milliseconds. */
  get storageFailedAt(): number {
    return this.#storageFailedAt;
  }

  /** Takes what there is to do. The caller carries it out in order and reports what came of it. */
  drain(): readonly Output[] {
    const outputs = this.#outbox;
    if (outputs.length === 0) return nothingToDo;
    this.#outbox = [];
    return outputs;
  }

  /** When `tick` is wanted at the latest, in monotonic milliseconds. */
  get wakeAt(): number | undefined {
    return this.#timers.next();
  }

  /** Reads what the storage knows. Ends in the output `started`. */
  start(now: Instant, addresses: readonly string[]): void {
    const { random } = this.#options;
    const ownName = textToBytes(clusterName(this.#options));
    const { peerId } = this.#options.identity;
    this.#disk.read([metaKey('cluster'), metaKey('store'), metaKey('floor'), memberKey(peerId), removalKey(peerId)], (_now, rows) => {
      if (rows instanceof MeshError) return this.#startDone(rows);
      const [clusterRow, storeRow, floorRow, memberRow, removalRow] = rows.map((row) =>
        row === undefined ? undefined : toByteString(row),
      );
      if (clusterRow !== undefined && clusterRow !== ownName) {
        const message = `the data folder belongs to cluster ${clusterRow}, not ${ownName} (name/partitions, and durableMin where it is not 2): use another folder or that cluster`;
        return this.#startDone(new MeshError('OPTION_INVALID', message));
      }
      const [storeId = '', epoch = '0'] = storeRow?.split('.') ?? [hex(random.bytes(16))];
      this.replica.start(storeId, Number(epoch), this.#options.mayHaveForgotten === true, floorRow);
      const change = { key: metaKey('cluster'), value: Uint8Array.from(ownName, (letter) => letter.charCodeAt(0)) };
      this.#disk.write([change, this.replica.storeChange()], (_, written) => {
        if (written instanceof MeshError) return this.#startDone(written);
        this.#startMachines(addresses, hasLost(memberRow, removalRow));
      });
    });
    this.#turn(now);
  }

  /** `isEmptied`: it has lost its place in the cluster since, and what it stores may have been deleted. */
  #startMachines(addresses: readonly string[], isEmptied: boolean): void {
    this.replica.records.trees.start((now, treesError) => {
      if (treesError instanceof MeshError) return this.#startDone(treesError);
      this.#startHints(now, addresses, isEmptied);
    });
  }

  #startHints(now: Instant, addresses: readonly string[], isEmptied: boolean): void {
    this.hints.start(now, (then, hintsError) => {
      if (hintsError !== undefined) return this.#startDone(hintsError);
      if (!isEmptied) return this.#startMembers(addresses);
      emptyStore(this.#env, this.#options.partitions, then, (_, error) => {
        if (error !== undefined) return this.#startDone(error);
        this.#startMembers(addresses);
      });
    });
  }

  #startMembers(addresses: readonly string[]): void {
    this.replica.awaitRecognition();
    this.membership.start(addresses, (_members, membersError) => {
      if (membersError !== undefined) return this.#startDone(membersError);
      this.#takeover.start((now, error) => {
        this.#startDone(error);
        if (error !== undefined) return;
        this.#deliverHints(now);
        this.#antiEntropy.start(now);
        this.#reaper.start(now);
        this.#clearing.start(now);
      });
    });
  }

  #startDone(error: MeshError | undefined): void {
    this.#started = error === undefined;
    this.#outbox.push({ type: 'started', error });
  }

  #deliverHints(now: Instant): void {
    this.hints.deliver(now);
    this.#timers.at(now.mono + hintRoundMs, (then) => this.#deliverHints(then));
  }

  request(now: Instant, id: number, request: Request): void {
    if (request.type === 'watch') this.#watches.begin(now, id, request.command);
    else this.coordinator.request(now, id, request);
    this.#turn(now);
  }

  abort(now: Instant, id: number): void {
    this.coordinator.abort(now, id);
    this.#watches.end(now, id, new MeshError('ABORTED', 'the watch was ended'));
    this.#turn(now);
  }

  receive(now: Instant, from: PeerId, message: Message): void {
    if (!this.#started) {
      // Silence would cost the caller its deadline.
      if (message.kind === 'call') this.#send(from, { kind: 'answer', id: message.id, body: stillStarting });
      return;
    }
    this.calls.heard(now, from);
    if (message.kind === 'answer') this.calls.answered(now, from, message.id, message.body);
    else if (message.kind === 'notice') this.membership.noticed(now, from, message.body);
    else {
      if (message.ring !== '' && message.ring !== this.membership.placement.digest) this.membership.compareWith(now, from);
      const { id } = message;
      this.#serving.serve(now, from, message.body, (_, body) => {
        // Also on a later link than the one of the call: right after a reconnection a call can come before there is a way back.
        if (this.calls.linked(from)) this.#send(from, { kind: 'answer', id, body });
      });
    }
    this.#turn(now);
  }

  gossiped(now: Instant, rumors: Rumors): void {
    if (this.#started) this.membership.gossiped(now, rumors);
    this.#turn(now);
  }

  /** Becomes one of a mesh that has long been together: knows what the other peer knows, and is linked to all. A simulator can see to that, nobody else. */
  adopt(other: Peer): void {
    const { table, self } = this.membership;
    table.adopt(other.membership.table);
    for (const { signed } of table.all()) if (signed.record.peer !== self) this.calls.up(signed.record.peer);
    this.#antiEntropy.ringIsSettled();
    this.#takeover.settle();
  }

  linkUp(now: Instant, peer: PeerId): void {
    this.calls.up(peer);
    this.#env.emit({ type: 'link', peer, up: true });
    if (this.#started) {
      this.membership.linkUp(now, peer);
      this.#watches.linkUp(now, peer);
      this.#antiEntropy.soon(now, peer);
    }
    this.#turn(now);
  }

  linkDown(now: Instant, peer: PeerId): void {
    this.calls.down(now, peer);
    this.#env.emit({ type: 'link', peer, up: false });
    if (this.#started) this.membership.linkDown(now, peer);
    this.#turn(now);
  }

  /** The network could not take this message of an earlier `send`. */
  unsent(now: Instant, to: PeerId, message: Message): void {
    this.calls.unsent(now, to, message);
    this.#turn(now);
  }

  stored(now: Instant, answer: DiskAnswer): void {
    if (answer.type === 'failed') {
      const { code, message } = answer.error;
      this.#storageFailedAt = now.mono;
      this.#env.emit({ type: 'storageError', code, message });
    }
    this.#disk.settle(now, answer);
    this.#turn(now);
  }

  tick(now: Instant): void {
    this.#turn(now);
  }

  announceAddresses(now: Instant, addresses: readonly string[]): void {
    if (this.#started) this.membership.announceAddresses(now, addresses);
    this.#turn(now);
  }

  announcePause(now: Instant): void {
    if (this.#started) this.membership.announcePause(now);
    this.#turn(now);
  }

  /** After a pause: what was missed is compared soon. */
  announceReturn(now: Instant): void {
    if (this.#started) this.membership.announceReturn(now);
    for (const peer of this.calls.links()) this.#antiEntropy.soon(now, peer);
    this.#turn(now);
  }

  #turn(now: Instant): void {
    this.#timers.fire(now);
    if (!this.#started) return;
    this.membership.ringMayHaveChanged();
    this.#antiEntropy.ringMayHaveChanged(now);
    this.#takeover.look(now);
    this.#clearing.ringMayHaveChanged(now);
    this.#watches.ringMayHaveChanged(now);
    this.coordinator.goOn(now);
  }

  #send(to: PeerId, message: Message): void {
    this.#outbox.push({ type: 'send', to, message });
  }

  /** It stores what this peer may not go on with: its next start empties the store. */
  #evicted(joined: number): void {
    const value = fromByteString(`${joined}` as ByteString);
    this.#disk.write([{ key: removalKey(this.membership.self), value }], () => this.#outbox.push({ type: 'evicted' }));
  }
}

/** Whether the peer left or was removed, as far as it had stored. */
function hasLost(memberRow: ByteString | undefined, removalRow: ByteString | undefined): boolean {
  if (memberRow === undefined) return false;
  const record = readSigned(fromByteString(memberRow))?.record;
  return record !== undefined && (record.status === 'left' || record.joined <= Number(removalRow ?? -1));
}
