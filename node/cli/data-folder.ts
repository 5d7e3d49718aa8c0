/** The folder that holds a peer's data, or that of all peers of the demo: there and writable before anything is started. */

import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CliError, codeOf } from './errors.ts';

export async function checkFolder(folder: string): Promise<void> {
  try {
    await makeFolder(resolve(folder));
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new CliError(
      'STORAGE_FAILED',
      `the data folder ${folder} cannot be written (${codeOf(error) ?? 'no access'}); choose another with --data`,
    );
  }
}

/** Makes a folder (an absolute path) and those above it, step by step: with `recursive` Node.js never comes to an end where nothing can be made, as in /proc. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const parent = dirname(folder);
    if (codeOf(error) === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || parent === folder) throw error;
    await makeFolder(parent);
    await mkdir(folder).catch((again: unknown) => {
      if (codeOf(again) !== 'EEXIST') throw again;
    });
  }
}
