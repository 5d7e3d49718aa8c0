/** The demo page: shows the mesh that serves it, or a simulated one when the address says so. */

import { render } from 'preact';
import './styles/style.css';
import './styles/ring.css';
import './styles/form.css';
import './styles/lists.css';
import './styles/parts.css';
import { App } from './app.tsx';
import { followAddress } from './source.ts';

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
followAddress();
