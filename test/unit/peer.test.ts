/**
 * One whole peer alone: what it keeps over a restart, what its answers claim, and what a damaged disk or a lying neighbour may not do to it.
 */

import { describe, expect, it } from 'vitest';

import { encodeMessage, decodeMessage } from '../../src/core/codec.ts';
import type { PeerId } from '../../src/core/ids.ts';
import { memberKey } from '../../src/core/layout.ts';
import type { Rumors } from '../../src/core/messages.ts';
import { fakeIdentity } from './support/fake-identity.ts';
import { OnePeer } from './support/one-peer.ts';
import { valuesOf } from './support/one-replica.ts';

const neighbour = 'neighbour' as PeerId;

/** A peer that has heard of a neighbour with a link to it. */
function withNeighbour(): OnePeer {
  const one = new OnePeer();
  const other = new OnePeer({ name: neighbour });
  one.peer.linkUp(one.now, neighbour);
  one.peer.receive(one.now, neighbour, {
    kind: 'notice',
    body: {
      type: 'rumors',
      rumors: {
        members: [other.peer.membership.table.get(neighbour)?.signed].filter((signed) => signed !== undefined),
        suspicions: [],
        removals: [],
      },
      wanted: [],
    },
  });
  one.carryOut();
  return one;
}

function hear(one: OnePeer, rumors: Partial<Rumors>): void {
  one.peer.receive(one.now, neighbour, {
    kind: 'notice',
    body: { type: 'rumors', rumors: { members: [], suspicions: [], removals: [], ...rumors }, wanted: [] },
  });
  one.carryOut();
  one.advance(100);
}

describe('requests', () => {
  it('[VR1] the context of a put covers its own version and what its writer had seen, and no sibling besides', () => {
    const one = new OnePeer();
    one.put('k', 'v1');
    const second = one.put('k', 'v2');
    const third = one.put('k', 'v3', second.context);
    expect(valuesOf(one.get('k').record)).toEqual(['v1', 'v3']);
    one.put('k', 'v4', third.context);
    expect(valuesOf(one.get('k').record)).toEqual(['v1', 'v4']);
    one.put('k', 'v5', one.get('k').record.context);
    expect(valuesOf(one.get('k').record)).toEqual(['v5']);
  });

  it('[QR6] [QR5] a read that fails on disk is an error, and a put that fails on disk too', () => {
    const one = new OnePeer();
    one.put('k', 'v1');
    one.disk.fails = (request) => request.type === 'read';
    expect(() => one.get('k')).toThrow();
    one.disk.fails = (request) => request.type === 'write';
    expect(() => one.put('k', 'v2')).toThrow();
    one.disk.fails = () => false;
    expect(valuesOf(one.get('k').record)).toEqual(['v1']);
    expect(one.events.some((event) => event.type === 'storageError')).toBe(true);
  });
});

describe('starting', () => {
  it('[VR3] [MB2] a restarted peer has its data, its actor, the members that it knew, and a higher incarnation', () => {
    const one = withNeighbour();
    const { dot } = one.put('k', 'v1');
    const again = one.restart({ seed: 2 });
    expect(again.started).toEqual({ type: 'started', error: undefined });
    expect(again.peer.replica.actor).toBe(dot?.actor);
    expect(again.peer.membership.placement.ring.digest).toBe(one.peer.membership.placement.ring.digest);
    expect(again.peer.membership.record.incarnation).toBe(one.peer.membership.record.incarnation + 1);
    expect(again.peer.membership.table.get(neighbour)?.health).toBe('alive');
  });

  it('[VR3] a wiped peer is another actor', () => {
    const one = new OnePeer();
    const fresh = new OnePeer({ seed: 2 });
    expect(one.peer.replica.actor).toMatch(/^[0-9a-f]{32}\.0$/);
    expect(fresh.peer.replica.actor).not.toBe(one.peer.replica.actor);
  });

  it('[MB1] a folder of another cluster is refused', () => {
    const again = new OnePeer().restart({ cluster: 'other' });
    expect(again.started?.error?.code).toBe('OPTION_INVALID');
    expect(again.peer.started).toBe(false);
  });

  it('[ST4] a disk that cannot be read or written ends the start with its error', () => {
    for (const type of ['read', 'write', 'range'] as const) {
      const disk = new OnePeer().disk;
      disk.fails = (request) => request.type === type;
      expect(new OnePeer({ disk }).started?.error?.code, type).toBe('STORAGE_FAILED');
    }
  });

  it('[ST3] a damaged member row is no reason not to start: the others will tell of that member again', () => {
    const one = withNeighbour();
    const row = one.disk.rows.get(memberKey(neighbour)) as Uint8Array;
    one.disk.rows.set(memberKey(neighbour), row.subarray(0, row.length - 3));
    expect(one.restart().started).toEqual({ type: 'started', error: undefined });
  });
});

describe('what others say of it', () => {
  it('[MB3] a suspicion is refuted with a higher incarnation', () => {
    const one = withNeighbour();
    const { incarnation } = one.peer.membership.record;
    hear(one, { suspicions: [{ peer: 'me' as PeerId, incarnation, dead: false }] });
    expect(one.peer.membership.record.incarnation).toBe(incarnation + 1);
    hear(one, { suspicions: [{ peer: 'me' as PeerId, incarnation, dead: true }] });
    expect(one.peer.membership.record.incarnation).toBe(incarnation + 1);
  });

  const last = Number.MAX_SAFE_INTEGER;

  it('[SE4] [MB3] a suspicion of the last incarnation there is does not make it say what nobody can read', () => {
    const one = withNeighbour();
    hear(one, { suspicions: [{ peer: 'me' as PeerId, incarnation: last, dead: true }] });
    for (const { message } of one.sent) expect(decodeMessage(encodeMessage(message))).toEqual(message);
    expect(one.restart().started).toEqual({ type: 'started', error: undefined });
  });

  it('[MB1] a record of itself that it never signed changes nothing', () => {
    const one = withNeighbour();
    const before = one.peer.membership.record;
    const forged = { ...before, incarnation: 1000 };
    const signed = one.peer.membership.table.sign(forged);
    hear(one, { members: [{ ...signed, signature: fakeIdentity('mallory').sign(signed.bytes) }] });
    expect(one.peer.membership.record).toEqual(before);
  });
});
