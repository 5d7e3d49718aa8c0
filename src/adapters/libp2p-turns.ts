/** Takes turns: of all that wait a few may go on at a time, and each gives its place up a random moment after it is done, so that peers do not act in step. */

const restMaxMs = 500;

export class Turns {
  readonly #placesMax: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** Runs the task when its turn comes. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#placesMax) this.#taken++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      setTimeout(() => this.#next(), Math.random() * restMaxMs);
    }
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
