/** Events of the peer as sentences. Undefined for those that are drawn instead of told. */

import type { MeshEvent } from 'ringmesh';
import { type MeshView, nameIn } from '../mesh/view.ts';

type Tone = 'good' | 'plain' | 'warning' | 'bad';

export interface EventLine {
  readonly tone: Tone;
  readonly text: string;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

const stateLines: Readonly<Record<Extract<MeshEvent, { type: 'member' }>['state'], EventLine>> = {
  alive: { tone: 'good', text: 'is alive' },
  suspect: { tone: 'warning', text: 'does not answer: suspect, others are asked' },
  dead: { tone: 'bad', text: 'is dead: out of reach, its place is kept' },
  left: { tone: 'plain', text: 'has left' },
  removed: { tone: 'plain', text: 'was removed' },
};

/** `by`: the peer in which it happened. */
export function eventLine(event: MeshEvent, view: MeshView | undefined, by: string): EventLine | undefined {
  const isOwn = by === view?.self;
  const here = nameIn(view, by);
  switch (event.type) {
    case 'request':
      return requestLine(event);
    case 'hop':
    case 'answer':
    case 'compare':
    case 'transfer':
    case 'leaving':
      return undefined;
    case 'joined':
      return { tone: 'good', text: `${here} has copied its share and owns it now` };
    case 'member': {
      // All peers tell of all others: one pair of eyes is enough.
      if (!isOwn) return undefined;
      const { tone, text } = stateLines[event.state];
      return { tone, text: `${nameIn(view, event.peer)} ${text}` };
    }
    case 'link':
      return isOwn ? { tone: 'plain', text: `connection to ${nameIn(view, event.peer)} ${event.up ? 'is open' : 'is gone'}` } : undefined;
    case 'ring':
      return !isOwn
        ? undefined
        : { tone: 'plain', text: `the ring has ${plural(event.members, 'peer')} now (${event.digest.slice(0, 8)})` };
    case 'readRepair':
      return { tone: 'good', text: `read repair: ${here} gave ${nameIn(view, event.peer)} a newer version (bucket ${event.bucket})` };
    case 'hint':
      return event.action === 'stored'
        ? { tone: 'warning', text: `${here} keeps a write for ${nameIn(view, event.owner)} until it can hand it over` }
        : { tone: 'good', text: `${here} gave ${nameIn(view, event.owner)} a write that it had kept for it` };
    case 'repair':
      if (event.peersDone < event.peersTotal) return undefined;
      return {
        tone: 'good',
        text: `repair: ${here} compared with ${plural(event.peersTotal, 'peer')}, ${plural(event.different, 'key')} differed`,
      };
    case 'scrub':
      if (event.partitionsDone < event.partitionsTotal) return undefined;
      return {
        tone: event.damaged > 0 ? 'warning' : 'good',
        text: `scrub of ${here}: ${plural(event.records, 'record')} read, ${event.damaged} damaged, ${event.leaves} leaves put right`,
      };
    case 'exchange':
      return {
        tone: 'good',
        text: `${here} and ${nameIn(view, event.peer)} compared their trees: ${plural(event.different, 'key')} differed and ${event.different === 1 ? 'is' : 'are'} equal now`,
      };
    case 'cleared':
      return { tone: 'plain', text: `${here} dropped ${plural(event.keys, 'record')} that others own now` };
    case 'reaped':
      return { tone: 'plain', text: `${plural(event.keys, 'deleted key')} forgotten everywhere` };
    case 'amnesia':
      return { tone: 'warning', text: `${here} begins to count its versions anew: ${event.reason}` };
    case 'storageError':
      return { tone: 'bad', text: `the storage of ${here} failed: ${event.message}` };
    case 'alone':
      return { tone: 'bad', text: `${here} reaches no other peer: ${event.where}: ${event.reason}` };
    case 'badFrame':
      return { tone: 'bad', text: `${nameIn(view, event.peer)} sent an invalid message: ${event.reason}` };
    default:
      return { tone: 'plain', text: (event as { type: string }).type };
  }
}

function requestLine({ op, bucket, outcome, code, ms, siblings }: Extract<MeshEvent, { type: 'request' }>): EventLine {
  const tone: Tone = outcome === 'ok' || outcome === 'absent' ? 'good' : outcome === 'failed' ? 'bad' : 'warning';
  const conflict = op === 'get' && siblings > 1 ? `, ${siblings} values in conflict` : '';
  const reason = code === undefined ? '' : ` (${code})`;
  return {
    tone: conflict === '' ? tone : 'warning',
    text: `${op} in ${bucket}: ${outcome}${reason}${conflict}, ${ms.toFixed(ms < 10 ? 1 : 0)} ms`,
  };
}
