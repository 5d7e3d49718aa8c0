/** The last events, the newest first, each with its time. Equal ones in a row are counted instead of repeated. */

import type { MeshEvent } from 'ringmesh';
import { html } from './dom.ts';
import { eventLine } from './event-text.ts';
import type { MeshView } from './mesh-view.ts';

const linesMax = 150;
const timeOf = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

export class EventLog {
  readonly #list: HTMLOListElement;
  #last: { readonly text: string; readonly count: HTMLElement; times: number } | undefined;

  constructor(list: HTMLOListElement) {
    this.#list = list;
    this.#list.append(html('li', { class: 'empty' }, 'Nothing yet. Put a value, or stop a peer.'));
  }

  add(event: MeshEvent, view: MeshView | undefined): void {
    const line = eventLine(event, view);
    if (line === undefined) return;
    if (this.#last?.text === line.text) {
      this.#last.count.textContent = ` ×${++this.#last.times}`;
      return;
    }
    this.#list.querySelector('.empty')?.remove();
    const count = html('span', { class: 'count' });
    const at = new Date(event.at);
    this.#list.prepend(
      html('li', { class: line.tone }, html('time', { datetime: at.toISOString() }, timeOf.format(at)), html('span', {}, line.text, count)),
    );
    this.#last = { text: line.text, count, times: 1 };
    while (this.#list.childElementCount > linesMax) this.#list.lastElementChild?.remove();
  }
}
