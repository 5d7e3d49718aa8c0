/**
 * A running hash over everything that happens in a run. Two runs of one seed that differ anywhere differ in it, so a mistake against determinism is
 * found the first time and not when a failure cannot be repeated. 64 bits, mixed as in MurmurHash3; it guards against accidents, not against enemies.
 */

/** All kinds of events there are; their order is part of the hash. */
const eventKinds = ['message', 'gossip', 'up', 'down', 'dial', 'disk', 'wake', 'life', 'client', 'fault', 'watch', 'mover'] as const;
export type EventKind = (typeof eventKinds)[number];

const kindNumbers = Object.fromEntries(eventKinds.map((kind, index) => [kind, index])) as Record<EventKind, number>;

function mix(state: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const mixed = state ^ Math.imul(k, 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export class EventHash {
  #low = 0x9747b28c;
  #high = 0x3c6ef372;

  add(at: number, kind: EventKind, who: number, detail: number): void {
    const what = (kindNumbers[kind] << 16) | (who & 0xffff);
    // `|` takes the lower 32 bits.
    this.#low = mix(mix(this.#low, at | 0), detail | 0);
    this.#high = mix(mix(this.#high, what), this.#low);
  }

  get text(): string {
    const word = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');
    return word(this.#high) + word(this.#low);
  }
}

/** FNV-1a over a text, 32 bits: names streams of randomness and marks messages. */
export function textHash(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
