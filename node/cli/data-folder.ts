/** The folder that holds a peer's data, or that of all peers of the demo: there and writable before anything is started. */

import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { CliError, codeOf } from './errors.ts';

export async function checkFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CliError(
      'STORAGE_FAILED',
      `the data folder ${folder} cannot be written (${codeOf(error) ?? 'no access'}); choose another with --data`,
    );
  }
}
