/** This tab as a peer: whether it takes part, how much it keeps, and how it reaches the others. */

import { useSignal } from '@preact/signals';
import { LiveMesh } from '../mesh/live.ts';
import { mesh, view } from '../state.ts';
import { Button, plural, Slider } from './bits.tsx';

const weightMax = 64;

export function ThisTab() {
  const live = mesh.value;
  const weight = useSignal<number | undefined>(undefined);
  if (!(live instanceof LiveMesh) || view.value === undefined) return null;
  const { tab } = live;
  const state = tab.state.value;
  const chosenWeight = weight.value ?? tab.weight.value;
  const apply = async (): Promise<void> => {
    tab.setWeight(chosenWeight);
    await tab.close();
    await live.joinWithTab();
  };
  return (
    <section aria-label="This tab" class="this-tab">
      <p role="status">
        <b>This tab</b> {sayState(live)}
      </p>
      <div class="buttons">
        {state.type === 'on' ? (
          <Button onClick={() => tab.leave()}>Leave</Button>
        ) : (
          <Button disabled={state.type === 'starting'} onClick={() => live.joinWithTab()}>
            Join with this tab
          </Button>
        )}
        {state.type === 'on' && chosenWeight !== tab.weight.value ? <Button onClick={apply}>Take this weight</Button> : null}
      </div>
      <Slider
        label="Its weight"
        value={chosenWeight}
        min={0}
        max={weightMax}
        said={chosenWeight === 0 ? 'keeps nothing' : plural(chosenWeight, 'place')}
        onInput={(value) => {
          weight.value = value;
          if (state.type !== 'on') tab.setWeight(value);
        }}
      />
    </section>
  );
}

function sayState(live: LiveMesh): string {
  const state = live.tab.state.value;
  switch (state.type) {
    case 'off':
      return 'is no peer: it asks others.';
    case 'starting':
      return 'is joining…';
    case 'failed':
      return `is no peer. ${state.why}`;
    case 'on': {
      // The view changes with the connections.
      void view.value;
      const connections = state.peer.connections();
      const relayed = connections.filter(({ relay }) => relay !== undefined).length;
      const together = state.peer.status().runsHere ? '' : ' together with another tab of this browser';
      return `is a peer${together}, connected with ${plural(connections.length, 'other')}${relayed > 0 ? `, ${relayed} of them through a relay` : ''}.`;
    }
  }
}
