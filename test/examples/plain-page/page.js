// A page without a build: ringmesh.js is dist/browser/ringmesh.js, copied beside it. `?bootstrap=` names the WebSocket addresses of Node.js peers.
import { createPeer } from './ringmesh.js';

const bootstrap = (new URLSearchParams(location.search).get('bootstrap') ?? '').split(',');
const peer = await createPeer({ cluster: 'examples', bootstrap });
await peer.ready();

const notes = peer.bucket('notes');
await notes.put('greeting', 'hello from a plain page');
const { siblings } = await notes.get('greeting');
document.querySelector('output').textContent = siblings.map(({ value }) => new TextDecoder().decode(value)).join(' | ');
