/**
 * One peer of the demo as a child process. It is told to stop by closing its IPC channel, which also closes when the supervisor itself is killed: no child
 * outlives it. A child that dies is started again with growing pauses, a bounded number of times, unless it was killed from the page: then it stays down until somebody
 * starts it there.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CliError } from '../cli/errors.ts';
import type { PeerPlan } from './plan.ts';

/** The program that this process runs. */
const program = process.argv[1] ?? '';
const pausesMs = [500, 1000, 2000, 4000, 8000];
/** After so long a life a death is not counted with the earlier ones. */
const soundMs = 60_000;
const killAfterMs = 10_000;

export interface Serving {
  readonly peer: string;
  readonly pid: number;
}

export type Life = 'starting' | 'running' | 'paused' | 'stopped';

export class SupervisedPeer {
  readonly plan: PeerPlan;
  readonly #flags: readonly string[];
  readonly #supervisor: string;
  readonly #tell: (text: string) => void;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #restarts = 0;
  #stopping = false;
  /** Killed from the page. */
  #held = false;
  #life: Life = 'starting';
  #peer = '';
  /** Whom it has no connection with. */
  #apart: readonly string[] = [];

  /** `supervisor`: what the page is told of this program, see supervisor.ts. */
  constructor(plan: PeerPlan, flags: readonly string[], supervisor: string, tell: (text: string) => void) {
    this.plan = plan;
    this.#flags = flags;
    this.#supervisor = supervisor;
    this.#tell = tell;
    this.#log = createWriteStream(plan.logFile);
    this.#log.on('error', () => {});
  }

  get life(): Life {
    return this.#life;
  }

  /** Its peer id; empty before it has served once. */
  get peer(): string {
    return this.#peer;
  }

  /** It is not started again when it ends. */
  hold(): void {
    this.#held = true;
    clearTimeout(this.#restartTimer);
  }

  /** SIGKILL, and it stays down. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.hold();
    const child = this.#child;
    if (child === undefined || isGone(child)) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
    this.#life = 'stopped';
  }

  /** Stands still, with its connections open. */
  pause(): void {
    if (this.#life === 'running' && this.#child?.kill('SIGSTOP') === true) this.#life = 'paused';
  }

  resume(): void {
    if (this.#life === 'paused' && this.#child?.kill('SIGCONT') === true) this.#life = 'running';
  }

  /** After a kill. Resolves when it serves. */
  async startAgain(): Promise<void> {
    if (this.#life !== 'stopped') return;
    this.#held = false;
    await this.#run(() => {});
  }

  /** Cuts it off from these peers until it is told of others. */
  setApart(peers: readonly string[]): void {
    this.#apart = peers;
    if (this.#child?.connected === true) this.#child.send({ apart: peers });
  }

  /** Resolves when it serves; rejects with the child's own error line when it ends before. Later deaths lead to restarts. */
  start(): Promise<Serving> {
    return this.#run(() => {});
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    this.resume();
    if (child !== undefined && !isGone(child)) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      const kill = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      if (child.connected) child.disconnect();
      await gone;
      clearTimeout(kill);
    }
    this.#log.end();
  }

  #run(onServing: (serving: Serving) => void): Promise<Serving> {
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMESH_')));
    const child = spawn(process.execPath, [...process.execArgv, program, 'serve', ...this.#flags], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Not among the flags, which everybody on this machine may read.
      env: { ...environment, RINGMESH_SUPERVISOR: this.#supervisor },
    });
    this.#child = child;
    this.#life = 'starting';
    const startedAt = performance.now();
    return new Promise((resolve, reject) => {
      let lastWords = '';
      let serves = false;
      createInterface({ input: child.stderr as NonNullable<ChildProcess['stderr']> }).on('line', (line) => {
        if (line.trim() !== '') lastWords = line;
        this.#log.write(`${line}\n`);
      });
      createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
        this.#log.write(`${line}\n`);
        const peer = serves ? undefined : servingPeer(line);
        if (peer === undefined) return;
        serves = true;
        this.#peer = peer;
        this.#life = 'running';
        this.setApart(this.#apart);
        const serving = { peer, pid: child.pid ?? 0 };
        onServing(serving);
        resolve(serving);
      });
      child.once('error', (error) => reject(error));
      // 'close' comes after the last line was read.
      child.once('close', (code, signal) => {
        this.#life = 'stopped';
        if (serves) this.#died(`${code ?? signal}`, performance.now() - startedAt);
        else reject(failureOf(this.plan.name, lastWords, `${code ?? signal}`));
      });
    });
  }

  #died(how: string, livedMs: number): void {
    if (this.#stopping || this.#held) return;
    if (livedMs > soundMs) this.#restarts = 0;
    const pauseMs = pausesMs[this.#restarts++];
    const { name, logFile } = this.plan;
    if (pauseMs === undefined)
      return this.#tell(`${name} ended (${how}) once too often; it stays down, the others go on. Its log: ${logFile}`);
    this.#tell(`${name} ended (${how}); starting it again in ${pauseMs / 1000} s`);
    this.#restartTimer = setTimeout(() => this.#restart(), pauseMs);
  }

  #restart(): void {
    this.#run(({ pid }) => this.#tell(`${this.plan.name} is back (pid ${pid})`)).catch((error: unknown) => {
      if (this.#stopping || this.#held) return;
      this.#tell(error instanceof Error ? error.message : String(error));
      this.#died('did not start', 0);
    });
  }
}

const isGone = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** The peer id, when this is the line of the log that says that it serves. */
function servingPeer(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { type?: unknown; peer?: unknown };
    return entry.type === 'serving' && typeof entry.peer === 'string' ? entry.peer : undefined;
  } catch {
    return undefined;
  }
}

/** The child's error line under the name of the peer, with its code. */
function failureOf(name: string, lastWords: string, how: string): CliError {
  const match = /^ringmesh: error: (.*) \[([A-Z_]+)\]$/.exec(lastWords);
  if (match?.[1] !== undefined && match[2] !== undefined) return new CliError(match[2], `${name}: ${match[1]}`);
  return new CliError('PEER_FAILED', `${name} ended (${how}) before it was up${lastWords === '' ? '' : `: ${lastWords}`}`);
}
