/** A write through one peer, and at once a read through another: what R and W cost and miss is measured by these. */

import type { Door, KeyName, Quorum, Trial } from './types.ts';
import { textOf, textValue } from './values.ts';

interface Doors {
  door(peer?: string): Door;
}

export async function trial(mesh: Doors, name: KeyName, quorum: Quorum, writer?: string, reader?: string): Promise<Trial> {
  const text = 'measured';
  const { ms: putMs } = await mesh.door(writer).write(name, quorum, textValue(text), '');
  const { ms: getMs, siblings } = await mesh.door(reader).read(name, quorum);
  return { putMs, getMs, missed: siblings.every(({ value }) => textOf(value) !== text) };
}
