/** A history as one walk through time: what begins and what ends, one after the other. */

export interface Moment {
  readonly at: number;
  /** At one instant what begins (0, 1) comes before what ends (2): only what surely ended earlier counts. */
  readonly order: number;
  readonly happen: () => void;
}

export const inTime = (moments: Moment[]): Moment[] => moments.sort((a, b) => a.at - b.at || a.order - b.order);
