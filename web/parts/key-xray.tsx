/**
 * A key seen through: where its hash lies, who should keep it, and what each of these peers itself holds, side by side. Copies are looked at again whenever
 * something was written or told.
 */

import type { Placement } from 'ringmesh';
import type { Copy } from '../mesh/types.ts';
import { shortDot, shown } from '../mesh/values.ts';
import { memberIn } from '../mesh/view.ts';
import { answer, keyName, mesh, placement, request, view } from '../state.ts';
import { Siblings } from './answer.tsx';
import { Button, PeerName, Table } from './bits.tsx';
import { orElse, useLook } from './look.ts';
import { KeyFields } from './request-form.tsx';

const fallbacksAsked = 3;

export function KeyXray() {
  const copies = useCopies();
  const placed = placement.value;
  const name = keyName.value;
  return (
    <div class="stack">
      <KeyFields />
      {placed === undefined || name === undefined ? null : (
        <>
          <p>
            The hash of bucket and key falls on <b>{((placed.position / 2 ** 32) * 100).toFixed(3)} %</b> of the ring (
            <code>{placed.position.toString(16).padStart(8, '0')}</code>), in partition <b>{placed.partition.toLocaleString('en')}</b> of{' '}
            {view.value?.ring.partitions.toLocaleString('en')}.
          </p>
          <CopyTable placed={placed} copies={copies} />
          <Verdict placed={placed} copies={copies} />
        </>
      )}
      <div class="buttons">
        <Button onClick={() => request('get')}>Read it with a quorum</Button>
        <Button onClick={() => request('conflict')} title="Two writers who do not know of each other">
          Make a conflict
        </Button>
      </div>
      <Settle />
    </div>
  );
}

type Copies = ReadonlyMap<string, Copy>;

/** What the primaries and the first fallbacks hold now. */
function useCopies(): Copies {
  const copies = useLook(() => {
    const [asked, name, placed] = [mesh.value, keyName.value, placement.value];
    if (asked === undefined || name === undefined || placed === undefined) return undefined;
    const copyOf = (peer: string): Promise<Copy> => orElse(asked.doorNear(peer).copy(name, peer), { type: 'unknown' });
    const ask = async (): Promise<Copies> =>
      new Map(await Promise.all(candidates(placed).map(async (peer) => [peer, await copyOf(peer)] as const)));
    return { at: JSON.stringify([asked.kind, name, placed.primaries]), ask };
  });
  return copies ?? new Map<string, Copy>();
}

/** A dead fallback can neither be asked nor have stood in since it died. */
function candidates({ primaries, fallbacks }: Placement): string[] {
  const living = fallbacks.filter((peer) => memberIn(view.value, peer)?.state !== 'dead');
  return [...primaries, ...living.slice(0, fallbacksAsked)];
}

function CopyTable({ placed, copies }: { readonly placed: Placement; readonly copies: Copies }) {
  const rows = candidates(placed).filter((peer) => placed.primaries.includes(peer) || hasVersions(copies.get(peer)));
  return (
    <Table class="copies" caption="What each peer itself holds" columns={['Peer', 'Part', 'Versions and values']}>
      {rows.map((peer) => (
        <tr key={peer}>
          <th scope="row">
            <PeerName peer={peer} />
            <span class={`state ${memberIn(view.value, peer)?.state ?? ''}`}> {stateNote(peer)}</span>
          </th>
          <td>
            <Part placed={placed} peer={peer} copy={copies.get(peer)} />
          </td>
          <td>
            <CopyText copy={copies.get(peer)} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

const hasVersions = (copy: Copy | undefined): boolean => copy?.type === 'kept' && copy.siblings.length + copy.tombstones.length > 0;

function stateNote(peer: string): string {
  const state = memberIn(view.value, peer)?.state;
  return state === undefined || state === 'alive' ? '' : state;
}

/** Owner or not, and for whom a hint waits here. */
function Part({ placed, peer, copy }: { readonly placed: Placement; readonly peer: string; readonly copy: Copy | undefined }) {
  const index = placed.primaries.indexOf(peer);
  const keptFor = copy?.type === 'kept' ? copy.keptFor : [];
  return (
    <>
      {index >= 0 ? `owner ${index + 1}` : keptFor.length > 0 ? 'stand-in' : 'no owner: goes when all owners have it'}
      {keptFor.map((owner) => (
        <span class="waits" key={owner}>
          a hint waits for <PeerName peer={owner} />
        </span>
      ))}
    </>
  );
}

function CopyText({ copy }: { readonly copy: Copy | undefined }) {
  if (copy === undefined) return <span class="note">looking…</span>;
  if (copy.type === 'unknown') return <span class="note">cannot be asked now</span>;
  if (copy.type === 'nothing') return <span class="note">nothing</span>;
  return (
    <ul class="versions">
      {copy.siblings.map(({ dot, value }) => (
        <li key={dot}>
          <code title={dot}>{shortDot(dot)}</code> <span class="value">{shown(value) || '(empty)'}</span>
        </li>
      ))}
      {copy.tombstones.map((dot) => (
        <li key={dot}>
          <code title={dot}>{shortDot(dot)}</code> <span class="note">deleted (a tombstone)</span>
        </li>
      ))}
    </ul>
  );
}

function Verdict({ placed, copies }: { readonly placed: Placement; readonly copies: Copies }) {
  const owners = placed.primaries.map((peer) => copies.get(peer)).filter((copy) => copy !== undefined && copy.type !== 'unknown');
  const versions = new Set(owners.map((copy) => (copy?.type === 'kept' ? copy.context : '')));
  const values = Math.max(0, ...owners.map((copy) => (copy?.type === 'kept' ? copy.siblings.length : 0)));
  if (owners.length === 0) return null;
  const asked = `${owners.length} of ${placed.primaries.length} owners can be looked at`;
  if (versions.size > 1) return <p class="verdict warning">{asked}, and they differ: a read or the next exchange repairs that.</p>;
  if (values > 1)
    return <p class="verdict warning">{`${asked}, and they hold the same: ${values} values side by side. Read it to settle that.`}</p>;
  return <p class="verdict good">{asked}, and they hold the same.</p>;
}

/** Siblings that the last read of this key has shown, to be settled. */
function Settle() {
  const got = answer.value;
  const name = keyName.value;
  if (got?.type !== 'read' || got.name.key !== name?.key || got.name.bucket !== name.bucket || got.answer.siblings.length < 2) return null;
  return (
    <section aria-label="Settle the conflict">
      <h3 class="warning">{got.answer.siblings.length} values, none lost</h3>
      <Siblings read={got} />
    </section>
  );
}
