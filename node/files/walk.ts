/**
 * A folder as keys and a key as a path. A key is the relative path with slashes; back, a key that would leave the folder or that no file can be called
 * by is refused. Symbolic links are not followed.
 */

import { lstat, opendir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Mime } from 'mime';
import otherTypes from 'mime/types/other.js';
import standardTypes from 'mime/types/standard.js';

export interface FoundFile {
  readonly path: string;
  /** Relative, with slashes. */
  readonly name: string;
  readonly bytes: number;
}

/** All regular files below a folder, sorted by name. */
export async function walk(folder: string): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const folders = [folder];
  for (let current = folders.pop(); current !== undefined; current = folders.pop()) {
    for await (const entry of await opendir(current)) {
      const path = join(current, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) found.push({ path, name: relative(folder, path).split(sep).join('/'), bytes: (await lstat(path)).size });
    }
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The registry calls .ts a video format; in folders that people import it is TypeScript. */
const types = new Mime(standardTypes, otherTypes).define({ 'text/x-typescript': ['ts', 'mts', 'cts', 'tsx'] }, true);

export const contentTypeOf = (name: string): string => types.getType(name) ?? 'application/octet-stream';

/** The relative path for a key, or why there is none. */
export function pathOfKey(key: string | undefined): { readonly path: string } | { readonly problem: string } {
  if (key === undefined) return { problem: 'is not text, so it cannot be a file name' };
  if (key === '') return { problem: 'is empty without the prefix' };
  if (key.startsWith('/') || /^[A-Za-z]:/.test(key)) return { problem: 'is an absolute path' };
  if (/[\p{Cc}\\]/u.test(key)) return { problem: 'has characters that file names should not have' };
  const segments = key.split('/');
  if (segments.some((segment) => segment === '..' || segment === '.'))
    return { problem: 'has a . or .. segment and would leave the folder' };
  if (segments.includes('')) return { problem: 'has an empty segment' };
  if (segments.some((segment) => Buffer.byteLength(segment) > 255)) return { problem: 'has a segment longer than a file name may be' };
  return { path: segments.join(sep) };
}
