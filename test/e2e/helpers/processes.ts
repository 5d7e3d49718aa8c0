/**
 * Real processes for tests: `ringmesh` commands and peers started from the build, and waiting for conditions instead of for time.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const projectFolder = fileURLToPath(new URL('../../..', import.meta.url));
const program = join(projectFolder, 'dist/node/main.js');

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** The environment of tests says nothing about ringmesh. */
function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMESH_'));
  return { ...Object.fromEntries(inherited), ...extra };
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** What it has written to standard output so far. */
  output(): string;
}

/** A test that fails half-way leaves nothing running. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export function start(args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(process.execPath, [program, ...args], {
    env: cleanEnvironment(options.environment),
    cwd: options.cwd ?? projectFolder,
    stdio: 'pipe',
  });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();
  const finished = new Promise<Finished>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout: text(stdout), stderr: text(stderr) }));
  });
  return { child, finished, output: () => text(stdout) };
}

/** Runs `ringmesh …` to its end. */
export const run = (args: readonly string[], options?: RunOptions): Promise<Finished> => start(args, options).finished;

/** Looks again and again until the condition gives something, and fails with what was awaited when the time is over, and why the last look threw. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 40_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await condition();
      lastError = undefined;
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`not within ${withinMs} ms: ${what}${lastError instanceof Error ? ` (${lastError.message})` : ''}`);
    await sleep(100);
  }
}

/** A folder that is gone when `use` ends. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'ringmesh-e2e-'));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface PeerOptions {
  readonly data?: string;
  readonly label?: string;
  readonly bootstrap?: readonly string[];
  readonly flags?: readonly string[];
}

/** One `ringmesh serve`, known by what it says in its log. */
export interface PeerProcess {
  readonly url: string;
  readonly id: string;
  readonly addresses: readonly string[];
  readonly options: PeerOptions;
  readonly running: Running;
  /** SIGTERM, then its end. */
  stop(): Promise<Finished>;
  /** SIGKILL, then its end. */
  kill(): Promise<Finished>;
}

interface ServingLine {
  readonly type: string;
  readonly gateway: string;
  readonly peer: string;
  readonly addresses: readonly string[];
}

export async function startPeer(options: PeerOptions = {}): Promise<PeerProcess> {
  const running = start([
    'serve',
    ...['--cluster', 'test', '--port', '0', '--log', 'json'],
    ...(options.data === undefined ? [] : ['--data', options.data]),
    ...(options.label === undefined ? [] : ['--host-label', options.label]),
    ...(options.bootstrap ?? []).flatMap((address) => ['--bootstrap', address]),
    ...(options.flags ?? []),
  ]);
  const serving = await new Promise<ServingLine>((resolve, reject) => {
    createInterface({ input: running.child.stdout as NonNullable<ChildProcess['stdout']> }).on('line', (line) => {
      const entry = JSON.parse(line) as ServingLine;
      if (entry.type === 'serving') resolve(entry);
    });
    void running.finished.then((finished) =>
      reject(new Error(`the peer ended with ${finished.code ?? finished.signal}: ${finished.stderr}`)),
    );
  });
  const end = (signal: NodeJS.Signals): Promise<Finished> => {
    running.child.kill(signal);
    return running.finished;
  };
  return {
    url: serving.gateway,
    id: serving.peer,
    addresses: serving.addresses,
    options,
    running,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
