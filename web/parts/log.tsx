/** The last events, the newest first, each with its time. */

import { lines, mesh } from '../state.ts';

const timeOf = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const simulatedTimeOf = new Intl.DateTimeFormat(undefined, {
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  timeZone: 'UTC',
});

export function Log() {
  const format = mesh.value?.kind === 'simulated' ? simulatedTimeOf : timeOf;
  return (
    <div class="lines" role="log" aria-live="off" aria-labelledby="log-title" tabIndex={0}>
      <ol class="events">
        {lines.value.length === 0 ? <li class="empty">Nothing yet. Put a value, or stop a peer.</li> : null}
        {lines.value.map((line) => (
          <li key={line.id} class={line.tone}>
            <time dateTime={new Date(line.at).toISOString()}>{format.format(line.at)}</time>
            <span>
              {line.text}
              {line.times > 1 ? <span class="count"> ×{line.times}</span> : null}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
