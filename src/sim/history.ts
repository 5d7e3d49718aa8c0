/**
 * Histories: one JSON line for each operation of a client, for each final read of a replica after healing, and for each root of a partition's tree. The
 * simulator writes them, drivers against real processes write the same form, and the checkers need nothing else.
 */

export type Status = 'ok' | 'fail' | 'info';

/** What one client did, or what one replica held at the end (then with `node` and `phase`). */
export interface Operation {
  readonly process: string;
  readonly op: 'put' | 'get' | 'delete';
  readonly key: string;
  /** What the put wrote; a delete has one too. Null for a get. */
  readonly valueId: string | null;
  /** What the context that was sent covers: the values of the get or put that it came from. */
  readonly seen: readonly string[];
  /** What the get returned. */
  readonly returned: readonly string[];
  /** Milliseconds on one clock for all processes. */
  readonly invoke: number;
  readonly complete: number | null;
  /** `fail`: no replica was touched. `info`: it may have taken effect. */
  readonly status: Status;
  /** `actor:counter` of values that this operation learned of. */
  readonly dots: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly phase?: 'final';
}

export interface RootRow {
  readonly op: 'root';
  /** The partition. */
  readonly key: string;
  readonly node: string;
  readonly digest: string;
  readonly phase: 'final';
}

export type HistoryRow = Operation | RootRow;

/** An operation under way: its client fills in how it ends. */
export type OpenOperation = { -readonly [K in keyof Operation]: Operation[K] };

export function openOperation(op: Operation['op'], process: string, key: string, invoke: number): OpenOperation {
  return {
    process,
    op,
    key,
    valueId: null,
    seen: [],
    returned: [],
    invoke,
    complete: null,
    status: op === 'get' ? 'fail' : 'info',
    dots: {},
  };
}

export const historyText = (rows: readonly HistoryRow[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Throws a SyntaxError that names the line. */
export function parseHistory(text: string): HistoryRow[] {
  const rows: HistoryRow[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    try {
      rows.push(JSON.parse(line) as HistoryRow);
    } catch (cause) {
      throw new SyntaxError(`line ${index + 1} of the history is no JSON`, { cause });
    }
  });
  return rows;
}
