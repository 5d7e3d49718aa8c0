/** The races for a quorum that peers tell of: who was asked when, who answered when, and whose answer decided. The newest come first. */

import type { MeshEvent } from 'ringmesh';
import type { Told } from './types.ts';

type HopEvent = Extract<MeshEvent, { type: 'hop' }>;
type AnswerEvent = Extract<MeshEvent, { type: 'answer' }>;

export interface Runner {
  readonly peer: string;
  readonly role: 'primary' | 'fallback' | 'gaining';
  /** Milliseconds after the beginning. */
  readonly askedMs: number;
  readonly answer: Pick<AnswerEvent, 'state' | 'ms' | 'made' | 'late'> | undefined;
}

export interface Race {
  readonly id: string;
  readonly kind: 'put' | 'get';
  /** The peer that asks the others. */
  readonly by: string;
  readonly position: number;
  readonly startedAt: number;
  readonly runners: readonly Runner[];
}

const racesMax = 200;

export class Races {
  readonly #races = new Map<string, Race>();

  /** Takes an event in; true when it belongs to a race. */
  hear({ by, event }: Told): boolean {
    if (event.type === 'hop' && event.kind !== 'put') this.#asked(by, event);
    else if (event.type === 'answer') this.#answered(by, event);
    else return false;
    return true;
  }

  /** The newest race for a place on the ring. */
  latest(position: number, kind: Race['kind']): Race | undefined {
    let found: Race | undefined;
    for (const race of this.#races.values()) if (race.position === position && race.kind === kind) found = race;
    return found;
  }

  #asked(by: string, { run, kind, position, to, role, at }: HopEvent): void {
    const id = `${by}/${run}`;
    const known = this.#races.get(id);
    const race: Race = known ?? { id, kind: kind === 'fetch' ? 'get' : 'put', by, position, startedAt: at, runners: [] };
    const runner: Runner = { peer: to, role, askedMs: at - race.startedAt, answer: undefined };
    this.#races.set(id, { ...race, runners: [...race.runners, runner] });
    if (known !== undefined) return;
    const [oldest] = this.#races.keys();
    if (this.#races.size > racesMax && oldest !== undefined) this.#races.delete(oldest);
  }

  #answered(by: string, { run, peer, state, ms, made, late }: AnswerEvent): void {
    const id = `${by}/${run}`;
    const race = this.#races.get(id);
    if (race === undefined) return;
    const runners = race.runners.map((runner) =>
      runner.peer === peer && runner.answer === undefined ? { ...runner, answer: { state, ms, made, late } } : runner,
    );
    this.#races.set(id, { ...race, runners });
  }
}
