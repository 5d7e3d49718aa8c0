/**
 * One way to stop for all that runs long: the first signal asks, a later one ends the process at once. A signal that arrives twice within a moment is one:
 * a terminal and npm both pass Ctrl-C on.
 */

const echoMs = 500;

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  let firstAt: number | undefined;
  const heard = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      stop(signal);
    } else if (now - firstAt > echoMs) {
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
  };
  for (const signal of stopSignals) process.on(signal, heard);
}
