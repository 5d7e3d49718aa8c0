/** Builds the demo page into dist/web, and tells the tests where the public entries have their sources. */

import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

const source = (file: string): string => fileURLToPath(new URL(`src/${file}`, import.meta.url));

export default defineConfig({
  root: 'web',
  base: './',
  build: { outDir: '../dist/web', emptyOutDir: true, target: 'es2022' },
  resolve: {
    alias: [
      { find: /^ringmesh\/node$/, replacement: source('node.ts') },
      { find: /^ringmesh\/browser$/, replacement: source('browser.ts') },
      { find: /^ringmesh\/sim$/, replacement: source('sim/index.ts') },
      { find: /^ringmesh$/, replacement: source('index.ts') },
    ],
  },
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
