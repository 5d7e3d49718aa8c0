/** A simulated mesh as the page sees it. It runs in a worker of its own; this asks it, and keeps what it tells. */

import { batch, signal } from '@preact/signals';
import type {
  BreakingMethod,
  Call,
  Chances,
  FromWorker,
  Look,
  Pace,
  ReplaySettings,
  RunState,
  SimulationSettings,
  ToWorker,
} from '../simulation/words.ts';
import { startWorker } from '../worker.ts';
import { type Breaking, type Door, type Life, type Mesh, MeshProblem, type Told, type Trial } from './types.ts';
import { meshView, type MeshView } from './view.ts';

type Start =
  | { readonly type: 'simulate'; readonly settings: SimulationSettings }
  | { readonly type: 'replay'; readonly settings: ReplaySettings };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: MeshProblem) => void;
}

export class SimulatedMesh implements Mesh {
  readonly kind = 'simulated';
  readonly view = signal<MeshView | undefined>(undefined);
  readonly lost = signal(false);
  readonly breaking = signal<Breaking | undefined>(undefined);
  readonly pace = signal<Pace>({ speed: 1, running: true });
  /** Virtual time, for the page to show. */
  readonly clock = signal(0);
  /** How fast it really goes. */
  readonly reached = signal(1);
  /** How the run of a seed does. */
  readonly run = signal<RunState | undefined>(undefined);
  readonly #worker = startWorker('simulation');
  readonly #lives = signal<ReadonlyMap<string, Life>>(new Map());
  readonly #sides = signal<readonly (readonly string[])[] | undefined>(undefined);
  readonly #listeners = new Set<(told: Told) => void>();
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(start: Start) {
    this.breaking.value = this.#breaking();
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => this.#heard(data));
    this.#worker.addEventListener('error', () => (this.lost.value = true));
    this.#say(start);
    document.addEventListener('visibilitychange', this.#sayPace);
  }

  follow(listener: (told: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** All that happens in it is told anyway. */
  watch = (): (() => void) => () => {};

  door = (peer?: string): Door => {
    const ask = <T>(method: keyof Door, ...given: readonly unknown[]): Promise<T> => this.#call({ to: 'door', peer, method, given });
    return {
      placement: (name) => ask('placement', name),
      read: (...given) => ask('read', ...given),
      write: (...given) => ask('write', ...given),
      copy: (...given) => ask('copy', ...given),
      holdings: (of) => ask('holdings', of),
      repair: () => ask('repair'),
    };
  };
  doorNear = this.door;

  trial = (...given: Parameters<Mesh['trial']>): Promise<Trial> => this.#call({ to: 'trial', given });

  close(): void {
    document.removeEventListener('visibilitychange', this.#sayPace);
    this.#worker.terminate();
  }

  go(pace: Partial<Pace>): void {
    this.pace.value = { ...this.pace.value, ...pace };
    this.#sayPace();
  }

  chances = (chances: Chances): void => this.#say({ type: 'chances', chances });

  /** The next thing that happens in the simulated world, and nothing more. */
  step = (): Promise<void> => this.#call({ to: 'step' });

  /** Time stands still while nobody looks. */
  #sayPace = (): void => {
    const { speed, running } = this.pace.value;
    this.#say({ type: 'pace', pace: { speed, running: running && !document.hidden } });
  };

  #breaking(): Breaking {
    const act =
      (method: BreakingMethod) =>
      (...given: readonly unknown[]): Promise<void> =>
        this.#call({ to: 'breaking', method, given });
    const [kill, pause, resume, start] = [act('kill'), act('pause'), act('resume'), act('start')];
    const [add, remove, split, heal] = [act('add'), act('remove'), act('split'), act('heal')];
    return { lives: this.#lives, sides: this.#sides, kill, pause, resume, start, add, remove, split, heal };
  }

  #say(said: ToWorker): void {
    this.#worker.postMessage(said);
  }

  #call<T>(call: Call): Promise<T> {
    const id = ++this.#calls;
    this.#say({ type: 'call', id, call });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject }));
  }

  #heard(said: FromWorker): void {
    switch (said.type) {
      case 'look':
        return batch(() => this.#looked(said.look));
      case 'time':
        return batch(() => void ([this.clock.value, this.reached.value, this.run.value] = [said.clock, said.reached, said.run]));
      case 'told':
        for (const told of said.told) for (const listener of this.#listeners) listener(told);
        return undefined;
      case 'done':
        this.#waiting.get(said.id)?.resolve(said.value);
        return void this.#waiting.delete(said.id);
      case 'refused':
        this.#waiting.get(said.id)?.reject(new MeshProblem(said.code, said.message));
        return void this.#waiting.delete(said.id);
    }
  }

  #looked({ seen, lives, sides }: Look): void {
    [this.#lives.value, this.#sides.value] = [lives, sides];
    this.lost.value = seen === undefined;
    const ring = seen?.ring ?? this.view.value?.ring;
    if (seen === undefined || ring === undefined) return;
    this.view.value = meshView(seen.members, ring, [{ from: seen.self, connections: seen.connections }]);
  }
}
