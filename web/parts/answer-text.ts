/** What an answer means, in one or two plain sentences. */

import type { ReplicaReceipt } from 'ringmesh';
import type { Answer } from '../requests.ts';

type Tone = 'good' | 'warning' | 'bad';

interface Headline {
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

const said = ({ state }: ReplicaReceipt): boolean => state === 'stored' || state === 'answered';

const peers = (count: number): string => `${count} ${count === 1 ? 'peer' : 'peers'}`;

export function headline(answer: Answer): Headline {
  switch (answer.type) {
    case 'failed':
      return { tone: 'bad', title: 'It did not work', text: `${answer.message} [${answer.code}]` };
    case 'written':
      return writtenHeadline(answer);
    case 'read':
      return readHeadline(answer);
  }
}

function writtenHeadline({ op, quorum, receipt: { outcome, replicas, sloppy } }: Extract<Answer, { type: 'written' }>): Headline {
  const stored = replicas.filter(said).length;
  const verb = op === 'put' ? 'Written' : 'Deleted';
  const standIn = sloppy ? ' A stand-in took a copy; it hands it over when the owner is back.' : '';
  switch (outcome) {
    case 'ok':
      return {
        tone: 'good',
        title: verb,
        text: `${peers(stored)} confirmed it, W = ${quorum.w} ${quorum.w === 1 ? 'was' : 'were'} needed. The others follow by themselves.${standIn}`,
      };
    case 'partial':
      return {
        tone: 'warning',
        title: `${verb}, but not by enough`,
        text: `Only ${peers(stored)} confirmed it, W = ${quorum.w} were needed. It is not undone: the other copies follow.${standIn}`,
      };
    case 'unknown':
      return {
        tone: 'warning',
        title: 'Nobody knows',
        text: 'No peer confirmed it in time. It may still take effect: read the key to find out.',
      };
  }
}

function readHeadline({ answer: { outcome, siblings, replicas, sloppy }, made, quorum }: Extract<Answer, { type: 'read' }>): Headline {
  const count = replicas.filter(said).length;
  const standIn = sloppy ? ' A stand-in was among them.' : '';
  if (outcome === 'absent')
    return {
      tone: 'good',
      title: 'No value',
      text: `${peers(count)} answered (R = ${quorum.r}): there is nothing under this key.${standIn}`,
    };
  if (siblings.length === 1 && !made)
    return {
      tone: 'good',
      title: 'One value',
      text: `${peers(count)} answered, R = ${quorum.r} ${quorum.r === 1 ? 'was' : 'were'} needed.${standIn}`,
    };
  if (siblings.length === 1)
    return {
      tone: 'warning',
      title: 'One value',
      text: 'The bucket settles conflicts by itself, or the peers that answered have not seen both writes yet.',
    };
  const text = 'Written without knowing of each other, so none is lost. Keep one, or merge them.';
  return { tone: 'warning', title: `Conflict: ${siblings.length} values`, text };
}

/** What one replica said, in a few words. */
export function replicaText({ state, durable }: ReplicaReceipt): string {
  switch (state) {
    case 'stored':
      return durable ? 'stored, survives a crash' : 'stored in memory only';
    case 'answered':
      return 'answered';
    case 'pending':
      return 'not waited for';
    case 'unreachable':
      return 'out of reach';
    case 'timeout':
      return 'no answer in time';
    case 'refused':
      return 'refused';
  }
}
