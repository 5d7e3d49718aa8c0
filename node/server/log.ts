/**
 * What a running peer prints: where it can be reached, who comes and goes, what breaks. Requests are not logged (that is what /metrics and /v1/events
 * are for). `json` writes one object a line to standard output and nothing else; `text` is for people.
 */

import type { MeshEvent } from 'ringmesh';
import { leftText, shortId } from '../cli/output.ts';
import type { LogFormat } from './settings.ts';

export interface Log {
  /** An entry for programs, with the text that a person sees instead. */
  write(entry: object, text: string): void;
  event(event: MeshEvent): void;
}

/** The same trouble with the same peer is told once in this time. */
const repeatAfterMs: Partial<Record<MeshEvent['type'], number>> = { badFrame: 10_000, storageError: 10_000, alone: 60_000 };
const troubleMax = 1000;

export function createLog(format: LogFormat): Log {
  const write: Log['write'] = (entry, text) => {
    if (format === 'json') process.stdout.write(`${JSON.stringify({ at: Date.now(), ...entry })}\n`);
    else if (format === 'text') process.stdout.write(`${text}\n`);
  };
  const lastTold = new Map<string, number>();
  const event = (event: MeshEvent): void => {
    const text = eventText(event);
    if (text === undefined) return;
    const pauseMs = repeatAfterMs[event.type];
    if (pauseMs !== undefined) {
      const last = lastTold.get(text);
      if (last !== undefined && event.at - last < pauseMs) return;
      if (lastTold.size >= troubleMax) lastTold.clear();
      lastTold.set(text, event.at);
    }
    write(event, `${new Date(event.at).toISOString().slice(11, 19)}  ${text}`);
  };
  return { write, event: format === 'none' ? () => {} : event };
}

/** Undefined for events that are not worth a line. */
function eventText(event: MeshEvent): string | undefined {
  switch (event.type) {
    case 'member':
      return `${shortId(event.peer)} is ${event.state}`;
    case 'ring':
      return `ring ${event.digest.slice(0, 12)} with ${event.members} ${event.members === 1 ? 'peer' : 'peers'}`;
    case 'transfer': {
      const { partitions, partitionsDone, keys, waitsFor, secondsLeft } = event;
      const waits = waitsFor === '' ? '' : `; waits for ${shortId(waitsFor)}, which is out of reach: bring it back, or remove it`;
      return `copied ${partitionsDone} of ${partitions} partitions, ${keys} keys${leftText(secondsLeft)}${waits}`;
    }
    case 'replacing':
      return `waits: ${shortId(event.peer)} is ${event.state}, and only the place of a dead member can be taken${event.state === 'removed' ? '; start without --replace' : ''}`;
    case 'joined':
      return 'joined: this peer owns its places now';
    case 'cleared':
      return `${event.keys} records that others own were removed here`;
    case 'amnesia':
      return `the store begins a new epoch as ${event.actor}: ${event.reason}`;
    case 'storageError':
      return `storage failed: ${event.message} [${event.code}]`;
    case 'alone':
      return `no other peer is reached: ${event.where}: ${event.reason}; it is tried again`;
    case 'badFrame':
      return `${shortId(event.peer)} sent an invalid message: ${event.reason}`;
    default:
      return undefined;
  }
}
