/** What `ringmesh/browser` costs an app, and what it must not need. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it(
  'the bundle of ringmesh/browser is below 250 KB gzip, without eval and without stand-ins for Node.js',
  { timeout: 120_000 },
  async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../../bench/size.mjs', import.meta.url))]);
    console.info(stdout.trim());
    expect(stdout).toMatch(/^ringmesh\/browser: \d+ bytes, \d+ bytes gzip \(limit 250000\)\n$/);
  },
);
