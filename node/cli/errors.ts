/**
 * Failures as the command line shows them: one line, `ringmesh: error: what happened [CODE]`, and an exit code that scripts can branch on.
 */

import { CommanderError } from 'commander';

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** `get`: the key has no value. */
  absent: 3,
  /** `get`, `export`: siblings were found. */
  conflict: 4,
  /** `put`, `delete`: stored or perhaps stored, but the write quorum was missed. `keys`: keys may be missing. */
  incomplete: 5,
} as const;

export const exitCodesHelp = `Exit codes:
  0  done
  1  failed
  2  wrong flag or value
  3  the key has no value (get)
  4  conflict: several values were written without seeing each other (get, export)
  5  the write quorum was missed, or a listing may lack keys (put, delete, keys)`;

export class CliError extends Error {
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.name = 'CliError';
    this.code = code;
    this.exitCode = exitCode;
  }
}

export const usageError = (message: string): CliError => new CliError('OPTION_INVALID', message, exitCodes.usage);

interface Failure {
  readonly line: string;
  readonly exitCode: number;
}

/** Undefined for what is no failure: help and version were shown. */
export function describeFailure(error: unknown): Failure | undefined {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return undefined;
    return { line: errorLine('OPTION_INVALID', error.message.replace(/^error: /, '')), exitCode: exitCodes.usage };
  }
  if (error instanceof CliError) return { line: errorLine(error.code, error.message), exitCode: error.exitCode };
  const message = error instanceof Error ? error.message : String(error);
  return { line: errorLine(codeOf(error) ?? 'INTERNAL', message), exitCode: exitCodes.failed };
}

/** The stable code of a MeshError or of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

const errorLine = (code: string, message: string): string => `ringmesh: error: ${message.replace(/\s*\n\s*/g, ' ')} [${code}]`;
