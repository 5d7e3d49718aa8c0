/**
 * What R and W cost and promise, measured on the mesh that is shown: for each pair, writes through one peer and at once reads through another, how long they took, and
 * how many of the reads missed the write that had just been acknowledged.
 */

import { useSignal } from '@preact/signals';
import { max, median } from 'd3-array';
import { scaleLinear } from 'd3-scale';
import { type Mesh, MeshProblem } from '../mesh/types.ts';
import { copies, mesh, problem, view } from '../state.ts';
import { Button, msText } from './bits.tsx';

const roundsMax = 12;
const bucketName = 'measure';

interface Cell {
  readonly r: number;
  readonly w: number;
  readonly putMs: number;
  readonly getMs: number;
  readonly missed: number;
  readonly rounds: number;
}

export function Measure() {
  const cells = useSignal<readonly Cell[]>([]);
  const busy = useSignal(false);
  const n = copies.value;
  const run = async (): Promise<void> => {
    const measured = mesh.value;
    if (measured === undefined) return;
    busy.value = true;
    cells.value = [];
    try {
      for (let w = 1; w <= n; w++)
        for (let r = 1; r <= n; r++) {
          const cell = await measure(measured, r, w);
          if (mesh.value !== measured) return;
          cells.value = [...cells.value, cell];
        }
    } catch (error) {
      if (!(error instanceof MeshProblem)) throw error;
      problem.value = `${error.message} [${error.code}]`;
    } finally {
      busy.value = false;
    }
  };
  return (
    <div class="stack">
      <p>
        A read is as slow as the slowest of its R answers, a write as the slowest of its W. With R + W &gt; {n} the two sets of peers meet
        in at least one; with less they may miss each other.
      </p>
      <div class="buttons">
        <Button look="primary" disabled={busy.value} onClick={run}>
          {busy.value ? 'Measuring…' : 'Measure'}
        </Button>
      </div>
      <Chart cells={cells.value} n={n} />
    </div>
  );
}

/** Through two peers in turn, owners only, on keys of their own. */
async function measure(measured: Mesh, r: number, w: number): Promise<Cell> {
  const alive = view
    .peek()
    ?.members.filter(({ state, gateway }) => state === 'alive' && (measured.kind === 'simulated' || gateway !== undefined));
  const both = measured.breaking.peek() === undefined ? [] : (alive ?? []).map(({ peer }) => peer);
  const quorum = { r, w, mode: 'strict' } as const;
  const puts: number[] = [];
  const gets: number[] = [];
  let missed = 0;
  for (let round = 0; round < roundsMax; round++) {
    const name = { bucket: bucketName, key: `${Math.random().toString(36).slice(2)}-${round}` };
    const tried = await measured.trial(name, quorum, both[round % both.length], both[(round + 1) % both.length]);
    puts.push(tried.putMs);
    gets.push(tried.getMs);
    if (tried.missed) missed++;
  }
  return { r, w, putMs: median(puts) ?? 0, getMs: median(gets) ?? 0, missed, rounds: roundsMax };
}

function Chart({ cells, n }: { readonly cells: readonly Cell[]; readonly n: number }) {
  const scale = scaleLinear([0, max(cells, ({ putMs, getMs }) => Math.max(putMs, getMs)) ?? 1], [0, 1]);
  const counts = Array.from({ length: n }, (_, index) => index + 1);
  return (
    <table class="chart">
      <caption>Median time of a put and of a get, and how many reads missed the write before them</caption>
      <thead>
        <tr>
          <td />
          {counts.map((r) => (
            <th key={r} scope="col">
              R = {r}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {counts.map((w) => (
          <tr key={w}>
            <th scope="row">W = {w}</th>
            {counts.map((r) => (
              <ChartCell key={r} cell={cells.find((cell) => cell.r === r && cell.w === w)} meets={r + w > n} scale={scale} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ChartCell({
  cell,
  meets,
  scale,
}: {
  readonly cell: Cell | undefined;
  readonly meets: boolean;
  readonly scale: (ms: number) => number;
}) {
  if (cell === undefined) return <td class={meets ? 'meets' : ''}>–</td>;
  return (
    <td class={meets ? 'meets' : ''}>
      <span class="time">
        put {msText(cell.putMs)}
        <span class="bar" aria-hidden="true" style={{ '--part': scale(cell.putMs) }} />
      </span>
      <span class="time">
        get {msText(cell.getMs)}
        <span class="bar get" aria-hidden="true" style={{ '--part': scale(cell.getMs) }} />
      </span>
      <span class={cell.missed > 0 ? 'missed' : 'note'}>{cell.missed > 0 ? `${cell.missed} of ${cell.rounds} missed` : 'none missed'}</span>
    </td>
  );
}
