/** Short hand-written histories: operations on the key `k`, by the process `a` where nothing else is said. */

import type { Operation, RootRow, Status } from '../../../src/sim/history.ts';

const empty: Operation = {
  process: 'a',
  op: 'get',
  key: 'k',
  valueId: null,
  seen: [],
  returned: [],
  invoke: 0,
  complete: 1,
  status: 'ok',
  dots: {},
};

type Change = Partial<Operation>;

export const put = (valueId: string, invoke: number, complete: number | null, change: Change = {}): Operation => ({
  ...empty,
  op: 'put',
  valueId,
  invoke,
  complete,
  ...change,
});

export const remove = (valueId: string, invoke: number, complete: number | null, change: Change = {}): Operation => ({
  ...empty,
  op: 'delete',
  valueId,
  invoke,
  complete,
  ...change,
});

export const get = (returned: readonly string[], invoke: number, complete: number, change: Change = {}): Operation => ({
  ...empty,
  returned,
  invoke,
  complete,
  ...change,
});

export const final = (returned: readonly string[], node: string, status: Status = 'ok'): Operation => ({
  ...empty,
  process: 'final',
  returned,
  invoke: 1000,
  complete: 1001,
  status,
  node,
  phase: 'final',
});

export const root = (key: string, node: string, digest: string): RootRow => ({ op: 'root', key, node, digest, phase: 'final' });
