/** A Vite app that counts its visits in the mesh: `?bootstrap=` names the WebSocket addresses of Node.js peers, separated by commas. */

import { createPeer } from 'ringmesh/browser';

const output = document.querySelector('output') as HTMLOutputElement;
const bootstrap = (new URLSearchParams(location.search).get('bootstrap') ?? '').split(',');

const peer = await createPeer({ cluster: 'examples', bootstrap });
await peer.ready();

const visits = peer.bucket('visits', { resolver: 'lww' });
const { siblings, context } = await visits.get('vite');
const count = siblings.length === 0 ? 1 : Number(new TextDecoder().decode(siblings[0]?.value)) + 1;
await visits.put('vite', String(count), { context });
output.textContent = `visit ${count}`;
