/** The worker that draws the dots: the first message is the canvas, the others are orders. */

import { Flights, type Order } from './flights.ts';

let flights: Flights | undefined;

addEventListener('message', ({ data }: MessageEvent<OffscreenCanvas | Order>) => {
  if (data instanceof OffscreenCanvas) flights = new Flights(data);
  else flights?.obey(data);
});
