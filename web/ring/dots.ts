/** Messages on their way, as dots on a canvas over the ring: hundreds at a time cost one pass of drawing and no elements. It draws only while something moves. */

import { easeInOut } from './ease.ts';
import { type Point, size } from './shapes.ts';

interface Flight {
  readonly from: Point;
  readonly to: Point;
  readonly colour: string;
  readonly radius: number;
  readonly begins: number;
}

const flightMs = 650;
const flightsMax = 400;
const arrivedMs = 250;

export class Dots {
  readonly #canvas: HTMLCanvasElement;
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)');
  #flights: Flight[] = [];
  #frame = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** Who asks itself pulses where it is. */
  send(from: Point, to: Point, colour: string, radius = 4.5): void {
    if (this.#still.matches || document.hidden || this.#flights.length >= flightsMax) return;
    this.#flights.push({ from, to, colour, radius, begins: performance.now() });
    if (this.#frame === 0) this.#frame = requestAnimationFrame(this.#draw);
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#flights = [];
  }

  #draw = (now: number): void => {
    const context = this.#canvas.getContext('2d');
    if (context === null) return;
    const pixels = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    if (this.#canvas.width !== pixels) this.#canvas.width = this.#canvas.height = pixels;
    const scale = pixels / size;
    context.setTransform(scale, 0, 0, scale, pixels / 2, pixels / 2);
    context.clearRect(-size / 2, -size / 2, size, size);
    this.#flights = this.#flights.filter((flight) => now - flight.begins < flightMs + arrivedMs);
    for (const flight of this.#flights) drawFlight(context, flight, now - flight.begins);
    context.globalAlpha = 1;
    this.#frame = this.#flights.length > 0 ? requestAnimationFrame(this.#draw) : 0;
  };
}

function drawFlight(context: CanvasRenderingContext2D, { from, to, colour, radius }: Flight, elapsed: number): void {
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
