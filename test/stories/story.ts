/**
 * A story: a few peers in the simulator, what one does to them, and who then says what to whom, as a text for people.
 *
 * Only what concerns the story's key is told; gossip, probes and the comparing of trees are left out. Times are virtual milliseconds since the story began, and
 * those at which a message arrives.
 */

import type { CoreEvent } from '../../src/core/events.ts';
import { Cluster } from '../../src/sim/cluster.ts';
import { World } from '../../src/sim/world.ts';
import { get, held, placesOf, put, type PutStory, remove } from '../sim/support/story.ts';
import type { PutOutcome } from '../../src/core/messages.ts';
import type { VersionVector } from '../../src/core/versions.ts';

/** Its primaries are A, B and C, and then come D and E, as one goes around the ring. */
export const key = 'cart-91';

const legend = [
  'A to E lie clockwise on the ring; the key belongs to A, B and C (N=3), D and E are the fallbacks.',
  'a:2 is the second version that A’s store has made, † marks a delete, and {a:2} knows the first two. a′ is A’s store under its next name.',
];

export class Story {
  readonly cluster: Cluster;
  readonly #lines: string[];
  readonly #names = new Map<string, string>();
  /** Calls that were told: their answers are told, too. */
  readonly #calls = new Set<string>();
  #startMs = Infinity;

  constructor(title: string, seed = 1) {
    this.#lines = [title, '='.repeat(title.length), '', ...legend];
    const world = new World(seed, (atMs, line) => this.#hear(atMs, line));
    this.cluster = new Cluster(world, {
      peers: 5,
      network: { latencyMs: [1, 9] },
      storage: { readMs: [0.1, 0.5], commitMs: [1, 3], lateAnswers: 0 },
    });
    this.cluster.onEvent((peer, event) => this.#observe(peer, event));
    this.cluster.startAll();
    if (!world.runUntil(() => this.cluster.whole, 10_000)) throw new Error('the mesh did not come together');
    world.runFor(3000);
    const { primaries, fallbacks } = placesOf(this.cluster, key);
    if ([...primaries, ...fallbacks].join('') !== '01234') throw new Error(`${key} lies elsewhere: choose another key`);
    this.#startMs = world.nowMs;
  }

  get text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  /** Begins a paragraph. */
  say(text: string): void {
    this.#lines.push('', text);
  }

  #tell(line: string): void {
    const { nowMs } = this.cluster.world;
    if (nowMs < this.#startMs) return;
    this.#lines.push(`${(nowMs - this.#startMs).toFixed(1).padStart(10)}  ${this.#named(line)}`);
  }

  #hear(atMs: number, line: string): void {
    if (atMs < this.#startMs) return;
    const [, from = '', to = '', said = '', id = ''] = /^(\S+) → (\S+): (.*) \((\d+)\)$/.exec(line) ?? [];
    if (id === '') {
      if (!line.includes('→') && !/\b(get|put|delete) cart-(?!91)/.test(line) && !/(asked|answers): local/.test(line)) this.#tell(line);
      return;
    }
    if (said.includes(key)) this.#calls.add(`${from}${to}${id}`);
    else if (!this.#calls.delete(`${to}${from}${id}`)) return;
    this.#tell(`${from} → ${to}   ${said}`);
  }

  #observe(peer: number, event: CoreEvent): void {
    const { id } = this.cluster.peer(peer);
    switch (event.type) {
      case 'hint':
        return this.#tell(
          event.action === 'stored' ? `${id} keeps a hint for ${event.owner}` : `${id} is rid of the hint for ${event.owner}`,
        );
      case 'readRepair':
        return this.#tell(`${id} repairs ${event.peer}, which was behind`);
      case 'exchange':
        return this.#tell(`${id} and ${event.peer} have compared their trees: ${event.different} key was not the same`);
      case 'amnesia':
        return this.#tell(`${id} knows that it has forgotten: ${event.reason}`);
      default:
    }
  }

  /** Stores by the letter of their peer, with a stroke for each name after the first. */
  #named(line: string): string {
    return line.replaceAll(/\b([0-9a-f]{4})\.(\d+)(?=:)/g, (actor, store: string) => {
      const known = this.#names.get(actor);
      if (known !== undefined) return known;
      const peer = this.cluster.peers.find(({ core }) => core?.replica.actor.startsWith(store) === true);
      const letter = (peer?.id ?? '?').toLowerCase();
      const strokes = [...this.#names.values()].filter((name) => name.startsWith(letter)).length;
      const name = letter + '′'.repeat(strokes);
      this.#names.set(actor, name);
      return name;
    });
  }

  put(peer: number, value: string, options: PutStory = {}): PutOutcome {
    const outcome = put(this.cluster, peer, key, value, options);
    this.rest();
    return outcome;
  }

  get(peer: number, options: Parameters<typeof get>[3] = {}): { values: string[]; context: VersionVector } {
    const answer = get(this.cluster, peer, key, options);
    this.rest();
    return answer;
  }

  remove(peer: number, context: VersionVector): void {
    remove(this.cluster, peer, key, context);
    this.rest();
  }

  /** Until what goes on after an answer has gone its way. */
  rest(ms = 600): void {
    this.cluster.world.runFor(ms);
  }

  /** What each peer holds in the end. */
  showAll(): void {
    const one = (peer: number): string => held(this.cluster, peer, key).join(' and ') || 'nothing';
    const all = this.cluster.peers.map(({ id, index, up }) => `${id} ${up ? one(index) : 'is dead'}`);
    this.#lines.push('', `They hold: ${all.join(', ')}.`);
  }

  kill(peer: number): void {
    this.cluster.peer(peer).kill();
    if (!this.cluster.world.runUntil(() => this.cluster.allSee(peer, 'dead'), 20_000)) throw new Error('nobody has noticed');
  }

  start(...peers: number[]): void {
    for (const peer of peers) this.cluster.peer(peer).start();
    this.wait(() => this.cluster.whole);
  }

  /** Until the primaries hold the same, looked at now and then. */
  waitUntilEqual(): void {
    for (let tries = 0; tries < 100; tries++) {
      if (new Set([0, 1, 2].map((peer) => held(this.cluster, peer, key).join())).size === 1) return this.rest();
      this.rest(3000);
    }
    throw new Error('they do not become equal');
  }

  wait(condition: () => boolean, ms = 120_000): void {
    if (!this.cluster.world.runUntil(condition, ms)) throw new Error('the story does not go on');
    this.rest();
  }
}
