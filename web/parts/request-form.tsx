/** The form: which key, which value, how many peers must answer, and in one sentence what that choice promises. */

import type { Mode } from 'ringmesh';
import { aware, bucket, copies, key, mode, quorum, r, request, text, w } from '../state.ts';
import { Button } from './bits.tsx';

export function RequestForm() {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void request('put');
  };
  return (
    <form autocomplete="off" onSubmit={submit}>
      <KeyFields />
      <label>
        Value <textarea rows={1} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
      </label>
      <QuorumFields />
      <label
        class="check"
        title="The value is read first, so that the write knows what it replaces. Without this the write knows of nothing and stands beside what is there."
      >
        <input type="checkbox" checked={aware.value} onChange={(event) => (aware.value = event.currentTarget.checked)} /> Replace what is
        there
      </label>
      <div class="buttons">
        <button type="submit" class="primary">
          Put
        </button>
        <Button onClick={() => request('get')}>Get</Button>
        <Button onClick={() => request('delete')}>Delete</Button>
        <Button look="quiet" title="Writes two values that do not know of each other" onClick={() => request('conflict')}>
          Make a conflict
        </Button>
      </div>
    </form>
  );
}

export function KeyFields() {
  return (
    <div class="fields">
      <label>
        Bucket{' '}
        <input
          value={bucket.value}
          required
          maxlength={64}
          pattern="[A-Za-z0-9._\-]+"
          title="letters, digits, . _ -"
          spellcheck={false}
          onInput={(event) => (bucket.value = event.currentTarget.value)}
        />
      </label>
      <label>
        Key{' '}
        <input
          value={key.value}
          required
          maxlength={1024}
          spellcheck={false}
          onInput={(event) => (key.value = event.currentTarget.value)}
        />
      </label>
    </div>
  );
}

function QuorumFields() {
  const n = copies.value;
  const counts = Array.from({ length: n }, (_, index) => index + 1);
  const choice = (label: string, letter: string, value: number, change: (value: number) => void) => (
    <label>
      {label} <abbr>{letter}</abbr>
      <select value={value} onChange={(event) => change(Number(event.currentTarget.value))}>
        {counts.map((count) => (
          <option key={count} value={count}>
            {count}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <fieldset>
      <legend>
        How many of the <abbr title="copies of each key, set for the whole bucket">N</abbr> = <output>{n}</output> owners must answer?
      </legend>
      <div class="quorum">
        {choice('Reading:', 'R', quorum.value.r, (value) => (r.value = value))}
        {choice('Writing:', 'W', quorum.value.w, (value) => (w.value = value))}
        <label class="mode">
          Who may answer
          <select value={mode.value} onChange={(event) => (mode.value = event.currentTarget.value as Mode)}>
            <option value="sloppy">stand-ins too</option>
            <option value="strict">owners only</option>
            <option value="any">anyone, one copy is enough</option>
          </select>
        </label>
      </div>
      <p class="note">{promiseText(n, quorum.value.r, quorum.value.w, mode.value)}</p>
    </fieldset>
  );
}

function promiseText(n: number, r: number, w: number, mode: Mode): string {
  if (mode === 'any')
    return 'One durable copy anywhere is enough for a write: it never has to wait, and nobody promises that a read finds it yet.';
  if (r + w <= n) return `${r} + ${w} ≤ ${n}: quick, but a read may miss the last write.`;
  if (mode === 'strict') return `${r} + ${w} > ${n}: a read always meets the last write, or fails when too few owners answer.`;
  return `${r} + ${w} > ${n}: a read meets the last write, unless owners are away and stand-ins answer for them.`;
}
