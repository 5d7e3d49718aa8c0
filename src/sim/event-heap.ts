/**
 * The queue of what is to happen, earliest first. Events of the same instant happen in the order in which they were added, so that a run never depends on
 * how the heap happens to lie.
 */

import type { EventKind } from './event-hash.ts';

export interface SimEvent {
  /** Whole microseconds of virtual time. */
  readonly at: number;
  readonly order: number;
  readonly kind: EventKind;
  /** Whom it happens to: the index of a peer or of a client. */
  readonly who: number;
  /** What else tells this event from others: a message's type and size, for one. */
  readonly detail: number;
  readonly run: () => void;
}

const before = (a: SimEvent, b: SimEvent): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class EventHeap {
  readonly #events: SimEvent[] = [];

  get size(): number {
    return this.#events.length;
  }

  first(): SimEvent | undefined {
    return this.#events[0];
  }

  push(event: SimEvent): void {
    const events = this.#events;
    let index = events.length;
    events.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = events[parent] as SimEvent;
      if (!before(event, above)) break;
      events[index] = above;
      index = parent;
    }
    events[index] = event;
  }

  pop(): SimEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (last === undefined || events.length === 0) return first;
    const { length } = events;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && before(events[child + 1] as SimEvent, events[child] as SimEvent)) child++;
      const smaller = events[child] as SimEvent;
      if (!before(smaller, last)) break;
      events[index] = smaller;
      index = child;
    }
    events[index] = last;
    return first;
  }
}
