/** Repair made visible: hints that pile up while a peer is away and drain when it is back, and Merkle trees that are compared down to the keys that differ. */

import { useSignal } from '@preact/signals';
import { max } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { type Exchange, foundDifference, type HintPile, type Level, type Transfer } from '../mesh/ledger.ts';
import { attempt, ledger, mesh, told } from '../state.ts';
import { bytesText, Button, PeerName, plural } from './bits.tsx';

const exchangesShown = 4;

export function Repair() {
  void told.value;
  return (
    <div class="stack">
      <Hints piles={ledger.piles} />
      <Transfers transfers={ledger.transfers} />
      <Exchanges exchanges={ledger.exchanges} />
    </div>
  );
}

function Hints({ piles }: { readonly piles: readonly HintPile[] }) {
  const most = Math.max(8, max(piles, ({ waiting }) => waiting) ?? 0);
  const waiting = piles.reduce((sum, pile) => sum + pile.waiting, 0);
  const delivered = piles.reduce((sum, pile) => sum + pile.delivered, 0);
  return (
    <section aria-label="Hints">
      <h3>
        Hints{' '}
        <span class="took">
          {waiting} waiting, {delivered} handed over
        </span>
      </h3>
      <p class="note">
        While an owner is away, others keep its writes and a hint whose they are. When it is back they hand them over and forget them.
        Counted since this page was opened.
      </p>
      <div class="piles">
        {piles.length === 0 ? <p class="note">No hints yet. Kill a peer, and write a few keys.</p> : null}
        {piles.map((pile) => (
          <p class="measure" key={`${pile.holder}/${pile.owner}`}>
            <span>
              <PeerName peer={pile.holder} /> keeps for <PeerName peer={pile.owner} />
            </span>
            <span class="bar" aria-hidden="true" style={{ '--part': pile.waiting / most }} />
            <b>{pile.waiting === 0 ? `all ${pile.delivered} handed over` : `${pile.waiting} waiting`}</b>
          </p>
        ))}
      </div>
    </section>
  );
}

function Transfers({ transfers }: { readonly transfers: readonly Transfer[] }) {
  return (
    <section aria-label="Transfers">
      <h3>Transfers</h3>
      <p class="note">Who joins copies what it will own while the owners still serve it, compares it with theirs, and only then owns it.</p>
      {transfers.length === 0 ? <p class="note">Nothing has moved yet. Add a peer.</p> : null}
      {transfers.map(({ by, partitions, partitionsDone, keys, bytes, waitsFor }) => (
        <p class="measure" key={by}>
          <span>
            <PeerName peer={by} /> {partitionsDone === partitions ? 'has' : 'copies'} {plural(keys, 'key')}, {bytesText(bytes)}
            {waitsFor === '' ? null : (
              <>
                , waits for <PeerName peer={waitsFor} />
              </>
            )}
          </span>
          <span class="bar" aria-hidden="true" style={{ '--part': partitions === 0 ? 1 : partitionsDone / partitions }} />
          <b>
            {partitionsDone.toLocaleString('en')} of {plural(partitions, 'partition')}
          </b>
        </p>
      ))}
    </section>
  );
}

function Exchanges({ exchanges }: { readonly exchanges: readonly Exchange[] }) {
  const busy = useSignal(false);
  const compare = async (): Promise<void> => {
    busy.value = true;
    await attempt(mesh.value?.door().repair());
    busy.value = false;
  };
  const telling = exchanges.slice(0, exchangesShown);
  return (
    <section aria-label="Merkle trees">
      <h3>Merkle trees</h3>
      <p class="note">
        Now and then two peers compare digests of all that they share, from the top, and go down only where these differ: so few bytes find
        the few keys that one of them lacks.
      </p>
      <div class="buttons">
        <Button disabled={busy.value} onClick={compare}>
          {busy.value ? 'Comparing…' : 'Compare with all peers now'}
        </Button>
      </div>
      {telling.length === 0 ? <p class="note">No comparison seen yet.</p> : null}
      {telling.map((exchange) => (
        <Descent key={exchange.id} exchange={exchange} />
      ))}
    </section>
  );
}

const levels: readonly Level[] = ['all', 'group', 'partition', 'inner', 'leaf'];
const levelText: Readonly<Record<Level, string>> = {
  all: 'everything shared',
  group: 'groups of partitions',
  partition: 'partitions',
  inner: 'branches',
  leaf: 'leaves with keys',
};
const width = 300;
const rowHeight = 24;

/** The levels of the trees from the top down: how many nodes were compared, and which of them differed. */
function Descent({ exchange }: { readonly exchange: Exchange }) {
  const rows = levels.map((level) => {
    const steps = exchange.steps.filter((step) => step.level === level);
    const compared = steps.reduce((sum, step) => sum + step.compared, 0);
    const different = steps.reduce((sum, step) => sum + step.different, 0);
    return { level, compared, different, reached: steps.length > 0 };
  });
  const keys = rows.at(-1)?.different ?? 0;
  const nodes = rows.reduce((sum, row) => sum + row.compared, 0);
  const found = foundDifference(exchange)
    ? `${plural(keys, 'key')} differed, found with ${plural(nodes, 'comparison')}`
    : 'equal: one comparison was enough';
  return (
    <figure class="descent">
      <figcaption>
        <PeerName peer={exchange.by} /> and <PeerName peer={exchange.with} />: {found}
      </figcaption>
      {foundDifference(exchange) ? (
        <svg viewBox={`0 0 ${width} ${rowHeight * levels.length}`} role="img" aria-label={descentText(rows)}>
          {rows.map((row, index) => (
            <DescentRow key={row.level} {...row} y={index * rowHeight + rowHeight / 2} />
          ))}
        </svg>
      ) : null}
    </figure>
  );
}

interface Row {
  readonly level: Level;
  readonly compared: number;
  readonly different: number;
  readonly reached: boolean;
}

const descentText = (rows: readonly Row[]): string =>
  rows
    .filter((row) => row.reached)
    .map(
      (row) =>
        `${levelText[row.level]}: ${row.compared} compared, ${row.different} ${row.level === 'leaf' ? 'keys differ' : 'below differ'}`,
    )
    .join('; ');

const dotsMax = 12;

function DescentRow({ level, compared, different, reached, y }: Row & { readonly y: number }) {
  const count = Math.min(dotsMax, compared);
  const x = scaleLinear([0, Math.max(1, count - 1)], count === 1 ? [48, 48] : [6, 90]);
  return (
    <g class={reached ? 'reached' : ''}>
      <line x1="48" x2="48" y1={y - rowHeight + 5} y2={y - 5} visibility={reached && level !== 'all' ? 'visible' : 'hidden'} />
      {Array.from({ length: count }, (_, index) => (
        <circle key={index} cx={x(index)} cy={y} r={level === 'leaf' ? 3 : 4} class={different > 0 ? 'differs' : ''} />
      ))}
      <text x="108" y={y} dy="0.32em">
        {levelText[level]}
        {reached ? `: ${compared}${level === 'leaf' ? `, ${plural(different, 'key')}` : ''}` : ''}
      </text>
    </g>
  );
}
