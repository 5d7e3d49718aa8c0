/** The square on which the ring is drawn, its middle at 0, in units of its own. */

export const size = 504;

export interface Point {
  readonly x: number;
  readonly y: number;
}
