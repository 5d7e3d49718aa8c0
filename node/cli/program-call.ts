/** How a person calls this program again from where they are, for lines that can be pasted. */

import { relative } from 'node:path';

export function programCall(argv1: string | undefined = process.argv[1]): string {
  if (argv1 === undefined || /[\\/]\.bin[\\/]/.test(argv1)) return 'npx ringmesh';
  if (!argv1.endsWith('main.js')) return 'ringmesh';
  const path = relative(process.cwd(), argv1);
  return `node ${path.includes(' ') ? JSON.stringify(path) : path}`;
}
