/**
 * The demo page: the built files of the web app, read once and served from memory under their exact paths. Nothing else of the disk can be reached.
 */

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import mime from 'mime';
import { tagMatches } from './envelope.ts';

interface PageFile {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Files by URL path. */
export type Page = ReadonlyMap<string, PageFile>;

/** Files whose names carry a hash of their content never change. */
const hashedName = /-[A-Za-z0-9_-]{8,}\.\w+$/;

/** Undefined when the folder has no page. */
export async function readPage(folder: string): Promise<Page | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, PageFile>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const body = await readFile(path);
    const urlPath = encodeURI(path.slice(folder.length).split(sep).join('/'));
    const type = mime.getType(entry.name) ?? 'application/octet-stream';
    files.set(urlPath, {
      body,
      headers: {
        'Content-Type': type.startsWith('text/') ? `${type}; charset=utf-8` : type,
        'Content-Length': `${body.length}`,
        'Cache-Control': hashedName.test(entry.name) ? 'public, max-age=31536000, immutable' : 'no-cache',
        ETag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
      },
    });
  }
  const index = files.get('/index.html');
  if (index === undefined) return undefined;
  return files.set('/', index);
}

export function pageResponse(page: Page, path: string, ifNoneMatch: string | undefined): Response | undefined {
  const file = page.get(path);
  if (file === undefined) return undefined;
  if (tagMatches(ifNoneMatch, file.headers['ETag'] ?? ''))
    return new Response(null, { status: 304, headers: { ETag: file.headers['ETag'] ?? '' } });
  return new Response(file.body, { headers: file.headers });
}
