/** One `ringmesh serve` through its many lives: started, killed, paused, started again on the same place and folder. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectFolder } from '../e2e/helpers/processes.ts';
import { endAtExit } from './children.ts';
import type { Place } from './network.ts';

const program = join(projectFolder, 'dist/node/main.js');
const startWithinMs = 180_000;
const stopWithinMs = 20_000;
const unusualMs = 10_000;

export interface LogEntry {
  readonly type: string;
  readonly peer?: string;
  readonly state?: string;
}

export interface PeerSettings {
  readonly index: number;
  readonly place: Place;
  readonly bootstrap: readonly string[];
  /** Of the whole run; the peer makes its own in it. */
  readonly folder: string;
  /** What it prints while it runs. */
  readonly onEntry: (entry: LogEntry) => void;
  /** It has ended without being asked to, or says that it has a bug. */
  readonly onFailure: (message: string) => void;
  /** Tells what takes unusually long. */
  readonly say: (text: string) => void;
}

export class PeerProcess {
  readonly index: number;
  readonly name: string;
  readonly url: string;
  readonly data: string;
  /** Its peer id, known from its first start. */
  id = '';
  state: 'down' | 'up' | 'paused' = 'down';
  readonly #settings: PeerSettings;
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #ending = false;

  constructor(settings: PeerSettings) {
    const { index, place, folder } = settings;
    this.#settings = settings;
    this.index = index;
    this.name = `peer-${index + 1}`;
    this.url = `http://${place.gateway.host}:${place.gateway.port}`;
    this.data = join(folder, this.name);
    this.#log = createWriteStream(join(folder, `${this.name}.log`), { flags: 'a' });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when its gateway answers. */
  async start(): Promise<void> {
    const { place, bootstrap } = this.#settings;
    const serve = [
      ...[process.execPath, program, 'serve', '--cluster', 'faults', '--log', 'json', '--data', this.data, '--host-label', this.name],
      ...['--gateway-host', place.gateway.host, '--port', `${place.gateway.port}`, '--listen', place.listen, '--announce', place.announce],
      ...bootstrap.flatMap((address) => ['--bootstrap', address]),
    ];
    const [command = '', ...args] = [...place.prefix, ...serve];
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMESH_'));
    // With a channel to its parent it ends when the parent does.
    const child = endAtExit(spawn(command, args, { env: Object.fromEntries(inherited), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }));
    this.#child = child;
    this.#ending = false;
    this.#log.write(`\n${new Date().toISOString()} started as process ${child.pid}\n`);
    await this.#timed('start', () => this.#serving(child));
    this.state = 'up';
  }

  async #timed(what: string, step: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await step();
    const ms = performance.now() - began;
    if (ms > unusualMs) this.#settings.say(`${this.name} took ${(ms / 1000).toFixed(1)} s to ${what}`);
  }

  #serving(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        reject(new Error(`${this.name} did not start within ${startWithinMs / 1000} s`));
        // It must not come up later, in the place of the next one.
        child.kill('SIGKILL');
      }, startWithinMs);
      let complaints = '';
      createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
        this.#log.write(`${line}\n`);
        const entry = JSON.parse(line) as LogEntry;
        this.#settings.onEntry(entry);
        if (entry.type !== 'serving') return;
        this.id = entry.peer ?? '';
        clearTimeout(late);
        resolve();
      });
      child.stderr?.on('data', (chunk: Buffer) => {
        this.#log.write(chunk);
        complaints += chunk.toString();
        if (complaints.includes('ringmesh: bug')) this.#settings.onFailure(`${this.name} has a bug: ${complaints.trim()}`);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(late);
        this.state = 'down';
        const message = `${this.name} ended by itself with ${code ?? signal}: ${complaints.trim() || 'no reason given'}`;
        if (!this.#ending) this.#settings.onFailure(message);
        reject(new Error(message));
      });
    });
  }

  /** SIGKILL, also while it is paused. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM: it finishes its requests and says that it stops. One that does not end by that is killed, and the failure told. */
  async stop(): Promise<void> {
    const late = setTimeout(() => {
      this.#settings.onFailure(`${this.name} did not end within ${stopWithinMs / 1000} s after SIGTERM`);
      this.#child?.kill('SIGKILL');
    }, stopWithinMs);
    await this.#timed('stop', () => this.#end('SIGTERM'));
    clearTimeout(late);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.state === 'down') return;
    this.#ending = true;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
    this.state = 'paused';
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
    this.state = 'up';
  }
}
