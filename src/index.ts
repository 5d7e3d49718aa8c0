/** The platform-independent entry `ringmesh`: types, the error class, and helpers for values. `createPeer` is in `ringmesh/node` and `ringmesh/browser`. */

export * from './api.ts';
export { version } from './version.ts';
