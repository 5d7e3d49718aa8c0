/** Events of the peer as sentences. Undefined for those that are drawn instead of told. */

import type { MeshEvent } from 'ringmesh';
import { type MeshView, nameIn } from './mesh-view.ts';

type Tone = 'good' | 'plain' | 'warning' | 'bad';

interface EventLine {
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

export function eventLine(event: MeshEvent, view: MeshView | undefined): EventLine | undefined {
  switch (event.type) {
    case 'request':
      return requestLine(event);
    case 'hop':
    case 'answer':
    case 'compare':
      return undefined;
    case 'member': {
      const { tone, text } = stateLines[event.state];
      return { tone, text: `${nameIn(view, event.peer)} ${text}` };
    }
    case 'link':
      return { tone: 'plain', text: `connection to ${nameIn(view, event.peer)} ${event.up ? 'is open' : 'is gone'}` };
    case 'ring':
      return { tone: 'plain', text: `the ring has ${plural(event.members, 'peer')} now (${event.digest.slice(0, 8)})` };
    case 'readRepair':
      return { tone: 'good', text: `read repair: ${nameIn(view, event.peer)} got a newer version (bucket ${event.bucket})` };
    case 'hint':
      return event.action === 'stored'
        ? { tone: 'warning', text: `a write for ${nameIn(view, event.owner)} is kept here until it is back` }
        : { tone: 'good', text: `${nameIn(view, event.owner)} got a write that was kept for it (${plural(event.held, 'other')} left)` };
    case 'repair':
      if (event.peersDone < event.peersTotal) return undefined;
      return {
        tone: 'good',
        text: `repair: compared with ${plural(event.peersTotal, 'peer')}, ${plural(event.different, 'key')} differed`,
      };
    case 'scrub':
      if (event.partitionsDone < event.partitionsTotal) return undefined;
      return {
        tone: event.damaged > 0 ? 'warning' : 'good',
        text: `scrub: ${plural(event.records, 'record')} read, ${event.damaged} damaged, ${event.leaves} leaves put right`,
      };
    case 'amnesia':
      return { tone: 'warning', text: `this peer’s store had forgotten something; it counts anew as ${event.actor.slice(-8)}` };
    case 'storageError':
      return { tone: 'bad', text: `storage failed: ${event.message}` };
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
