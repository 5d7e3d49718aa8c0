/** The answer to the last request: what it means, the values side by side with a way to settle a conflict, and which replica said what. */

import type { ReplicaReceipt } from 'ringmesh';
import { headline, replicaText } from './answer-text.ts';
import { html } from './dom.ts';
import type { ReadAnswer, ReadSibling, Value } from './gateway.ts';
import { type MeshView, nameIn } from './mesh-view.ts';
import { peerHue } from './names.ts';
import type { Answer } from './requests.ts';
import { shown, textOf, valueOf } from './values.ts';

type Read = Extract<Answer, { type: 'read' }>;

export interface AnswerHooks {
  /** Settle the conflict with this value. */
  keep(read: Read, value: Value): void;
  /** Put this text into the form, to be written as the settlement. */
  edit(text: string): void;
}

const timeOfDay = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dayOf = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

export class AnswerPanel {
  readonly #root: HTMLElement;
  readonly #hooks: AnswerHooks;

  constructor(root: HTMLElement, hooks: AnswerHooks) {
    this.#root = root;
    this.#hooks = hooks;
  }

  busy(): void {
    this.#root.setAttribute('aria-busy', 'true');
  }

  show(answer: Answer, view: MeshView | undefined): void {
    this.#root.removeAttribute('aria-busy');
    const { tone, title, text } = headline(answer);
    const took = answer.type === 'failed' ? '' : `${answer.ms.toFixed(answer.ms < 10 ? 1 : 0)} ms`;
    const parts: Node[] = [html('h3', { class: tone }, title, html('span', { class: 'took' }, took)), html('p', {}, text)];
    if (answer.type === 'read') parts.push(this.#values(answer));
    if (answer.type !== 'failed') parts.push(replicaTable(answer.type === 'read' ? answer.answer.replicas : answer.receipt.replicas, view));
    this.#root.replaceChildren(...parts);
  }

  #values(read: Read): Node {
    const { siblings } = read.answer;
    const isConflict = siblings.length > 1;
    const cards = siblings.map((sibling) => this.#card(read, sibling, isConflict));
    const list = html('div', { class: 'siblings' }, ...cards);
    if (!isConflict) return list;
    const merge = html('button', { type: 'button', class: 'quiet' }, 'Merge by hand');
    merge.addEventListener('click', () => this.#hooks.edit(mergedText(read.answer)));
    return html('div', {}, list, merge);
  }

  #card(read: Read, sibling: ReadSibling, isConflict: boolean): HTMLElement {
    const value = valueOf(sibling);
    const card = html(
      'article',
      { class: 'sibling' },
      html('pre', { tabindex: 0, role: 'group', 'aria-label': 'Value' }, shown(value) || '(empty)'),
    );
    card.append(html('p', { class: 'note' }, `${timeText(sibling.time)} · `, html('code', { title: sibling.dot }, shortDot(sibling.dot))));
    if (!isConflict) return card;
    const keep = html('button', { type: 'button' }, 'Keep this one');
    keep.addEventListener('click', () => this.#hooks.keep(read, value));
    card.append(keep);
    return card;
  }
}

const mergedText = ({ siblings }: ReadAnswer): string => siblings.map((sibling) => textOf(valueOf(sibling)) ?? '').join('\n');

function timeText(time: number): string {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return `${isToday ? '' : `${dayOf.format(time)}, `}${timeOfDay.format(time)}`;
}

/** `actor:counter`, where the actor is a long random name. */
function shortDot(dot: string): string {
  const [actor = '', counter = ''] = dot.split(':');
  return `${actor.slice(0, 6)}…:${counter}`;
}

function replicaTable(replicas: readonly ReplicaReceipt[], view: MeshView | undefined): HTMLElement {
  const rows = replicas.map((replica) =>
    html(
      'tr',
      { class: replica.state, style: `--hue: ${peerHue(replica.peer)}` },
      html('th', { scope: 'row' }, html('span', { class: 'swatch', 'aria-hidden': 'true' }), nameIn(view, replica.peer)),
      html('td', {}, replica.role === 'primary' ? 'owner' : 'stand-in'),
      html('td', {}, replicaText(replica)),
    ),
  );
  const head = html('thead', {}, html('tr', {}, ...['Peer', 'Role', 'What it said'].map((name) => html('th', { scope: 'col' }, name))));
  return html('table', { class: 'replicas' }, html('caption', {}, 'Who said what'), head, html('tbody', {}, ...rows));
}
