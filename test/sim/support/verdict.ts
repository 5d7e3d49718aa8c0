/** What a test says of a run: nothing when all went well, else the command that replays it, its link, and the first violations. */

import type { SimulationResult } from '../../../src/sim/run.ts';

const shown = 5;

export function verdict({ violations, command, link }: SimulationResult): string {
  if (violations.length === 0) return '';
  const lines = violations.slice(0, shown).map(({ check, key, message }) => `  ${check} ${key}: ${message}`);
  const more = violations.length > shown ? [`  and ${violations.length - shown} more`] : [];
  return [`replay with: ${command} --trace`, `or on the demo page: ${link}`, ...lines, ...more].join('\n');
}
