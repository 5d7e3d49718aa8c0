/**
 * What to do with a LevelDB folder that is damaged (ST3): first LevelDB's own repair, which makes a new list of the tables from what can be read of them; if that
 * does not help, the folder is set aside under another name, for whoever wants to look at it, and an empty store takes its place. Either way the store may
 * have forgotten what it acknowledged, and the other replicas fill it again. Damage that shows only when a running peer reads leaves a mark for the next start.
 */

import { access, rename, rm } from 'node:fs/promises';
import { Level } from 'level';
import { MeshError } from '../core/errors.ts';
import { damageMark, type LevelStorage, openLevelStorage, repairIsDue } from './level.ts';

/** What was done with a damaged store before this start, and a line that says so. */
export interface Rescue {
  readonly action: 'repaired' | 'setAside';
  readonly message: string;
}

/** `level` hands out the class of `classic-level`, which has it, under a type that does not name it. */
const levelRepair = (Level as unknown as { repair(folder: string): Promise<void> }).repair;

type Use<T> = (storage: LevelStorage, rescue: Rescue | undefined) => Promise<T>;

/** Opens the store and uses it; when either shows damage, once more after a repair, and once more with an empty store. */
export async function withRescue<T>(folder: string, use: Use<T>): Promise<T> {
  const damages: string[] = [];
  const measures = [undefined, () => repaired(folder), () => setAside(folder)];
  const isMarked = await access(damageMark(folder)).then(
    () => true,
    () => false,
  );
  if (isMarked) {
    measures.shift();
    damages.push(`the store in ${folder} is damaged`);
  }
  for (const measure of measures) {
    try {
      const rescue = await measure?.().then((done) => ({ ...done, message: `${damages[0]}: ${done.message}` }));
      const storage = await openLevelStorage(folder, { mayHaveForgotten: rescue !== undefined });
      try {
        return await use(storage, rescue);
      } catch (error) {
        await storage.close();
        throw error;
      }
    } catch (error) {
      if (!(error instanceof MeshError) || error.code !== 'RECORD_CORRUPT') throw error;
      damages.push(error.message.replace(repairIsDue, ''));
    }
  }
  throw new MeshError('STORAGE_FAILED', damages.join('; '));
}

async function repaired(folder: string): Promise<Rescue> {
  try {
    await levelRepair(folder);
    await rm(damageMark(folder), { force: true });
  } catch (error) {
    throw new MeshError('RECORD_CORRUPT', `the repair failed (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    });
  }
  return { action: 'repaired', message: 'it was repaired, and what is missing comes back from the other peers' };
}

async function setAside(folder: string): Promise<Rescue> {
  const aside = `${folder}.damaged-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}`;
  try {
    await rename(folder, aside);
    await rm(damageMark(folder), { force: true });
  } catch (error) {
    throw new MeshError('STORAGE_FAILED', `the damaged store in ${folder} cannot be set aside`, { cause: error });
  }
  return { action: 'setAside', message: `it was set aside as ${aside}, and an empty store is filled from the other peers` };
}
