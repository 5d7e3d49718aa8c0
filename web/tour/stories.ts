/**
 * Six short stories that happen in the mesh that is shown, live or simulated, and are never played: each step does what it says, and goes on when what it tells of can
 * be seen.
 */

import type { Placement } from 'ringmesh';
import type { Breaking } from '../mesh/types.ts';
import { memberIn, nameIn } from '../mesh/view.ts';
import {
  answer,
  ask,
  breaking,
  bucket,
  key,
  keyName,
  ledger,
  mesh,
  mode,
  placement,
  quorum,
  r,
  request,
  requests,
  type Tab,
  tab,
  text,
  view,
  w,
} from '../state.ts';

/** Who plays which part, found when the tour begins and as it goes on. */
export interface Cast {
  victim: string;
  offline: string;
  membersBefore: number;
}

export interface Step {
  /** What has been seen, and what comes next. */
  readonly text: (cast: Cast) => string;
  /** Without one the story is over. */
  readonly act?: {
    readonly label: (cast: Cast) => string;
    readonly run: (cast: Cast) => Promise<unknown>;
    /** Whether it can be seen; else the step is done when `run` is. */
    readonly seen?: (cast: Cast) => boolean;
    readonly waiting?: string;
  };
}

export interface Story {
  readonly title: string;
  readonly steps: readonly Step[];
}

const named = (peer: string): string => nameIn(view.peek(), peer);
const stateOf = (peer: string): string | undefined => memberIn(view.peek(), peer)?.state;

export function castOf(placed: Placement, self: string): Cast {
  const victim = placed.primaries.findLast((peer) => peer !== self && isOurs(peer)) ?? '';
  return { victim, offline: '', membersBefore: 0 };
}

const isOurs = (peer: string): boolean => breaking.peek()?.lives.peek().has(peer) === true;

export function setTheScene(): void {
  [bucket.value, key.value, mode.value, r.value, w.value] = ['demo', 'order', 'sloppy', 2, 2];
}

function put(value: string, from: Tab = 'try'): Promise<unknown> {
  tab.value = from;
  text.value = value;
  return request('put');
}

function get(): Promise<unknown> {
  tab.value = 'try';
  return request('get');
}

function broken(act: (doing: Breaking) => Promise<void>): Promise<void> {
  const doing = breaking.peek();
  return doing === undefined ? Promise.resolve() : act(doing);
}

const waitingHints = (owner: string): number =>
  ledger.piles.filter((pile) => pile.owner === owner).reduce((sum, { waiting }) => sum + waiting, 0);

async function keepFirst(): Promise<unknown> {
  const shown = answer.peek();
  const sibling = shown?.type === 'read' ? shown.answer.siblings[0] : undefined;
  if (shown?.type !== 'read' || sibling === undefined) return undefined;
  return ask(requests?.resolve(shown.name, quorum.peek(), sibling.value, shown.answer.context));
}

/** A peer that keeps no copy of the key, if there is one: then its write can only wait with itself. */
function chooseOffline(): string {
  const seen = view.peek();
  const primaries = placement.peek()?.primaries ?? [];
  const others = (seen?.members ?? []).filter(({ peer, state }) => peer !== seen?.self && state === 'alive');
  const someTab = others.find((member) => member.class === 'tab');
  const free = others.filter(({ peer }) => !primaries.includes(peer) && isOurs(peer));
  return (someTab ?? free.at(-1) ?? others.at(-1))?.peer ?? '';
}

async function writeOffline(cast: Cast): Promise<unknown> {
  tab.value = 'try';
  text.value = 'written while offline';
  const name = keyName.peek();
  if (name === undefined) return undefined;
  return ask(requests?.ask({ op: 'put', name, quorum: { r: 1, w: 1, mode: 'any' }, text: text.peek(), aware: false, via: cast.offline }));
}

const quorumStory: Story = {
  title: 'Write and read with a quorum',
  steps: [
    {
      text: () =>
        'Every key has a place on the ring, and the next three peers clockwise keep it. A write is done when W = 2 of these owners have it on disk.',
      act: { label: () => 'Write “tea”', run: () => put('tea') },
    },
    {
      text: () => 'Done as soon as two owners had it; the third follows by itself. The bars show who was asked and who answered when.',
      act: { label: () => 'Read it', run: get },
    },
    { text: () => 'Two owners were asked. Because 2 + 2 > 3, at least one of them had the write.' },
  ],
};

const deathStory: Story = {
  title: 'A peer dies',
  steps: [
    {
      text: ({ victim }) => `${named(victim)} keeps a copy of “order”. Let its process end without a word.`,
      act: {
        label: ({ victim }) => `Kill ${named(victim)}`,
        run: ({ victim }) => broken((doing) => doing.kill(victim)),
        seen: ({ victim }) => stateOf(victim) === 'dead',
        waiting: 'The others do not hear from it, suspect it, and agree that it is dead…',
      },
    },
    {
      text: ({ victim }) =>
        `Nobody had to say so: the others found out. ${named(victim)} keeps its place on the ring. Write as if nothing had happened.`,
      act: { label: () => 'Write “tea with milk”', run: () => put('tea with milk') },
    },
    {
      text: () => 'It worked: a stand-in took the missing copy, with a hint whose it is. See it in the X-ray of the key.',
      act: { label: () => 'Show the X-ray', run: async () => void (tab.value = 'key') },
    },
    { text: ({ victim }) => `The dotted line shows who stands in for ${named(victim)}.` },
  ],
};

const conflictStory: Story = {
  title: 'Conflict',
  steps: [
    {
      text: () => 'Two people change the order at the same time, and neither knows of the other. No clock says who was right.',
      act: {
        label: () => 'Let Ada and Grace write',
        run: () => {
          tab.value = 'try';
          text.value = 'coffee';
          return request('conflict');
        },
      },
    },
    {
      text: () => 'Both values are kept, side by side: nothing was lost. Somebody who sees both decides.',
      act: { label: () => 'Keep one of them', run: keepFirst },
    },
    { text: () => 'That write had seen both, so it replaces both, on every peer.' },
  ],
};

const returnStory: Story = {
  title: 'It comes back',
  steps: [
    {
      text: ({ victim }) => `${named(victim)} has missed all that. Start its process again, with the data that it had.`,
      act: {
        label: ({ victim }) => `Start ${named(victim)} again`,
        run: ({ victim }) => {
          tab.value = 'repair';
          return broken((doing) => doing.start(victim));
        },
        seen: ({ victim }) => stateOf(victim) === 'alive' && waitingHints(victim) === 0,
        waiting: 'It finds the others, and they hand over what they have kept for it…',
      },
    },
    {
      text: () => 'The hints have drained. What hints do not bring, the comparison of Merkle trees finds. Does it hold the same now?',
      act: { label: () => 'Show the X-ray', run: async () => void (tab.value = 'key') },
    },
    { text: () => 'All owners hold the same version again.' },
  ],
};

const joinStory: Story = {
  title: 'A peer joins',
  steps: [
    {
      text: () => 'A new peer takes places on the ring, and only the keys next to them move.',
      act: {
        label: () => 'Add a peer',
        run: (cast) => {
          tab.value = 'break';
          cast.membersBefore = view.peek()?.ring.members.length ?? 0;
          return broken((doing) => doing.add());
        },
        seen: ({ membersBefore }) => (view.peek()?.ring.members.length ?? 0) > membersBefore,
        waiting: 'It starts, meets the others, and takes its places…',
      },
    },
    { text: () => 'Few keys got another owner. Where the owner is hash mod n, nearly all would have moved.' },
  ],
};

const offlineStory: Story = {
  title: 'A tab goes offline',
  steps: [
    {
      text: () => 'A browser tab is a peer like any other, only more often out of reach. Cut one peer off from all the others.',
      act: {
        label: () => 'Take one offline',
        run: async (cast) => {
          cast.offline = chooseOffline();
          tab.value = 'break';
          const others =
            view
              .peek()
              ?.members.map(({ peer }) => peer)
              .filter((peer) => peer !== cast.offline) ?? [];
          return broken((doing) => doing.split([others, [cast.offline]]));
        },
        seen: ({ offline }) => stateOf(offline) === 'dead',
        waiting: 'The others lose sight of it…',
      },
    },
    {
      text: ({ offline }) => `${named(offline)} is alone. With “anyone, one copy is enough” it takes a write all the same.`,
      act: { label: ({ offline }) => `Write at ${named(offline)}`, run: writeOffline },
    },
    {
      text: ({ offline }) => `${named(offline)} has it on its own disk and keeps it for the owners. Bring it back.`,
      act: {
        label: () => 'Heal the split',
        run: () => broken((doing) => doing.heal()),
        seen: ({ offline }) => stateOf(offline) === 'alive',
        waiting: 'They find each other again…',
      },
    },
    {
      text: () => 'Now the others should learn of it: the write was blind, so it stands beside what they had, and nothing is lost.',
      act: { label: () => 'Read it', run: get },
    },
    { text: () => 'That is the whole store: always writable, never silently wrong. Now break it yourself.' },
  ],
};

export const stories: readonly Story[] = [quorumStory, deathStory, conflictStory, returnStory, joinStory, offlineStory];

/** Whether the stories can happen in the mesh that is shown. */
export const canPlay = (): boolean => mesh.value !== undefined && breaking.value !== undefined && (view.value?.members.length ?? 0) >= 4;
