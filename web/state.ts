/**
 * What the page shows and what was chosen in it: signals that the parts read. One mesh is shown at a time; changing it begins anew with everything that was told by
 * the one before.
 */

import { batch, computed, effect, signal } from '@preact/signals';
import type { Mode, Placement } from 'ringmesh';
import { Ledger } from './mesh/ledger.ts';
import { Races } from './mesh/races.ts';
import { type KeyName, type Mesh, MeshProblem, type Quorum, type Told } from './mesh/types.ts';
import { type EventLine, eventLine } from './parts/event-text.ts';
import { type Answer, type Asked, Requests } from './requests.ts';

export interface LogLine extends EventLine {
  readonly id: number;
  readonly at: number;
  readonly times: number;
}

export type Tab = 'try' | 'key' | 'repair' | 'break' | 'measure' | 'time';

const linesMax = 150;
const flushMs = 120;
const afterTypingMs = 150;

export const mesh = signal<Mesh | undefined>(undefined);
export const view = computed(() => mesh.value?.view.value);
export const breaking = computed(() => mesh.value?.breaking.value);

export const tab = signal<Tab>('try');
export const bucket = signal('demo');
export const key = signal('greeting');
export const text = signal('hello');
export const r = signal(2);
export const w = signal(2);
export const mode = signal<Mode>('sloppy');
export const aware = signal(true);
/** The peer whose details are shown, and the one whose arcs are lit. */
export const chosen = signal<string | undefined>(undefined);
export const lit = signal<string | undefined>(undefined);

export const placement = signal<Placement | undefined>(undefined);
export const answer = signal<Answer | undefined>(undefined);
export const busy = signal(false);
/** What could not be done to the mesh, as a sentence. */
export const problem = signal('');
export const lines = signal<readonly LogLine[]>([]);

/** Raised when something new was told; what it counts is read from `races` and `ledger`. */
export const told = signal(0);
/** Raised when a key may look different now. */
export const touched = signal(0);
export let races = new Races();
export let ledger = new Ledger();
export let requests: Requests | undefined;

/** How many peers hold a key of the bucket. */
export const copies = computed(() => Math.max(1, placement.value?.primaries.length ?? 3));
export const quorum = computed<Quorum>(() => ({
  r: Math.min(r.value, copies.value),
  w: Math.min(w.value, copies.value),
  mode: mode.value,
}));
export const keyName = computed<KeyName | undefined>(() =>
  /^[A-Za-z0-9._-]{1,64}$/.test(bucket.value) && key.value !== '' ? { bucket: bucket.value, key: key.value } : undefined,
);

const hopListeners = new Set<(told: Told) => void>();

/** For what is drawn and not kept. */
export function onTold(listener: (told: Told) => void): () => void {
  hopListeners.add(listener);
  return () => void hopListeners.delete(listener);
}

let stopFollowing: () => void = () => {};
let pending: LogLine[] = [];
let flushTimer = 0;
let lineId = 0;

export function show(next: Mesh): void {
  stopFollowing();
  mesh.value?.close();
  races = new Races();
  ledger = new Ledger();
  requests = new Requests(next);
  pending = [];
  latest = undefined;
  batch(() => {
    busy.value = false;
    mesh.value = next;
    lines.value = [];
    answer.value = undefined;
    placement.value = undefined;
    chosen.value = undefined;
    lit.value = undefined;
    problem.value = '';
    told.value++;
  });
  stopFollowing = next.follow(hear);
}

function hear(one: Told): void {
  const isRace = races.hear(one);
  const isLedger = ledger.hear(one);
  for (const listener of hopListeners) listener(one);
  const line = isRace ? undefined : eventLine(one.event, view.peek(), one.by);
  if (line !== undefined) addLine(line, one.event.at);
  if (line !== undefined || isRace || isLedger) flushSoon();
}

/** Equal lines in a row are counted instead of repeated. */
function addLine(line: EventLine, at: number): void {
  const last = pending[0];
  if (last?.text === line.text) pending[0] = { ...last, times: last.times + 1 };
  else pending = [{ ...line, id: ++lineId, at, times: 1 }, ...pending].slice(0, linesMax);
}

function flushSoon(): void {
  if (flushTimer !== 0) return;
  flushTimer = setTimeout(() => {
    flushTimer = 0;
    batch(() => {
      lines.value = pending;
      told.value++;
    });
  }, flushMs);
}

/** Only the answer to the latest request is shown. */
let latest: Promise<Answer> | undefined;

export async function ask(asking: Promise<Answer> | undefined): Promise<Answer | undefined> {
  if (asking === undefined) return undefined;
  latest = asking;
  busy.value = true;
  const got = await asking;
  if (latest !== asking) return got;
  batch(() => {
    busy.value = false;
    answer.value = got;
    touched.value++;
  });
  return got;
}

export function request(op: Asked['op'], via?: string): Promise<Answer | undefined> {
  const name = keyName.value;
  return ask(name === undefined ? undefined : requests?.ask({ op, name, quorum: quorum.value, text: text.value, aware: aware.value, via }));
}

/** Does something that may be refused, and says so where everybody sees it. */
export async function attempt(act: Promise<void> | undefined): Promise<boolean> {
  try {
    await act;
    problem.value = '';
    return true;
  } catch (error) {
    if (!(error instanceof MeshProblem)) throw error;
    problem.value = `${error.message} [${error.code}]`;
    return false;
  }
}

let placing = new AbortController();

/** Looks up where the key lives when the key or the ring has changed. */
effect(() => {
  const name = keyName.value;
  const asked = mesh.value;
  const digest = view.value?.ring.digest;
  placing.abort();
  placing = new AbortController();
  const { signal } = placing;
  if (name === undefined || asked === undefined || digest === undefined) {
    placement.value = undefined;
    return undefined;
  }
  const timer = setTimeout(() => {
    asked
      .door()
      .placement(name, signal)
      .then(
        (found) => {
          if (!signal.aborted) placement.value = found;
        },
        () => {},
      );
  }, afterTypingMs);
  return () => clearTimeout(timer);
});

const afterChoosingMs = 600;

/** A key that is seen through is watched, for it may change where the page hears of nothing. */
effect(() => {
  const [asked, name] = [mesh.value, keyName.value];
  if (tab.value !== 'key' || name === undefined || asked === undefined) return undefined;
  let stop = (): void => {};
  const timer = setTimeout(() => (stop = asked.watch(name, () => touched.value++)), afterChoosingMs);
  return () => {
    clearTimeout(timer);
    stop();
  };
});
