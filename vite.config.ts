/** Builds the demo page into dist/web and the module for plain pages into dist/browser, and tells the tests where the public entries have their sources. */

import { fileURLToPath } from 'node:url';

import type { BuildOptions } from 'vite';
import { defineConfig } from 'vitest/config';

const source = (file: string): string => fileURLToPath(new URL(`src/${file}`, import.meta.url));

/** `ringmesh/browser` with all that it needs as one file, for pages without a build. */
const moduleBuild = {
  lib: { entry: source('../dist/src/browser.js'), formats: ['es'], fileName: 'ringmesh' },
  outDir: '../dist/browser',
  emptyOutDir: true,
  target: 'es2022',
} satisfies BuildOptions;

const page = (file: string): string => fileURLToPath(new URL(`web/${file}`, import.meta.url));
const pageBuild = {
  outDir: '../dist/web',
  emptyOutDir: true,
  target: 'es2022',
  rolldownOptions: {
    input: {
      index: page('index.html'),
      board: page('board.html'),
      'dots.worker': page('ring/dots-worker.ts'),
      'simulation.worker': page('simulation/worker.ts'),
    },
    // The page finds its workers by name; they share its chunks, so that nothing is loaded twice.
    output: { entryFileNames: ({ name }) => (name.endsWith('.worker') ? 'assets/[name].js' : 'assets/[name]-[hash].js') },
  },
} satisfies BuildOptions;

/** Twenty tabs leave nothing of the machine to others: they come after all other tests. */
const alone = 'test/e2e/browser/many.test.ts';

export default defineConfig(({ mode }) => ({
  root: 'web',
  base: './',
  publicDir: false,
  build: mode === 'module' ? moduleBuild : pageBuild,
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
    setupFiles: ['test/setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: [alone] } },
      { extends: true, test: { name: 'alone', include: [alone], sequence: { groupOrder: 1 } } },
    ],
  },
}));
