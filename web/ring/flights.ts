/** Messages on their way, as dots on a canvas over the ring: hundreds at a time cost one pass of drawing and no elements. It draws only while something moves. */

import { type Point, size } from './plane.ts';

export interface Flight {
  readonly from: Point;
  readonly to: Point;
  readonly colour: string;
  readonly radius: number;
}

/** What a canvas is told: how wide it is, in pixels, and what begins to fly. */
export type Order = { readonly type: 'size'; readonly pixels: number } | { readonly type: 'flights'; readonly flights: readonly Flight[] };

interface Begun extends Flight {
  readonly begins: number;
}

const flightMs = 650;
const flightsMax = 400;
const arrivedMs = 250;

/** Slow at both ends. */
const easeInOut = (part: number): number => (part < 0.5 ? 2 * part * part : 1 - (2 - 2 * part) ** 2 / 2);

export class Flights {
  readonly #canvas: HTMLCanvasElement | OffscreenCanvas;
  #flights: Begun[] = [];
  #frame = 0;

  constructor(canvas: HTMLCanvasElement | OffscreenCanvas) {
    this.#canvas = canvas;
  }

  obey(order: Order): void {
    if (order.type === 'size') this.#canvas.width = this.#canvas.height = order.pixels;
    else for (const flight of order.flights) this.#add(flight);
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#flights = [];
  }

  #add(flight: Flight): void {
    if (this.#flights.length >= flightsMax) return;
    this.#flights.push({ ...flight, begins: performance.now() });
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  }

  #draw = (now: number): void => {
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const { width } = this.#canvas;
    const scale = width / size;
    context.setTransform(scale, 0, 0, scale, width / 2, width / 2);
    context.clearRect(-size / 2, -size / 2, size, size);
    this.#flights = this.#flights.filter((flight) => now - flight.begins < flightMs + arrivedMs);
    // A frame may have begun before the flight.
    for (const flight of this.#flights) drawFlight(context, flight, Math.max(0, now - flight.begins));
    context.globalAlpha = 1;
    this.#frame = this.#flights.length > 0 ? requestAnimationFrame(this.#draw) : 0;
  };
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

function drawFlight(context: Context, { from, to, colour, radius }: Flight, elapsed: number): void {
  const part = easeInOut(Math.min(1, elapsed / flightMs));
  const gone = Math.max(0, (elapsed - flightMs) / arrivedMs);
  context.fillStyle = colour;
  context.strokeStyle = colour;
  const x = from.x + (to.x - from.x) * part;
  const y = from.y + (to.y - from.y) * part;
  if (gone === 0 && (from.x !== to.x || from.y !== to.y)) {
    // A short tail says where it comes from.
    context.globalAlpha = 0.35;
    context.lineWidth = radius * 0.8;
    context.beginPath();
    const before = easeInOut(Math.max(0, elapsed / flightMs - 0.12));
    context.moveTo(from.x + (to.x - from.x) * before, from.y + (to.y - from.y) * before);
    context.lineTo(x, y);
    context.stroke();
  }
  context.globalAlpha = 1 - gone;
  context.beginPath();
  context.arc(x, y, radius * (1 + gone * 2), 0, 2 * Math.PI);
  if (gone === 0) context.fill();
  else {
    context.lineWidth = 1.5;
    context.stroke();
  }
}
