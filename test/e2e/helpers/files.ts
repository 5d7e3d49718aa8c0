/** Folders of real files to import: an installed package and some binaries, and their comparison. */

import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { valueMaxBytes } from '../../../node/value-limits.ts';
import { projectFolder } from './processes.ts';

/** The same bytes for the same name. */
export function madeUpBytes(name: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let made = 0, index = 0; made < length; made += 64, index++) blocks.push(createHash('sha512').update(`${name} ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

const names = ['plain', 'with space', 'per%cent', 'ünï', '__proto__', 'semi;colon', 'hash#mark', 'plus+sign', "quo'te", 'dots..'];
const sizes = [0, 1, 1023, 65_536, 131_072, 262_144, 524_288];

/** Of the package's files all that a value may hold; one source map is larger. */
const fits = async (path: string): Promise<boolean> => (await stat(path)).size <= valueMaxBytes;

/** A copy of an installed package with binaries of 0 to 512 KiB added to it. */
export async function makeInput(folder: string): Promise<void> {
  await cp(join(projectFolder, 'node_modules/libp2p'), folder, { recursive: true, filter: fits });
  await mkdir(join(folder, 'made-up'), { recursive: true });
  for (const [index, name] of names.entries()) {
    for (const size of sizes) {
      if (size > 100_000 && index > 3) continue;
      await writeFile(join(folder, 'made-up', `${name}-${size}.bin`), madeUpBytes(name, size));
    }
  }
}

/** All files of a folder by relative path. */
export async function readFolder(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = await Promise.all(files.map(async (file) => [relative(folder, file), await readFile(file)] as const));
  return new Map(read.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}
