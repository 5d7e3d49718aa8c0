/** The least that an app imports. */

import { createPeer } from 'ringmesh/browser';

Object.assign(globalThis, { createPeer });
