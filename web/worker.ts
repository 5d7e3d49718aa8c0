/** Starts the page's workers. They are built beside its scripts, under names that stay, and share their parts (see vite.config.ts). */

const beside = import.meta.url;

export const startWorker = (name: 'dots' | 'simulation'): Worker => new Worker(new URL(`${name}.worker.js`, beside), { type: 'module' });
