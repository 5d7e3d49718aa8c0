/** Where the key lives, in a sentence. */

import { mesh, keyName, placement, view } from '../state.ts';
import { nameIn } from '../mesh/view.ts';
import { standInOf } from '../mesh/stand-in.ts';

const inWords = new Intl.ListFormat('en', { type: 'conjunction' });
const keyShownMax = 40;

export function Place() {
  const seen = view.value;
  const name = keyName.value;
  const placed = placement.value;
  if (name === undefined) return <p class="place">Type a bucket and a key to see where it lives.</p>;
  if (placed === undefined || seen === undefined)
    return <p class="place">{mesh.value?.lost.value === true ? 'Nobody answers.' : 'Looking…'}</p>;
  const shownKey = name.key.length > keyShownMax ? `${name.key.slice(0, keyShownMax - 1)}…` : name.key;
  const owners = inWords.formatToParts(placed.primaries.map((peer) => nameIn(seen, peer)));
  const standIn = standInOf(placed, seen.members);
  const { hosts, primaries } = placed;
  return (
    <p class="place" aria-live="polite">
      <b>“{shownKey}”</b> is {((placed.position / 2 ** 32) * 100).toFixed(1)} % of the way round.{' '}
      {owners.map(({ type, value }, index) => (type === 'element' ? <b key={index}>{value}</b> : value))}
      {primaries.length === 1 ? ' keeps it.' : ' keep it, the next peers clockwise.'}
      {standIn === undefined ? null : (
        <>
          {' '}
          One of them is away: <b>{nameIn(seen, standIn)}</b> stands in (dotted line).
        </>
      )}
      {hosts < primaries.length ? ` They share ${hosts} ${hosts === 1 ? 'host' : 'hosts'}: there are not enough for one each.` : null}
    </p>
  );
}
