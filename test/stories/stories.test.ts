/**
 * The classic stories of a store like this, told by the simulator and compared with what was read and found good. After a change that is meant to change them,
 * `npx vitest run test/stories --update` writes them anew; read the difference.
 */

import { describe, expect, it } from 'vitest';

import { hintsLeft } from '../sim/support/story.ts';
import { Story } from './story.ts';

const [A, B, C, D, E] = [0, 1, 2, 3, 4];

async function told(story: Story, file: string): Promise<void> {
  await expect(story.text).toMatchFileSnapshot(`./${file}.txt`);
}

describe('stories', () => {
  it('[QR1] [QR3] a quorum', async () => {
    const story = new Story('A quorum');
    story.say('A put at A also goes to B and C. A’s own copy and one more make the quorum (W=2); the third follows.');
    const outcome = story.put(A, 'apples');
    expect(outcome.receipts.filter((receipt) => receipt.state === 'stored')).toHaveLength(2);
    story.say('A get at E asks two replicas (R=2) and waits for the slower of them.');
    expect(story.get(E).values).toEqual(['apples']);
    story.showAll();
    await told(story, 'quorum');
  });

  it('[QR2] [HH1] a sloppy quorum and hinted handoff', async () => {
    const story = new Story('A sloppy quorum and hinted handoff');
    story.say('C and B die, and the others notice.');
    story.kill(C);
    story.kill(B);
    story.say('A put at A finds them dead. D and E take it in their places, each with a hint of whom it is for.');
    expect(story.put(A, 'apples', { mode: 'sloppy', w: 3 }).sloppy).toBe(true);
    story.showAll();
    story.say('B and C come back, and get what is theirs; the copies in their places go.');
    story.start(B, C);
    story.wait(() => hintsLeft(story.cluster) === 0);
    story.showAll();
    await told(story, 'handoff');
  });

  it('[VR1] a stale context makes siblings', async () => {
    const story = new Story('A stale context makes siblings');
    story.say('All begin with apples.');
    story.put(A, 'apples');
    story.say('Two clients read the same, and both put with the context of their read.');
    const { context } = story.get(D);
    story.put(D, 'apples+pears', { context });
    story.say('The second one has not seen what the first one has put: it replaces what it had seen, and stands beside the other.');
    story.put(E, 'apples+plums', { context });
    story.say('Who reads now gets both, and a context that covers both. A put with it settles the matter.');
    const both = story.get(B);
    expect(both.values).toEqual(['apples+pears', 'apples+plums']);
    story.put(B, 'apples+pears+plums', { context: both.context });
    story.showAll();
    await told(story, 'siblings');
  });

  it('[VR3] amnesia', async () => {
    const story = new Story('Amnesia: no dot names two values');
    story.say('All begin with apples.');
    story.put(A, 'apples');
    const backup = story.cluster.peer(A).storage.snapshot();
    const first = story.put(A, 'pears', { context: story.get(A).context });
    story.say('A dies, and its disk is set back to what it was before the second put.');
    story.kill(A);
    story.cluster.peer(A).storage.rollback(backup, true);
    story.start(A);
    story.say(
      'A client puts with the context of what it has read. A sees a version of its own there that it does not know: it takes another name.',
    );
    const second = story.put(A, 'plums', { context: first.context });
    expect(second.dot?.actor).not.toBe(first.dot?.actor);
    story.say('A dies once more, and its disk is lost. The new store has another name from the beginning.');
    story.kill(A);
    story.cluster.peer(A).storage.wipe();
    story.start(A);
    const third = story.put(A, 'quinces', { context: second.context });
    expect([first.dot?.actor, second.dot?.actor]).not.toContain(third.dot?.actor);
    expect(story.get(B).values).toEqual(['quinces']);
    story.showAll();
    await told(story, 'amnesia');
  });

  it('[AE3] the return of a peer that has missed a delete', async () => {
    const story = new Story('A delete, and the return of a peer that has missed it');
    story.say('All begin with apples.');
    story.put(A, 'apples');
    const { context } = story.get(A);
    story.say('C dies, and so do D and E, who could keep a hint for it. A and B are left, and the key is deleted.');
    for (const peer of [C, D, E]) story.kill(peer);
    story.remove(A, context);
    story.showAll();
    story.say('C comes back with its old copy. Comparing trees brings it the delete: the value does not come back.');
    story.start(C, D, E);
    story.waitUntilEqual();
    expect(story.get(C, { r: 3 }).values).toEqual([]);
    story.showAll();
    await told(story, 'delete');
  });

  it('[QR2] [VR1] a split is healed', async () => {
    const story = new Story('A split is healed');
    story.say('All begin with apples.');
    story.put(A, 'apples');
    const { context } = story.get(A);
    story.say('The network comes apart: A and B here; C, D and E there.');
    story.cluster.split([
      [A, B],
      [C, D, E],
    ]);
    story.wait(() =>
      [A, B].every((here) =>
        [C, D, E].every((there) => story.cluster.view(here, there) === 'dead' && story.cluster.view(there, here) === 'dead'),
      ),
    );
    story.say('Here two primaries are left, and a strict put is done.');
    story.put(A, 'pears', { context });
    story.say('There it is one: a sloppy put takes D and E along, which keep hints for A and B.');
    story.put(C, 'plums', { context, mode: 'sloppy' });
    story.showAll();
    story.say('The split ends. Hints go home; both values stand, for neither had seen the other.');
    story.cluster.network.mendAll();
    story.wait(() => story.cluster.whole && hintsLeft(story.cluster) === 0);
    expect(story.get(E).values).toEqual(['pears', 'plums']);
    story.showAll();
    await told(story, 'split');
  });
});
