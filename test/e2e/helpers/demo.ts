/** `ringmesh demo` on ports of its own. */

import { createServer } from 'node:net';
import { expect } from 'vitest';
import { http, jsonOf } from './mesh.ts';
import { start, until, type Running } from './processes.ts';

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** A port with all others free that a demo from there needs; below those that systems hand out to clients. */
export async function freePort(peers: number): Promise<number> {
  for (let port = 10_000 + Math.floor(Math.random() * 20_000); ; port += 500) {
    const needed = [0, 100, 200].flatMap((offset) => Array.from({ length: peers }, (_, index) => port + offset + index));
    if ((await Promise.all([...needed, port + 300].map(isFree))).every(Boolean)) return port;
  }
}

/** Resolves when its screen is there. Without a number of peers it has those of the last time. */
export async function startDemo(port: number, peers: number | undefined, data: string): Promise<Running> {
  const demo = start(['demo', ...(peers === undefined ? [] : ['--peers', `${peers}`]), '--port', `${port}`, '--data', data]);
  void demo.finished.then((finished) => finished.code !== 0 && finished.signal === null && console.error(finished.stderr));
  await until('the screen is there', () => demo.output().includes('Ctrl-C stops all peers.'), 90_000);
  return demo;
}

/** Does to the demo at this address what its page can do. */
export async function supervise(url: string, path: string, body: unknown = {}): Promise<void> {
  const { url: supervisor, token } = jsonOf<{ url: string; token: string }>(await http(url, 'GET', '/v1/demo'));
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const answer = await http(supervisor, 'POST', `/v1/demo${path}`, { body: JSON.stringify(body), headers });
  expect(answer.status, answer.body.toString()).toBe(200);
}
