/**
 * How many keys change their first owner when a peer comes or goes: on the ring, by the real tokens, and for comparison where the owner is `hash mod n`. Counted over ten
 * thousand places spread evenly.
 */

import { useSignal, useSignalEffect } from '@preact/signals';
import { bisectLeft } from 'd3-array';
import type { RingView } from 'ringmesh';
import { view } from '../state.ts';
import { plural } from './bits.tsx';

const samples = 10_000;
/** Steps through all positions without a pattern: odd, and near the golden section of the circle. */
const stride = 2_654_435_769;
const positions = Array.from({ length: samples }, (_, index) => Math.imul(index + 1, stride) >>> 0);

interface Change {
  readonly before: number;
  readonly after: number;
  readonly ring: number;
  readonly modulo: number;
}

export function Moved() {
  const change = useSignal<Change | undefined>(undefined);
  const last = useSignal<RingView | undefined>(undefined);
  useSignalEffect(() => {
    const ring = view.value?.ring;
    const before = last.peek();
    if (ring === undefined || before?.digest === ring.digest) return;
    last.value = ring;
    if (before !== undefined && before.members.length !== ring.members.length) change.value = changeOf(before, ring);
  });
  const found = change.value;
  const count = view.value?.ring.members.length ?? 0;
  return (
    <section aria-label="How many keys move" class="moved">
      <h3>How many keys move</h3>
      {found === undefined ? (
        <p class="note">
          Add or remove a peer, and see how many of {samples.toLocaleString('en')} keys get another first owner on the ring, and how many
          would where the owner is <code>hash mod {count}</code>.
        </p>
      ) : (
        <>
          <p>
            From {plural(found.before, 'peer')} to {found.after}, of {samples.toLocaleString('en')} keys:
          </p>
          <Bar label="on the ring" count={found.ring} />
          <Bar label="with hash mod n" count={found.modulo} />
        </>
      )}
    </section>
  );
}

function Bar({ label, count }: { readonly label: string; readonly count: number }) {
  return (
    <p class="measure">
      <span>{label}</span>
      <span class="bar" aria-hidden="true" style={{ '--part': count / samples }} />
      <b>{count.toLocaleString('en')} move</b>
    </p>
  );
}

function changeOf(before: RingView, after: RingView): Change {
  const [old, now] = [firstOwner(before), firstOwner(after)];
  const [n, m] = [before.members.length, after.members.length];
  return {
    before: n,
    after: m,
    ring: positions.filter((position) => old(position) !== now(position)).length,
    modulo: positions.filter((position) => position % n !== position % m).length,
  };
}

/** The peer of the next token clockwise. */
function firstOwner(ring: RingView): (position: number) => string | undefined {
  const tokens = ring.tokens.map(([position]) => position);
  return (position) => {
    const [, owner] = ring.tokens[bisectLeft(tokens, position) % tokens.length] ?? [];
    return owner === undefined ? undefined : ring.members[owner]?.peer;
  };
}
