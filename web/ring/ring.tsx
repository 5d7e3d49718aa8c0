/** The ring: who owns which arc, the peers on their seats, where a key lies and which peers keep it, and messages on their way between them. */

import { computed, signal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { MemberView, RingView } from 'ringmesh';
import { peerHue, percent } from '../mesh/names.ts';
import { standInOf } from '../mesh/stand-in.ts';
import type { Told } from '../mesh/types.ts';
import { type MeshView, nameIn, standingOf } from '../mesh/view.ts';
import { breaking, chosen, lit, onTold, placement, view } from '../state.ts';
import { PeerName } from '../parts/bits.tsx';
import { Facts } from '../parts/facts.tsx';
import { Dots } from './dots.ts';
import { size } from './plane.ts';
import { linkPath, markPoint, ownedArcs, seat, seatRadius, track } from './shapes.ts';

/** The peer whose seat or arcs are pointed at, or whose seat has the focus. */
const pointed = signal<string | undefined>(undefined);

export type Colouring = 'peer' | 'class' | 'state';
export const colouring = signal<Colouring>('peer');

const labelledMax = 16;
const labelMax = 9;
const classHues = { server: 255, tab: 45, ephemeral: 330 } as const;
const stateHues = { alive: 155, joining: 225, leaving: 295, suspect: 80, dead: 27, left: 280, removed: 280 } as const;

function hueOf(member: MemberView, by: Colouring): number {
  if (by === 'class') return classHues[member.class];
  return by === 'state' ? stateHues[standingOf(member)] : peerHue(member.peer);
}

/** What the colours stand for, where it is not the peers themselves: those that are to be seen now. */
export function ColourKey() {
  const by = colouring.value;
  const members = view.value?.members ?? [];
  if (by === 'peer')
    return <>Each stripe is a place on the ring, in the colour of the peer that owns it. Point at a peer to see its stripes alone.</>;
  const words = new Map(members.map((member) => [by === 'class' ? member.class : standingOf(member), hueOf(member, by)]));
  return (
    <>
      Each stripe is a place on the ring, in the colour of its peer’s {by}:{' '}
      {[...words].map(([word, hue]) => (
        <span key={word} class="peer" style={{ '--hue': hue }}>
          <span class="swatch" aria-hidden="true" /> {word}{' '}
        </span>
      ))}
    </>
  );
}

/** Bound to the element: who is lit changes with each move of the pointer, and draws nothing else anew. */
const ringLook = computed(() => (lit.value === undefined ? 'ring' : 'ring focused'));

const viewBox = `${-size / 2} ${-size / 2} ${size} ${size}`;

/** Layers over each other, each painted for itself: the band of arcs, which seldom changes; the peers on their seats; and what flies between them. */
export function Ring() {
  const seen = view.value;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => (canvas.current === null ? undefined : drawMessages(canvas.current)), []);
  return (
    <div class={ringLook}>
      {seen === undefined ? <Band paths={[]} hues={[]} /> : <Bands view={seen} />}
      <svg viewBox={viewBox} role="group" aria-label="The ring and its peers">
        {seen === undefined ? null : <LitArcs view={seen} />}
        {seen === undefined ? null : <KeyLines view={seen} />}
        {seen === undefined ? null : <Seats view={seen} />}
        {seen === undefined ? (
          <text class="waiting" y="5">
            Looking for the mesh…
          </text>
        ) : null}
      </svg>
      <canvas ref={canvas} aria-hidden="true" />
      {seen === undefined ? null : <PointedAt view={seen} />}
    </div>
  );
}

interface Drawn {
  readonly view: MeshView;
}

interface BandProperties {
  readonly paths: readonly string[];
  readonly hues: readonly number[];
  readonly peers?: readonly string[];
  readonly stateOf?: (peer: string) => string;
  readonly leaving?: boolean;
}

function Band({ paths, hues, peers = [], stateOf, leaving = false }: BandProperties) {
  return (
    <svg viewBox={viewBox} class={leaving ? 'band leaving' : 'band'} aria-hidden="true">
      <path class="track" d={track} />
      {paths.map((d, index) => {
        const peer = peers[index];
        return (
          <path
            key={peer ?? index}
            d={d}
            class={`arc ${peer === undefined ? '' : (stateOf?.(peer) ?? '')}`}
            style={{ '--hue': hues[index] }}
            onPointerEnter={() => point(peer)}
            onPointerLeave={() => point(undefined)}
            onClick={() => choose(peer)}
          />
        );
      })}
    </svg>
  );
}

const pathsOf = new WeakMap<RingView, readonly string[]>();

function arcsOf(ring: RingView): readonly string[] {
  const known = pathsOf.get(ring);
  if (known !== undefined) return known;
  const paths = ownedArcs(ring);
  pathsOf.set(ring, paths);
  return paths;
}

function huesOf({ ring, members }: MeshView): number[] {
  const byPeer = new Map(members.map((member) => [member.peer, member]));
  return ring.members.map(({ peer }) => {
    const member = byPeer.get(peer);
    return member === undefined ? 0 : hueOf(member, colouring.value);
  });
}

/** When the ring changes, the old arcs fade over the new ones. */
function Bands({ view: seen }: Drawn) {
  const { ring, members } = seen;
  const before = useRef<{ digest: string; paths: readonly string[]; hues: readonly number[] } | undefined>(undefined);
  const drawn = useRef<typeof before.current>(undefined);
  const paths = arcsOf(ring);
  const hues = huesOf(seen);
  if (drawn.current !== undefined && drawn.current.digest !== ring.digest) before.current = drawn.current;
  drawn.current = { digest: ring.digest, paths, hues };
  const states = new Map(members.map(({ peer, state }) => [peer, state]));
  return (
    <>
      <Band
        key={ring.digest}
        paths={paths}
        hues={hues}
        peers={ring.members.map(({ peer }) => peer)}
        stateOf={(peer) => states.get(peer) ?? ''}
      />
      {before.current === undefined ? null : (
        <Band key={`${before.current.digest} fades`} paths={before.current.paths} hues={before.current.hues} leaving />
      )}
    </>
  );
}

/** The arcs of the peer that is pointed at, once more over the others, which are faint then. */
function LitArcs({ view: seen }: Drawn) {
  const { ring } = seen;
  const index = ring.members.findIndex(({ peer }) => peer === lit.value);
  return index < 0 ? null : <path class="arc lit" d={arcsOf(ring)[index]} style={{ '--hue': huesOf(seen)[index] }} />;
}

function KeyLines({ view: { members } }: Drawn) {
  const placed = placement.value;
  if (placed === undefined) return null;
  const { x, y } = markPoint(placed.position);
  const standIn = standInOf(placed, members);
  const line = (peer: string, kind: string) => {
    const index = members.findIndex((member) => member.peer === peer);
    const member = members[index];
    if (member === undefined) return null;
    const d = linkPath(placed.position, index, members.length);
    return <path key={peer} class={`link ${kind} ${member.state}`} d={d} style={{ '--hue': hueOf(member, colouring.value) }} />;
  };
  return (
    <g aria-hidden="true">
      {standIn === undefined ? null : line(standIn, 'standIn')}
      {placed.primaries.map((peer) => line(peer, 'primary'))}
      <g class="mark" style={{ transform: `translate(${x}px, ${y}px)` }}>
        <circle r="9" />
        <circle r="3.5" class="core" />
      </g>
    </g>
  );
}

function Seats({ view: seen }: Drawn) {
  const { members } = seen;
  const group = useRef<SVGGElement>(null);
  const focusable = members.some(({ peer }) => peer === chosen.value) ? chosen.value : members[0]?.peer;
  /** One seat is reached with Tab, the others from there with the arrow keys. */
  const move = (event: KeyboardEvent, index: number): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = group.current?.children[(index + step + members.length) % members.length];
      if (next instanceof SVGElement) next.focus();
    }
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(members[index]?.peer);
    }
  };
  return (
    <g ref={group}>
      {members.map((member, index) => (
        <Seat
          key={member.peer}
          view={seen}
          member={member}
          index={index}
          focusable={member.peer === focusable}
          onKeyDown={(event) => move(event, index)}
        />
      ))}
    </g>
  );
}

interface SeatProperties extends Drawn {
  readonly member: MemberView;
  readonly index: number;
  readonly focusable: boolean;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

function Seat({ view: seen, member, index, focusable, onKeyDown }: SeatProperties) {
  const { peer, state } = member;
  const count = seen.members.length;
  const { x, y } = seat(index, count);
  const radius = seatRadius(count, member.share);
  const name = nameIn(seen, peer);
  const isSelf = peer === seen.self;
  const holds = placement.value?.primaries.includes(peer) === true;
  const paused = breaking.value?.lives.value.get(peer) === 'paused';
  const sign = state === 'dead' ? '×' : paused ? '‖' : state === 'suspect' ? '?' : '';
  const classes = ['seat', state, isSelf && 'self', holds && 'holds', peer === chosen.value && 'chosen'].filter(Boolean).join(' ');
  const enter = (): void => point(peer);
  const leave = (): void => point(undefined);
  return (
    <g
      role="button"
      tabIndex={focusable ? 0 : -1}
      class={classes}
      style={{ '--hue': hueOf(member, colouring.value), transform: `translate(${x}px, ${y}px)` }}
      aria-label={`${name}: ${paused ? 'standing still' : standingOf(member)}, holds ${percent(member.share)} of the copies${isSelf ? ', the page looks through its eyes' : ''}`}
      aria-describedby="pointed"
      onPointerEnter={enter}
      onPointerLeave={leave}
      onFocus={enter}
      onBlur={leave}
      onClick={() => choose(peer)}
      onKeyDown={onKeyDown}
    >
      {member.class === 'server' ? (
        <circle class="body" r={radius} />
      ) : (
        <rect class="body" x={-radius} y={-radius * 0.78} width={radius * 2} height={radius * 1.56} rx={radius * 0.3} />
      )}
      {count > labelledMax ? null : (
        <text class="name" dy="0.35em" style={{ '--seat': `${radius}px` }}>
          {name.length > labelMax ? `${name.slice(0, labelMax - 1)}…` : name}
        </text>
      )}
      {sign === '' ? null : (
        <text class="sign" dy="0.35em" transform={`translate(${radius * 0.72} ${-radius * 0.72})`} font-size={Math.max(12, radius * 0.75)}>
          {sign}
        </text>
      )}
    </g>
  );
}

function point(peer: string | undefined): void {
  pointed.value = peer;
  lit.value = peer;
}

/** What there is to know of the peer that is pointed at, on the side of its seat where there is more room. */
function PointedAt({ view: { members } }: Drawn) {
  const index = members.findIndex(({ peer }) => peer === pointed.value);
  const member = members[index];
  if (member === undefined) return null;
  const { x, y } = seat(index, members.length);
  return (
    <div
      role="tooltip"
      id="pointed"
      class={`card pointed ${y > 0 ? 'above' : 'below'}`}
      style={{ '--x': x / size + 0.5, '--y': y / size + 0.5 }}
    >
      <h3>
        <PeerName peer={member.peer} />
      </h3>
      <Facts key={member.peer} member={member} short />
    </div>
  );
}

export function choose(peer: string | undefined): void {
  chosen.value = chosen.value === peer ? undefined : peer;
}

/** Lets dots fly as the peers tell of messages, until the returned function ends it. */
function drawMessages(canvas: HTMLCanvasElement): () => void {
  const dots = new Dots(canvas);
  const colours = { ask: '', standIn: '', answer: '', repair: '' };
  const readColours = (): void => {
    const style = getComputedStyle(canvas);
    colours.ask = style.getPropertyValue('--text');
    colours.standIn = style.getPropertyValue('--warning');
    colours.answer = style.getPropertyValue('--muted');
    colours.repair = style.getPropertyValue('--good');
  };
  readColours();
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', readColours);
  const stop = onTold((one) => {
    const seen = view.peek();
    if (seen === undefined) return;
    const flight = flightOf(one);
    if (flight === undefined) return;
    const [from, to] = [flight.from, flight.to].map((peer) => seen.members.findIndex((member) => member.peer === peer));
    if (from === undefined || to === undefined || from < 0 || to < 0) return;
    const count = seen.members.length;
    const radius = (flight.kind === 'answer' ? 3 : 4.5) * (count > labelledMax ? 0.6 : 1);
    dots.send({ from: seat(from, count), to: seat(to, count), colour: colours[flight.kind], radius });
  });
  return () => {
    stop();
    dark.removeEventListener('change', readColours);
    dots.close();
  };
}

interface FlightOf {
  readonly from: string;
  readonly to: string;
  readonly kind: 'ask' | 'standIn' | 'answer' | 'repair';
}

function flightOf({ by, event }: Told): FlightOf | undefined {
  switch (event.type) {
    case 'hop':
      return { from: by, to: event.to, kind: event.role === 'fallback' ? 'standIn' : 'ask' };
    case 'answer': {
      const good = event.state === 'stored' || event.state === 'answered';
      return good && event.peer !== by ? { from: event.peer, to: by, kind: 'answer' } : undefined;
    }
    case 'compare':
      return event.different > 0 ? { from: by, to: event.peer, kind: 'repair' } : undefined;
    case 'readRepair':
      return { from: by, to: event.peer, kind: 'repair' };
    case 'hint':
      return event.action === 'delivered' ? { from: by, to: event.owner, kind: 'standIn' } : undefined;
    default:
      return undefined;
  }
}

/** Keeps what is chosen and lit among the peers that are there. */
export function useSoundChoice(): void {
  useSignalEffect(() => {
    const members = view.value?.members ?? [];
    const isThere = (peer: string | undefined): boolean => members.some((member) => member.peer === peer);
    if (chosen.value !== undefined && !isThere(chosen.value)) chosen.value = undefined;
    if (lit.value !== undefined && !isThere(lit.value)) point(undefined);
  });
}
