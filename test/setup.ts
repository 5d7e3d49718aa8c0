/** What every test file runs on: the same polyfills as a Node.js peer. */

import '../src/adapters/polyfill.ts';
