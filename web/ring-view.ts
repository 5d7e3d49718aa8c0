/**
 * The ring as a drawing: a band of arcs, each in the colour of the peer that owns it, the peers inside, and the place of the key that is typed in, with
 * lines to the peers that hold it. Peers can be reached with the keyboard; colour is never the only sign of a state.
 */

import type { MemberView, MeshEvent, Placement } from 'ringmesh';
import { svg } from './dom.ts';
import { type MeshView, nameIn } from './mesh-view.ts';
import { peerHue, percent } from './names.ts';
import { linkPath, markPoint, ownedArcs, seat, seatRadius, size, track } from './ring-shapes.ts';
import { standInOf } from './stand-in.ts';

type Hop = Extract<MeshEvent, { type: 'hop' }>;

interface Seat {
  readonly group: SVGGElement;
  readonly circle: SVGCircleElement;
  readonly label: SVGTextElement;
  readonly sign: SVGTextElement;
}

const dotsMax = 80;
const flightMs = 650;
const labelledMax = 14;

export class RingDrawing {
  readonly #arcs = svg('g', { class: 'arcs', 'aria-hidden': 'true' });
  readonly #links = svg('g', { class: 'links', 'aria-hidden': 'true' });
  readonly #seats = svg('g', { class: 'seats' });
  readonly #dots = svg('g', { class: 'dots', 'aria-hidden': 'true' });
  readonly #mark = svg('g', { class: 'mark', 'aria-hidden': 'true' });
  readonly #root: SVGSVGElement;
  readonly #choose: (peer: string) => void;
  readonly #seatOf = new Map<string, Seat>();
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  #view: MeshView | undefined;
  #placement: Placement | undefined;
  #digest = '';
  #lit: string | undefined;

  constructor(root: SVGSVGElement, choose: (peer: string) => void) {
    this.#root = root;
    this.#choose = choose;
    root.setAttribute('viewBox', `${-size / 2} ${-size / 2} ${size} ${size}`);
    root.append(svg('path', { class: 'track', d: track }), this.#arcs, this.#links, this.#mark, this.#seats, this.#dots);
  }

  update(view: MeshView): void {
    this.#view = view;
    this.#drawArcs(view);
    this.#drawSeats(view);
    this.#drawPlacement();
    this.highlight(this.#lit);
  }

  /** The key's place and its peers; undefined when no key is typed in. */
  place(placement: Placement | undefined): void {
    this.#placement = placement;
    this.#drawPlacement();
  }

  /** Shows one peer's arcs alone, or all of them. */
  highlight(peer: string | undefined): void {
    this.#lit = peer;
    this.#root.classList.toggle('focused', peer !== undefined);
    for (const element of this.#root.querySelectorAll('[data-peer]'))
      element.classList.toggle('lit', element.getAttribute('data-peer') === peer);
  }

  /** A message on its way: a dot from this page's peer to another one. */
  hop(event: Hop): void {
    const from = this.#point(this.#view?.self);
    const to = this.#point(event.to);
    if (from === undefined || to === undefined || this.#still.matches || document.hidden || this.#dots.childElementCount >= dotsMax) return;
    const dot = svg('circle', { r: 5, class: `dot ${event.kind} ${event.role}` });
    this.#dots.append(dot);
    const frames =
      event.to === this.#view?.self
        ? [{ transform: `translate(${to.x}px, ${to.y}px)` }, { transform: `translate(${to.x}px, ${to.y}px) scale(5)`, opacity: 0 }]
        : [{ transform: `translate(${from.x}px, ${from.y}px)` }, { transform: `translate(${to.x}px, ${to.y}px)` }];
    dot.animate(frames, { duration: flightMs, easing: 'ease-in-out' }).finished.then(
      () => dot.remove(),
      () => dot.remove(),
    );
  }

  #point(peer: string | undefined): { x: number; y: number } | undefined {
    const onRing = this.#view?.members.filter(isOnRing) ?? [];
    const index = onRing.findIndex((member) => member.peer === peer);
    return index === -1 ? undefined : seat(index, onRing.length);
  }

  #drawArcs({ ring, members }: MeshView): void {
    const stateOf = new Map(members.map((member) => [member.peer, member.state]));
    if (ring.digest !== this.#digest) {
      this.#digest = ring.digest;
      const paths = ownedArcs(ring).map((d, index) => {
        const peer = ring.members[index]?.peer ?? '';
        const path = svg('path', { d, 'data-peer': peer, style: `--hue: ${peerHue(peer)}` });
        this.#listen(path, peer);
        return path;
      });
      this.#arcs.replaceChildren(...paths);
    }
    for (const path of this.#arcs.children) path.setAttribute('class', `arc ${stateOf.get(path.getAttribute('data-peer') ?? '') ?? ''}`);
  }

  #drawSeats(view: MeshView): void {
    const onRing = view.members.filter(isOnRing);
    const radius = seatRadius(onRing.length);
    for (const [peer, { group }] of this.#seatOf) {
      if (onRing.some((member) => member.peer === peer)) continue;
      group.remove();
      this.#seatOf.delete(peer);
    }
    onRing.forEach((member, index) => {
      const { group, circle, label, sign } = this.#seat(member.peer);
      const { x, y } = seat(index, onRing.length);
      const name = nameIn(view, member.peer);
      const serves = member.peer === view.self ? ', serves this page' : '';
      group.setAttribute('class', `seat ${member.state}${member.peer === view.self ? ' self' : ''}`);
      group.setAttribute('style', `--hue: ${peerHue(member.peer)}; transform: translate(${x}px, ${y}px)`);
      group.setAttribute('aria-label', `${name}: ${member.state}, holds ${percent(member.share)} of the copies${serves}`);
      circle.setAttribute('r', `${radius}`);
      label.textContent = onRing.length > labelledMax ? '' : name.length > 9 ? `${name.slice(0, 8)}…` : name;
      sign.setAttribute('transform', `translate(${radius * 0.72} ${-radius * 0.72})`);
      sign.setAttribute('font-size', `${Math.max(12, radius * 0.75)}`);
      sign.textContent = member.state === 'dead' ? '×' : member.state === 'suspect' ? '?' : '';
    });
  }

  #seat(peer: string): Seat {
    const known = this.#seatOf.get(peer);
    if (known !== undefined) return known;
    const circle = svg('circle');
    const label = svg('text', { class: 'name', dy: '0.35em' });
    const sign = svg('text', { class: 'sign', dy: '0.35em' });
    const group = svg('g', { role: 'button', tabindex: 0, 'data-peer': peer }, circle, label, sign);
    this.#listen(group, peer);
    group.addEventListener('focus', () => this.highlight(peer));
    group.addEventListener('blur', () => this.highlight(undefined));
    group.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.#choose(peer);
    });
    this.#seats.append(group);
    const made = { group, circle, label, sign };
    this.#seatOf.set(peer, made);
    return made;
  }

  #listen(element: SVGElement, peer: string): void {
    element.addEventListener('pointerenter', () => this.highlight(peer));
    element.addEventListener('pointerleave', () => this.highlight(undefined));
    element.addEventListener('click', () => this.#choose(peer));
  }

  #drawPlacement(): void {
    const placement = this.#placement;
    if (placement === undefined || this.#view === undefined) {
      this.#links.replaceChildren();
      this.#mark.replaceChildren();
      return;
    }
    const onRing = this.#view.members.filter(isOnRing);
    const link = (peer: string, kind: string): SVGPathElement[] => {
      const index = onRing.findIndex((member) => member.peer === peer);
      if (index === -1) return [];
      return [
        svg('path', {
          class: `link ${kind} ${onRing[index]?.state ?? ''}`,
          d: linkPath(placement.position, index, onRing.length),
          style: `--hue: ${peerHue(peer)}`,
        }),
      ];
    };
    const standIn = standInOf(placement, this.#view.members);
    this.#links.replaceChildren(
      ...(standIn === undefined ? [] : link(standIn, 'standIn')),
      ...placement.primaries.flatMap((peer) => link(peer, 'primary')),
    );
    const { x, y } = markPoint(placement.position);
    this.#mark.replaceChildren(svg('circle', { cx: x, cy: y, r: 9 }), svg('circle', { cx: x, cy: y, r: 3.5, class: 'core' }));
    for (const [peer, { group }] of this.#seatOf) group.classList.toggle('holds', placement.primaries.includes(peer));
  }
}

const isOnRing = (member: MemberView): boolean => member.state !== 'left' && member.state !== 'removed';
