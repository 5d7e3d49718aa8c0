/** The answer to the last request: what it means, the values side by side with a way to settle a conflict, the race that made it, and which replica said what. */

import type { ReplicaReceipt } from 'ringmesh';
import { shortDot, shown, textOf } from '../mesh/values.ts';
import type { ReadAnswer, Sibling } from '../mesh/types.ts';
import type { Answer } from '../requests.ts';
import { answer, ask, busy, requests, tab, text } from '../state.ts';
import { headline, replicaText } from './answer-text.ts';
import { Button, msText, PeerName, Table } from './bits.tsx';
import { RaceOf } from './race.tsx';

export type Read = Extract<Answer, { type: 'read' }>;

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dayOf = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

export function AnswerPanel() {
  const got = answer.value;
  if (got === undefined) {
    return (
      <div class="answer" role="status" aria-label="Answer">
        <p class="note">
          {busy.value ? 'Asking the peers…' : 'Put a value, and see here who took it, who answered when, and whose answer decided.'}
        </p>
      </div>
    );
  }
  const { tone, title, text: meaning } = headline(got);
  return (
    <div class="answer" role="status" aria-label="Answer" aria-busy={busy.value}>
      <h3 class={tone}>
        {title}
        <span class="took">{got.type === 'failed' ? '' : msText(got.ms)}</span>
      </h3>
      <p>{meaning}</p>
      {got.type === 'read' ? <Siblings read={got} /> : null}
      <RaceOf answer={got} />
      {got.type === 'failed' ? null : <Replicas replicas={got.type === 'read' ? got.answer.replicas : got.receipt.replicas} />}
    </div>
  );
}

/** The values of a read, side by side; several of them can be settled. */
export function Siblings({ read }: { readonly read: Read }) {
  const { siblings } = read.answer;
  if (siblings.length === 0) return null;
  const isConflict = siblings.length > 1;
  const keep = (sibling: Sibling): unknown => ask(requests?.resolve(read.name, read.quorum, sibling.value, read.answer.context));
  return (
    <>
      <div class="siblings">
        {siblings.map((sibling) => (
          <SiblingCard key={sibling.dot} sibling={sibling} onKeep={isConflict ? () => keep(sibling) : undefined} />
        ))}
      </div>
      {isConflict ? (
        <Button
          look="quiet"
          onClick={() => {
            tab.value = 'try';
            text.value = mergedText(read.answer);
          }}
        >
          Merge by hand
        </Button>
      ) : null}
    </>
  );
}

function SiblingCard({ sibling, onKeep }: { readonly sibling: Sibling; readonly onKeep?: (() => unknown) | undefined }) {
  return (
    <article class="sibling">
      <pre tabIndex={0} role="group" aria-label="Value">
        {shown(sibling.value) || '(empty)'}
      </pre>
      <p class="note">
        {timeText(sibling.time)} · <code title={sibling.dot}>{shortDot(sibling.dot)}</code>
      </p>
      {onKeep === undefined ? null : <Button onClick={onKeep}>Keep this one</Button>}
    </article>
  );
}

const mergedText = ({ siblings }: ReadAnswer): string => siblings.map(({ value }) => textOf(value) ?? '').join('\n');

function timeText(time: number): string {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return `${isToday ? '' : `${dayOf.format(time)}, `}${timeOfDay.format(time)}`;
}

function Replicas({ replicas }: { readonly replicas: readonly ReplicaReceipt[] }) {
  return (
    <Table class="replicas" caption="Who said what" columns={['Peer', 'Role', 'What it said']}>
      {replicas.map((replica) => (
        <tr key={replica.peer} class={replica.state}>
          <th scope="row">
            <PeerName peer={replica.peer} />
          </th>
          <td>{{ primary: 'owner', fallback: 'stand-in', gaining: 'owner soon' }[replica.role]}</td>
          <td>{replicaText(replica)}</td>
        </tr>
      ))}
    </Table>
  );
}
