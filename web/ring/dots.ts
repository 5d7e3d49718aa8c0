/**
 * Lets dots fly over the ring. They are drawn in a worker, so that each of their frames costs the page's own thread nothing; where a browser has no canvas for workers,
 * here.
 */

import { startWorker } from '../worker.ts';
import { type Flight, Flights, type Order } from './flights.ts';

export class Dots {
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #resizing: ResizeObserver;
  readonly #order: (order: Order) => void;
  readonly #end: () => void;
  readonly #waiting: Flight[] = [];

  constructor(canvas: HTMLCanvasElement) {
    if ('transferControlToOffscreen' in canvas) {
      const worker = startWorker('dots');
      const offscreen = canvas.transferControlToOffscreen();
      worker.postMessage(offscreen, [offscreen]);
      this.#order = (order) => worker.postMessage(order);
      this.#end = () => worker.terminate();
    } else {
      const flights = new Flights(canvas);
      this.#order = (order) => flights.obey(order);
      this.#end = () => flights.close();
    }
    this.#resizing = new ResizeObserver(() => this.#order({ type: 'size', pixels: Math.round(canvas.clientWidth * devicePixelRatio) }));
    this.#resizing.observe(canvas);
  }

  /** Who asks itself pulses where it is. */
  send(flight: Flight): void {
    if (this.#still.matches || document.hidden) return;
    // Those that are told of together go together.
    if (this.#waiting.push(flight) === 1) queueMicrotask(() => this.#order({ type: 'flights', flights: this.#waiting.splice(0) }));
  }

  close(): void {
    this.#resizing.disconnect();
    this.#end();
  }
}
