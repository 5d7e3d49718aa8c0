/** The state of simulated links, their settings, and what is counted about them. */

export interface NetworkOptions {
  /** Least and most milliseconds of one way. */
  readonly latencyMs: readonly [number, number];
  /** After how long a link over which nothing comes through is given up for dead. */
  readonly keepAliveMs: readonly [number, number];
  /** Frames held back in one direction before `send` says no. */
  readonly heldMax: number;
  /** Every message goes through the codec. */
  readonly codec: boolean;
}

export const defaultNetworkOptions: NetworkOptions = { latencyMs: [0.1, 4], keepAliveMs: [4000, 15_000], heldMax: 5000, codec: true };

/**
 * Probabilities per frame. A lost frame takes its link with it, as the network's contract has it; duplicates, reordering and replay of frames are beyond that
 * contract. Gossip promises nothing.
 */
export interface FrameFaults {
  loss: number;
  delay: number;
  delayMaxMs: number;
  duplicate: number;
  reorder: number;
  /** A frame comes again some time later. */
  replay: number;
  gossipLoss: number;
  gossipDuplicate: number;
}

export const noFrameFaults: FrameFaults = {
  loss: 0,
  delay: 0,
  delayMaxMs: 300,
  duplicate: 0,
  reorder: 0,
  replay: 0,
  gossipLoss: 0,
  gossipDuplicate: 0,
};

/** One direction of a link, and the end of it that sends. */
export interface Direction<F> {
  readonly from: number;
  readonly to: number;
  /** The sending end believes that the link stands. */
  up: boolean;
  /** Of the link when this end last heard that it is up. */
  generation: number;
  /** The sending end wants this link and dials when it is not there. */
  wanted: boolean;
  dialling: boolean;
  failures: number;
  /** How many reasons there are now to hold frames back. */
  cuts: number;
  /** Rises with each mending. */
  cutCount: number;
  held: F[];
  /** When the other end will have heard that the link is up, in virtual milliseconds. */
  readyAt: number;
  /** No frame in order arrives before this one. */
  lastAt: number;
}

export interface Link<F> {
  open: boolean;
  /** Rises each time that it is established. */
  generation: number;
  readonly sides: readonly [Direction<F>, Direction<F>];
}

function openDirection<F>(from: number, to: number): Direction<F> {
  const state = { up: false, generation: 0, wanted: false, dialling: false, failures: 0 };
  return { from, to, ...state, cuts: 0, cutCount: 0, held: [], readyAt: 0, lastAt: 0 };
}

export const openLink = <F>(a: number, b: number): Link<F> => ({
  open: false,
  generation: 0,
  sides: [openDirection(a, b), openDirection(b, a)],
});

/** The direction in which `who` sends. */
export const sideOf = <F>(link: Link<F>, who: number): Direction<F> => (link.sides[0].from === who ? link.sides[0] : link.sides[1]);

export interface NetworkCounters {
  sent: number;
  sentBytes: number;
  delivered: number;
  links: number;
  resets: number;
  lost: number;
  lostWithLink: number;
  held: number;
  delayed: number;
  duplicated: number;
  reordered: number;
  replayed: number;
  gossipSent: number;
  gossipBytes: number;
  gossipLost: number;
  gossipDuplicated: number;
  readonly byName: Map<string, number>;
}

export function newCounters(): NetworkCounters {
  const frames = { sent: 0, sentBytes: 0, delivered: 0, links: 0, resets: 0, lost: 0, lostWithLink: 0, held: 0 };
  const faults = {
    delayed: 0,
    duplicated: 0,
    reordered: 0,
    replayed: 0,
    gossipSent: 0,
    gossipBytes: 0,
    gossipLost: 0,
    gossipDuplicated: 0,
  };
  return { ...frames, ...faults, byName: new Map() };
}
