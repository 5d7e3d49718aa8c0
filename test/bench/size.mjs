/**
 * What `ringmesh/browser` costs an app, bundled and minified by Vite with all that it needs: `npm run build && npm run size`. Ends with 1 above the limit, or when the
 * bundle has what a strict page must not have.
 */

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const limitBytes = 250_000;
const entry = fileURLToPath(new URL('../e2e/browser/support/bundle-entry.ts', import.meta.url));
const { output } = await build({
  configFile: false,
  logLevel: 'error',
  build: { write: false, target: 'es2022', modulePreload: false, rolldownOptions: { input: entry } },
});
const code = output.map((chunk) => chunk.code ?? '').join('');
const gzipBytes = gzipSync(code).length;
console.log(`ringmesh/browser: ${code.length} bytes, ${gzipBytes} bytes gzip (limit ${limitBytes})`);
const unwanted = code.match(/\beval\(|\bnew Function\(|\brequire\(|browser-external/);
if (unwanted !== null) console.log(`it contains ${unwanted[0]}`);
process.exitCode = gzipBytes < limitBytes && unwanted === null ? 0 : 1;
