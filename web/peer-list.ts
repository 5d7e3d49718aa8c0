/** The peers as a list: name, state and share at a glance, the rest when one is opened. One is open at a time; the drawing opens it as well. */

import type { MemberView } from 'ringmesh';
import { html } from './dom.ts';
import { classText, type MeshView, nameIn, stateText } from './mesh-view.ts';
import { peerHue, percent } from './names.ts';

/** A bar of full length stands for at least this share, so that equal peers do not all look full. */
const barMin = 0.4;

interface Row {
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly facts: HTMLDListElement;
}

export class PeerList {
  readonly #list: HTMLUListElement;
  readonly #highlight: (peer: string | undefined) => void;
  readonly #rows = new Map<string, Row>();
  #open: string | undefined;
  #view: MeshView | undefined;

  constructor(list: HTMLUListElement, highlight: (peer: string | undefined) => void) {
    this.#list = list;
    this.#highlight = highlight;
  }

  update(view: MeshView): void {
    this.#view = view;
    for (const [peer, { item }] of this.#rows) {
      if (view.members.some((member) => member.peer === peer)) continue;
      item.remove();
      this.#rows.delete(peer);
    }
    const full = Math.max(barMin, ...view.members.map((member) => member.share));
    view.members.forEach((member, index) => {
      const row = this.#row(member.peer);
      if (this.#list.children[index] !== row.item) this.#list.insertBefore(row.item, this.#list.children[index] ?? null);
      this.#fill(row, member, full);
    });
  }

  toggle(peer: string): void {
    this.#open = this.#open === peer ? undefined : peer;
    if (this.#view !== undefined) this.update(this.#view);
    this.#rows.get(peer)?.item.scrollIntoView({ block: 'nearest' });
  }

  #row(peer: string): Row {
    const known = this.#rows.get(peer);
    if (known !== undefined) return known;
    const button = html('button', { type: 'button', 'aria-expanded': 'false' });
    const facts = html('dl', { hidden: '' });
    const item = html('li', { style: `--hue: ${peerHue(peer)}` }, button, facts);
    button.addEventListener('click', () => this.toggle(peer));
    for (const name of ['pointerenter', 'focusin'] as const) item.addEventListener(name, () => this.#highlight(peer));
    for (const name of ['pointerleave', 'focusout'] as const) item.addEventListener(name, () => this.#highlight(undefined));
    const row = { item, button, facts };
    this.#rows.set(peer, row);
    return row;
  }

  #fill({ item, button, facts }: Row, member: MemberView, full: number): void {
    const isOpen = this.#open === member.peer;
    item.className = member.state;
    button.setAttribute('aria-expanded', `${isOpen}`);
    facts.hidden = !isOpen;
    const note = member.peer === this.#view?.self ? 'serves this page' : '';
    button.replaceChildren(
      html('span', { class: 'swatch', 'aria-hidden': 'true' }),
      html('span', { class: 'name' }, nameIn(this.#view, member.peer)),
      html('span', { class: 'note' }, note),
      html('span', { class: 'state' }, member.state),
      html('span', { class: 'share' }, percent(member.share)),
      html('span', { class: 'bar', 'aria-hidden': 'true', style: `--part: ${member.share / full}` }),
    );
    if (isOpen) facts.replaceChildren(...factsOf(member).flatMap(([name, text]) => [html('dt', {}, name), html('dd', {}, text)]));
  }
}

function factsOf(member: MemberView): [name: string, text: string | Node][] {
  const { gateway } = member;
  const reach = member.self
    ? 'it serves this page'
    : member.connected
      ? 'connected to the peer that serves this page'
      : 'not connected now';
  return [
    ['State', stateText[member.state]],
    ['Share', `${percent(member.share)} of all copies, by ${member.weight} places on the ring`],
    ['Class', classText[member.class]],
    ['Host', member.host],
    ['Reach', member.roundTripMs === undefined ? reach : `${reach}, ${member.roundTripMs.toFixed(1)} ms there and back`],
    ['Id', member.peer],
    ['Addresses', member.addresses.join(', ') || 'none: it dials others'],
    ...(gateway === undefined || !/^https?:\/\//.test(gateway)
      ? []
      : [['Gateway', html('a', { href: `${gateway}/v1/status` }, gateway)] as [string, Node]]),
  ];
}
