/**
 * What lies in the package beside the program. Found through the package's own name, so that it does not matter where a build puts the code.
 */

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

export const { version } = require('ringmesh/package.json') as { version: string };

export const packageFolder = dirname(require.resolve('ringmesh/package.json'));

/** The built demo page; the folder is missing where the web app was not built. */
export const pageFolder = join(packageFolder, 'dist', 'web');
