/**
 * The member table against a list of everything that was ever heard: what is known is worked out anew from the whole list.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { DurabilityClass, PeerId } from '../../src/core/ids.ts';
import { isGone, type Member, type MemberState, MemberTable, stateOf } from '../../src/core/member-table.ts';
import type { MemberRecord, MemberSummary, Removal, Rumors, SignedMember, Suspicion } from '../../src/core/messages.ts';
import { buildRing } from '../../src/core/ring.ts';
import { fakeIdentity } from '../unit/support/fake-identity.ts';
import { holds } from './property.ts';

const names = ['p1', 'p2', 'p3', '__proto__'] as PeerId[];
const aPeer = fc.constantFrom(...names);

const newTable = (cluster = 'test', partitions = 16): MemberTable =>
  new MemberTable({ cluster, partitions, durableMin: 2, identity: fakeIdentity('me') });

/** A subject says one thing under one pair of numbers: the rest of the record follows from them. */
function recordOf(peer: PeerId, incarnation: number, sequence: number): MemberRecord {
  const mix = incarnation * 7 + sequence * 3 + names.indexOf(peer);
  return {
    peer,
    incarnation,
    sequence,
    status: (['up', 'joining', 'leaving', 'left'] as const)[mix % 4] ?? 'up',
    paused: mix % 5 === 0,
    joined: Math.ceil(incarnation / 2),
    seat: undefined,
    replaces: undefined,
    counts: [],
    host: `host-${mix % 3}`,
    zone: '',
    class: (['server', 'tab'] as readonly DurabilityClass[])[mix % 2] ?? 'server',
    weight: mix % 5,
    addresses: [`/ip4/10.0.0.${mix}`],
    gateway: '',
    version: 1,
  };
}

const signedBy = (record: MemberRecord, cluster = 'test', partitions = 16, durableMin = 2): SignedMember =>
  new MemberTable({ cluster, partitions, durableMin, identity: fakeIdentity(record.peer) }).sign(record);

const aNumber = fc.integer({ min: 1, max: 4 });
const aMember = fc.tuple(aPeer, aNumber, aNumber).map(([peer, incarnation, sequence]) => signedBy(recordOf(peer, incarnation, sequence)));
const aSuspicion: fc.Arbitrary<Suspicion> = fc.record({ peer: aPeer, incarnation: fc.integer({ min: 1, max: 5 }), dead: fc.boolean() });
const aRemoval: fc.Arbitrary<Removal> = fc.record({ peer: aPeer, joined: fc.integer({ min: 1, max: 2 }) });
type News = { readonly member: SignedMember } | { readonly suspicion: Suspicion } | { readonly removal: Removal };
const aNews: fc.Arbitrary<News> = fc.oneof(
  fc.record({ member: aMember }),
  fc.record({ suspicion: aSuspicion }),
  fc.record({ removal: aRemoval }),
);
const someNews = fc.array(aNews, { maxLength: 16 });

/** The same items in another order, some of them more than once. */
const inTwoOrders = <T>(items: fc.Arbitrary<T[]>): fc.Arbitrary<readonly [T[], T[]]> =>
  items.chain((list) => {
    const shuffled = fc.shuffledSubarray(list, { minLength: list.length });
    return fc.tuple(
      fc.constant(list),
      fc.tuple(shuffled, fc.shuffledSubarray(list)).map(([all, some]) => [...all, ...some]),
    );
  });

function hear(table: MemberTable, news: News): boolean {
  if ('member' in news) return table.accept(news.member);
  return 'suspicion' in news ? table.suspect(news.suspicion) : table.remove(news.removal);
}

function tableOf(heard: readonly News[]): MemberTable {
  const table = newTable();
  for (const news of heard) hear(table, news);
  return table;
}

/** Everybody repeats everything until nobody learns anything. */
function hearUntilQuiet(table: MemberTable, news: readonly News[]): void {
  for (let rounds = 0; news.map((each) => hear(table, each)).some(Boolean); rounds++) expect(rounds).toBeLessThan(4);
}

const weight = { alive: 0, suspect: 1, dead: 2 } as const;

/** Of each subject its newest record, and the worst suspicion of that incarnation or a later one. */
function naiveSummary(news: readonly News[]): MemberSummary[] {
  const records = news.flatMap((each) => ('member' in each ? [each.member.record] : []));
  const suspicions = news.flatMap((each) => ('suspicion' in each ? [each.suspicion] : []));
  const removals = news.flatMap((each) => ('removal' in each ? [each.removal] : []));
  return [...new Set(records.map((record) => record.peer))].sort().map((peer) => {
    const [newest] = records
      .filter((record) => record.peer === peer)
      .sort((a, b) => b.incarnation - a.incarnation || b.sequence - a.sequence);
    const { incarnation, sequence, status, joined } = newest as MemberRecord;
    const against = suspicions.filter((suspicion) => suspicion.peer === peer && suspicion.incarnation >= incarnation);
    return {
      peer,
      incarnation,
      sequence,
      health: against.length === 0 ? 'alive' : against.some((suspicion) => suspicion.dead) ? 'dead' : 'suspect',
      status,
      joined,
      removed: removals.some((removal) => removal.peer === peer && removal.joined >= joined),
    };
  });
}

function checkPlacement(table: MemberTable): void {
  const owns = (member: Member): boolean => !isGone(member) && member.signed.record.status !== 'joining';
  const members = [...table.all()].filter(owns).map((member) => member.signed.record);
  const fresh = buildRing(
    'test',
    members.map(({ peer, host, class: durability, weight: tokens }) => ({ peer, host, class: durability, weight: tokens })),
    16,
  );
  expect(table.placement.ring).toEqual(fresh);
}

describe('the member table', () => {
  it('[MB1] records in any order, with any repetition, give the same table, view and ring', () => {
    holds(
      200,
      fc.property(inTwoOrders(fc.array(fc.record({ member: aMember }), { maxLength: 16 })), ([one, other]) => {
        const [a, b] = [tableOf(one), tableOf(other)];
        expect(a.summary()).toEqual(naiveSummary(one));
        expect(b.summary()).toEqual(a.summary());
        expect(b.view).toBe(a.view);
        expect(b.placement.ring.digest).toBe(a.placement.ring.digest);
        for (const peer of names) expect(b.get(peer)?.signed).toEqual(a.get(peer)?.signed);
        checkPlacement(a);
      }),
    );
  });

  it('[MB1] records and suspicions, repeated until nobody learns anything, give the same table in any order', () => {
    const seen = new Set<string>();
    holds(
      250,
      fc.property(inTwoOrders(someNews), ([one, other]) => {
        const [a, b] = [newTable(), newTable()];
        hearUntilQuiet(a, one);
        hearUntilQuiet(b, other);
        expect(a.summary()).toEqual(naiveSummary(one));
        expect(b.summary()).toEqual(a.summary());
        expect(b.view).toBe(a.view);
        for (const { health } of a.summary()) seen.add(health);
        checkPlacement(a);
      }),
    );
    expect(seen.size).toBe(3);
  });

  it('[MB1] what was heard says whether it was news, and the same again is none', () => {
    holds(
      200,
      fc.property(someNews, (news) => {
        const table = newTable();
        for (const each of news) {
          const [before, view] = [table.summary(), table.view];
          const isNews = hear(table, each);
          const isShown = JSON.stringify(before) !== JSON.stringify(table.summary());
          // A removal may come before the member that it removes.
          if ('removal' in each) expect(isNews || !isShown).toBe(true);
          else expect(isNews).toBe(isShown);
          expect(table.view === view).toBe(!isShown);
          expect(hear(table, each)).toBe(false);
        }
      }),
    );
  });

  it('[MB4] the parts of two tables that differ are those in which somebody is known otherwise', () => {
    holds(
      200,
      fc.property(someNews, someNews, (one, other) => {
        const [a, b] = [tableOf(one), tableOf(other)];
        const parts = a.differingParts(b.parts);
        expect(parts.length === 0).toBe(a.view === b.view);
        expect(b.differingParts(a.parts)).toEqual(parts);
        expect(a.difference(b.summary(parts), parts)).toEqual(a.difference(b.summary()));
        const adopting = newTable();
        adopting.adopt(a);
        expect([adopting.view, adopting.parts]).toEqual([a.view, a.parts]);
      }),
    );
  });

  it('[MB4] one push-pull makes two tables equal', () => {
    holds(
      200,
      fc.property(someNews, someNews, (one, other) => {
        const [a, b] = [tableOf(one), tableOf(other)];
        const { ours, theirs } = a.difference(b.summary());
        tell(b, rumorsOf(a, ours));
        tell(a, rumorsOf(b, theirs));
        // Where both knew something of one subject, that one comes after the other.
        const again = a.difference(b.summary());
        tell(b, rumorsOf(a, again.ours));
        tell(a, rumorsOf(b, again.theirs));
        expect(a.summary()).toEqual(b.summary());
        expect(a.view).toBe(b.view);
        expect(a.difference(b.summary())).toEqual({ ours: [], theirs: [] });
      }),
    );
  });

  it('[MB1] [RG5] only what the subject signed for this cluster, with its number of partitions and of servers for each key, is known', () => {
    const at = fc.nat();
    holds(
      200,
      fc.property(
        aMember,
        fc.constantFrom('bytes', 'signature', 'subject', 'cluster', 'partitions', 'servers'),
        at,
        (good, part, index) => {
          const flipped = (bytes: Uint8Array): Uint8Array => bytes.with(index % bytes.length, (bytes[index % bytes.length] as number) ^ 1);
          const forged = {
            bytes: { ...good, bytes: flipped(good.bytes) },
            signature: { ...good, signature: flipped(good.signature) },
            subject: { ...good, signature: fakeIdentity('mallory').sign(good.bytes) },
            cluster: signedBy(good.record, 'other'),
            partitions: signedBy(good.record, 'test', 32),
            servers: signedBy(good.record, 'test', 16, 3),
          }[part];
          const table = newTable();
          expect(table.accept(forged)).toBe(false);
          expect(table.size).toBe(0);
          expect(table.accept(good)).toBe(true);
          expect(table.accept({ ...forged, record: { ...forged.record, incarnation: 99 } })).toBe(false);
          expect(table.get(good.record.peer)?.signed).toBe(good);
        },
      ),
    );
  });

  it('[MB2] only leaving moves a place on the ring; suspicion, death and a pause do not', () => {
    const table = newTable();
    const record = { ...recordOf('p1' as PeerId, 1, 1), status: 'up', paused: false, weight: 8 } as const;
    const states: MemberState[] = [];
    const rings = new Set<string>();
    const step = (news: News): void => {
      expect(hear(table, news)).toBe(true);
      const member = table.get(record.peer);
      if (member !== undefined) states.push(stateOf(member));
      rings.add(table.placement.ring.digest);
    };
    step({ member: signedBy(record) });
    step({ suspicion: { peer: record.peer, incarnation: 1, dead: false } });
    step({ suspicion: { peer: record.peer, incarnation: 1, dead: true } });
    step({ member: signedBy({ ...record, sequence: 2, addresses: [] }) });
    step({ member: signedBy({ ...record, incarnation: 2 }) });
    step({ member: signedBy({ ...record, incarnation: 2, sequence: 2, paused: true }) });
    expect(states).toEqual(['alive', 'suspect', 'dead', 'dead', 'alive', 'dead']);
    expect(rings.size).toBe(1);
    step({ member: signedBy({ ...record, incarnation: 2, sequence: 3, status: 'left' }) });
    expect(states.at(-1)).toBe('left');
    expect(table.placement.ring.members).toEqual([]);
    expect(rings.size).toBe(2);
  });

  it('[MB3] a suspicion of an earlier incarnation says nothing; only a higher incarnation takes one back', () => {
    const table = newTable();
    const record = { ...recordOf('p1' as PeerId, 3, 1), status: 'up', paused: false } as const;
    const health = (): string | undefined => table.get(record.peer)?.health;
    expect(table.suspect({ peer: record.peer, incarnation: 3, dead: true })).toBe(false);
    table.accept(signedBy(record));
    expect(table.suspect({ peer: record.peer, incarnation: 2, dead: true })).toBe(false);
    expect(health()).toBe('alive');
    table.suspect({ peer: record.peer, incarnation: 3, dead: true });
    expect(table.suspect({ peer: record.peer, incarnation: 3, dead: false })).toBe(false);
    table.accept(signedBy({ ...record, sequence: 9 }));
    expect(health()).toBe('dead');
    table.accept(signedBy({ ...record, incarnation: 4 }));
    expect(health()).toBe('alive');
  });
});

/** What a peer sends of these members: the signed records, and what it holds against them. */
function rumorsOf(table: MemberTable, peers: readonly PeerId[]): Rumors {
  const known = peers.flatMap((peer) => table.get(peer) ?? []);
  const suspicions = known
    .filter((member) => weight[member.health] > 0)
    .map(({ signed: { record }, health }) => ({ peer: record.peer, incarnation: record.incarnation, dead: health === 'dead' }));
  const removals = peers.flatMap((peer) => table.removal(peer) ?? []);
  return { members: known.map((member) => member.signed), suspicions, removals };
}

function tell(table: MemberTable, rumors: Rumors): void {
  for (const signed of rumors.members) table.accept(signed);
  for (const suspicion of rumors.suspicions) table.suspect(suspicion);
  for (const removal of rumors.removals) table.remove(removal);
}
