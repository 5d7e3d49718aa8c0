/**
 * Bundles `page.ts` with Vite as an app would, without plugins or shims for Node.js, and serves it on loopback from memory. Its Content-Security-Policy
 * allows neither eval nor inline scripts.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const source = (file: string): string => fileURLToPath(new URL(`../../../../src/${file}`, import.meta.url));
const policy = "default-src 'none'; script-src 'self'; connect-src 'self' ws:";
const html =
  '<!doctype html><html lang="en"><meta charset="utf-8"><title>ringmesh in a page</title><script type="module" src="/page.js"></script></html>';

/** One ES module, as text. */
async function bundled(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { alias: [{ find: /^ringmesh\/browser$/, replacement: source('browser.ts') }] },
    build: { write: false, target: 'es2022', modulePreload: false, rolldownOptions: { input: entry } },
  });
  if (Array.isArray(result) || !('output' in result)) throw new Error('one build was asked for');
  const [chunk, ...others] = result.output;
  if (others.length > 0) throw new Error(`one file was expected, not ${result.output.map((file) => file.fileName).join()}`);
  return chunk.code;
}

export interface PageHost {
  readonly url: string;
  close(): Promise<void>;
}

export async function servePage(): Promise<PageHost> {
  const script = await bundled(fileURLToPath(new URL('page.ts', import.meta.url)));
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html', 'Content-Security-Policy': policy });
    response.end(isScript ? script : html);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
