/**
 * The supervisor of `ringmesh demo`: it may kill, pause and start the processes of the demo's peers, and put them apart. The gateway that serves the page tells where it
 * listens and with which token; where there is none, as with `ringmesh serve`, nothing can be broken.
 */

import { signal } from '@preact/signals';
import { type Breaking, type Life, MeshProblem } from './types.ts';

interface SupervisedPeer {
  readonly name: string;
  readonly peer: string;
  readonly life: Life;
}

interface SupervisorState {
  readonly peers: readonly SupervisedPeer[];
  readonly sides: readonly (readonly string[])[] | null;
}

interface Invitation {
  readonly url: string;
  readonly token: string;
}

export async function connectSupervisor(): Promise<Supervisor | undefined> {
  const response = await fetch('/v1/demo', { cache: 'no-store' }).catch(() => undefined);
  if (response?.status !== 200) return undefined;
  const supervisor = new Supervisor((await response.json()) as Invitation);
  await supervisor.look().catch(() => undefined);
  return supervisor;
}

const lookWithinMs = 4000;

export class Supervisor implements Breaking {
  readonly lives = signal<ReadonlyMap<string, Life>>(new Map());
  readonly sides = signal<readonly (readonly string[])[] | undefined>(undefined);
  whenChanged: () => void = () => {};
  readonly #invitation: Invitation;
  #names = new Map<string, string>();

  constructor(invitation: Invitation) {
    this.#invitation = invitation;
  }

  /** A process is on its way up. */
  get isChanging(): boolean {
    return [...this.lives.value.values()].includes('starting');
  }

  kill = (peer: string): Promise<void> => this.#do(peer, 'kill');
  pause = (peer: string): Promise<void> => this.#do(peer, 'pause');
  resume = (peer: string): Promise<void> => this.#do(peer, 'resume');
  start = (peer: string): Promise<void> => this.#do(peer, 'start');
  remove = (peer: string): Promise<void> => this.#do(peer, 'remove');
  add = (): Promise<void> => this.#send('POST', '/peers');
  heal = (): Promise<void> => this.#send('POST', '/heal');
  split = (sides: readonly (readonly string[])[]): Promise<void> =>
    this.#send('POST', '/split', { body: JSON.stringify({ sides }), headers: { 'Content-Type': 'application/json' } });

  look = (): Promise<void> => this.#send('GET', '', { signal: AbortSignal.timeout(lookWithinMs) });

  #do(peer: string, act: string): Promise<void> {
    const name = this.#names.get(peer);
    if (name === undefined) throw new MeshProblem('NOT_FOUND', 'This peer is not one that the demo has started.');
    return this.#send('POST', `/peers/${name}/${act}`);
  }

  async #send(method: string, path: string, { headers, ...init }: RequestInit = {}): Promise<void> {
    const { url, token } = this.#invitation;
    const all = { Authorization: `Bearer ${token}`, ...(headers as Record<string, string> | undefined) };
    const response = await fetch(`${url}/v1/demo${path}`, { method, headers: all, ...init }).catch(() => {
      throw new MeshProblem('OFFLINE', 'The demo’s supervisor does not answer. Is `ringmesh demo` still running?');
    });
    const answer = (await response.json()) as SupervisorState & { error?: { code: string; message: string } };
    if (answer.error !== undefined) throw new MeshProblem(answer.error.code, answer.error.message);
    this.#names = new Map(answer.peers.map(({ name, peer }) => [peer, name]));
    this.lives.value = new Map(answer.peers.map(({ peer, life }) => [peer, life]));
    this.sides.value = answer.sides ?? undefined;
    if (method !== 'GET') this.whenChanged();
  }
}
