/** `ringmesh demo` on ports of its own. */

import { createServer } from 'node:net';
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

/** Resolves when its screen is there. */
export async function startDemo(port: number, peers: number, data: string): Promise<Running> {
  const demo = start(['demo', '--peers', `${peers}`, '--port', `${port}`, '--data', data]);
  void demo.finished.then((finished) => finished.code !== 0 && finished.signal === null && console.error(finished.stderr));
  await until('the screen is there', () => demo.output().includes('Ctrl-C stops all peers.'), 90_000);
  return demo;
}
