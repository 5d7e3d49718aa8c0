/** Starts the driver. Its TypeScript runs through Vite's module runner, as the tests' does, so that nothing has to be compiled for it. */

import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const { module } = await runnerImport(path('command.ts'), { configFile: path('../../vite.config.ts'), logLevel: 'error' });
await module.main(process.argv);
