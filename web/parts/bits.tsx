/** Small pieces that several parts of the page are made of. */

import type { ComponentChildren } from 'preact';
import { peerHue } from '../mesh/names.ts';
import { nameIn } from '../mesh/view.ts';
import { lit, view } from '../state.ts';

/** A peer's name in its colour; pointing at it lights its arcs. */
export function PeerName({ peer }: { readonly peer: string }) {
  return (
    <span
      class="peer"
      style={{ '--hue': peerHue(peer) }}
      onPointerEnter={() => (lit.value = peer)}
      onPointerLeave={() => (lit.value = undefined)}
    >
      <span class="swatch" aria-hidden="true" />
      {nameIn(view.value, peer)}
    </span>
  );
}

interface TableProperties {
  readonly class: string;
  readonly caption: string;
  readonly columns: readonly string[];
  /** Its rows. */
  readonly children: ComponentChildren;
}

export function Table({ class: look, caption, columns, children }: TableProperties) {
  return (
    <table class={look}>
      <caption>{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

interface ButtonProperties {
  readonly children: ComponentChildren;
  readonly onClick: () => unknown;
  readonly look?: 'primary' | 'quiet' | 'small';
  readonly disabled?: boolean;
  readonly title?: string;
}

export function Button({ children, onClick, look, disabled, title }: ButtonProperties) {
  return (
    <button type="button" class={look} onClick={() => void onClick()} disabled={disabled} title={title}>
      {children}
    </button>
  );
}

interface SliderProperties {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  /** The value in words. */
  readonly said: string;
  readonly onInput: (value: number) => void;
}

export function Slider({ label, value, min, max, step = 1, said, onInput }: SliderProperties) {
  return (
    <label class="slider">
      <span>{label}</span>
      <span class="said">{said}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={said}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
      />
    </label>
  );
}

export const msText = (ms: number): string => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;

export function bytesText(bytes: number): string {
  const [unit, size] = bytes < 1e6 ? (['kB', 1e3] as const) : bytes < 1e9 ? (['MB', 1e6] as const) : (['GB', 1e9] as const);
  return bytes < 1000 ? `${bytes} B` : `${(bytes / size).toFixed(1)} ${unit}`;
}

export const plural = (count: number, word: string): string => `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
