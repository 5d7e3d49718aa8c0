/** What `ringmesh/browser` costs an app, and what it must not need. */

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bundled, gzipBytes } from './support/page-host.ts';

describe('the bundle of ringmesh/browser', () => {
  it('is below 250 KB gzip, without eval and without stand-ins for Node.js', { timeout: 120_000 }, async () => {
    const code = await bundled(fileURLToPath(new URL('support/bundle-entry.ts', import.meta.url)));
    console.info(`ringmesh/browser: ${code.length} bytes, ${gzipBytes(code)} bytes gzip`);
    expect(gzipBytes(code)).toBeLessThan(250_000);
    expect(code.match(/\beval\(|\bnew Function\(|\brequire\(|browser-external/)).toBeNull();
  });
});
