/**
 * Mistakes that somebody might make, each as a change of one place in the sources, with the tests that must notice it. The text to be replaced occurs exactly
 * once in its file; where it does not any more, the mutation has to follow the code.
 */

const stories = 'test/stories';
const quorums = 'test/sim/quorums.test.ts';
const replica = 'test/unit/replica.test.ts';
const replicaFaults = 'test/unit/replica-faults.test.ts';
const versions = 'test/model/versions.test.ts';
const directed = 'test/sim/directed.test.ts';

export const mutations = [
  {
    name: 'acknowledge before replicating',
    why: 'One copy is called a quorum, and is gone with its disk.',
    file: 'src/core/put-run.ts',
    search: "openTally(command.mode === 'any' ? 1 : command.w, command.mode === 'strict')",
    replace: "openTally(1, command.mode === 'strict')",
    tests: [quorums, stories],
  },
  {
    name: 'ignore a failed commit',
    why: 'What the disk has refused is acknowledged.',
    file: 'src/core/records.ts',
    search: 'this.#recounts.attempt(slot.leaf);\n      done(now, result);',
    replace: 'this.#recounts.attempt(slot.leaf);\n      done(now, undefined);',
    tests: [replicaFaults],
  },
  {
    name: 'take a read error for an absent value',
    why: 'The next put would count from nothing and give a dot again (VR4).',
    file: 'src/core/records.ts',
    search: 'if (error instanceof MeshError) return error;',
    replace: 'if (error instanceof MeshError) return nothing;',
    tests: [replicaFaults, replica],
  },
  {
    name: 'drop the context',
    why: 'Nothing is ever replaced: each put leaves one more sibling.',
    file: 'src/core/replica.ts',
    search: 'update(local, command.context, this.#actor',
    replace: 'update(local, [], this.#actor',
    tests: [quorums, stories],
  },
  {
    name: 'reap tombstones early',
    why: 'A peer that was away brings the deleted value back.',
    file: 'src/core/membership.ts',
    search: "if (peer !== this.self && (state !== 'alive' || !this.#options.calls.linked(peer))) return undefined;",
    replace: "if (peer !== this.self && (state !== 'alive' || !this.#options.calls.linked(peer))) continue;",
    tests: [directed],
  },
  {
    name: 'reap without a floor',
    why: 'The next put of a reaped key gives a dot again.',
    file: 'src/core/replica.ts',
    search: 'if (isHigher) this.#floor = own;',
    replace: '',
    tests: ['test/unit/reaper.test.ts'],
  },
  {
    name: 'last write wins instead of siblings',
    why: 'An acknowledged write vanishes because another one came later.',
    file: 'src/core/record.ts',
    search: "return resolver === 'siblings' ? set : keepGreatest(set, orders[resolver]);",
    replace: "return keepGreatest(set, orders[resolver === 'siblings' ? 'lww' : resolver]);",
    tests: [quorums, stories],
  },
  {
    name: 'keep what the other side has dropped',
    why: 'A deleted value comes back as soon as two replicas meet.',
    file: 'src/core/versions.ts',
    search: '(version) => !covers(b.context, version.dot) || has(b, version.dot)',
    replace: '() => true',
    tests: [versions, stories],
  },
  {
    name: 'skip the hint of a stand-in',
    why: 'The owner gets it only when some other primary has it as well.',
    file: 'src/core/replica.ts',
    search: 'call.owner === undefined ? [] :',
    replace: 'call.owner === undefined || this.durable ? [] :',
    tests: [directed],
  },
  {
    name: 'skip the hint of a fallback that mints',
    why: 'What only fallbacks have taken stays with them.',
    file: 'src/core/replica.ts',
    search: '= owner === undefined ? [] :',
    replace: '= owner === undefined || this.durable ? [] :',
    tests: [directed],
  },
  {
    name: 'forget a hint before its owner has it',
    why: 'A delivery that fails is never repeated.',
    file: 'src/core/hints.ts',
    search: 'if (stored) this.#settle(',
    replace: "if (stored || typeof answer === 'string') this.#settle(",
    tests: [directed],
  },
  {
    name: 'reuse the actor after a wipe',
    why: 'The new store gives dots that the old one has given (VR3).',
    file: 'src/core/peer.ts',
    search: '?? [hex(random.bytes(16))]',
    replace: '?? [hex(random.bytes(0)) + this.#options.identity.peerId]',
    tests: [stories],
  },
  {
    name: 'go on under the old epoch after amnesia',
    why: 'A store that was set back gives dots that others have already.',
    file: 'src/core/replica.ts',
    search: 'if (last >= 0) this.#nextEpoch(reason, last);',
    replace: 'if (last > Number.MAX_SAFE_INTEGER) this.#nextEpoch(reason, last);',
    tests: [stories, replica],
  },
  {
    name: 'no write-back in strict gets',
    why: 'A later read may see less than an earlier one (QR3).',
    file: 'src/core/get-run.ts',
    search: "this.#command.mode !== 'strict' || behind.length === 0",
    replace: "this.#command.mode !== 'any' || behind.length === 0",
    tests: [quorums],
  },
  {
    name: 'take a fallback’s silence for absence',
    why: 'A key looks absent because nobody who keeps it was asked (QR2).',
    file: 'src/core/get-run.ts',
    search: "const evidence = reading.role === 'primary' || result.record.context.length > 0;",
    replace: "const evidence = reading.role !== 'fallback' || result.record.context.length >= 0;",
    tests: [directed],
  },
  {
    name: 'count fallbacks in strict quorums',
    why: 'Strict reads and writes need not meet any more (QR2).',
    file: 'src/core/quorum.ts',
    search: '.strict ? 0 :',
    replace: '.need === 0 ? 0 :',
    tests: ['test/model/quorum.test.ts', quorums],
  },
  {
    name: 'send a put to a second replica after silence',
    why: 'Both mint, and the put becomes a sibling of itself (VR5).',
    file: 'src/core/put-forward.ts',
    search: "if (result === 'unsent') return this.start(now);",
    replace: "if (result === 'unsent' || (typeof result === 'string' && this.#tried.size > 0)) return this.start(now);",
    tests: [directed],
  },
  {
    name: 'compare trees and repair nothing',
    why: 'Replicas that no read and no hint reaches stay different (AE3).',
    file: 'src/core/exchange.ts',
    search: 'if (keys.length === 0) return this.#next(now);',
    replace: 'if (keys.length >= 0) return this.#next(now);',
    tests: [stories],
  },
  {
    name: 'leave the old digest in a leaf',
    why: 'Trees that differ though the records are the same are compared for ever, and may hide a difference (AE1).',
    file: 'src/core/trees.ts',
    search: 'for (const { n, record } of [before, after]) {',
    replace: 'for (const { n, record } of [after]) {',
    tests: ['test/sim/seeds.test.ts', '-t', 'without faults'],
  },
];
