/** What the runtime owes a peer whose surroundings misbehave. */

import { describe, expect, it } from 'vitest';

import { systemClock, systemRandom } from '../../src/adapters/clock.ts';
import { createIdentity } from '../../src/adapters/identity.ts';
import { openMemoryStorage } from '../../src/adapters/memory.ts';
import { createMemoryHub } from '../../src/adapters/memory-network.ts';
import { defaultProbeTimes } from '../../src/core/prober.ts';
import { Runtime } from '../../src/runtime.ts';

function oneRuntime(hub = createMemoryHub(), bootstrap: readonly string[] = []): Runtime {
  const identity = createIdentity();
  const self = { host: 'h', zone: '', class: 'ephemeral', weight: 8, gateway: '' } as const;
  return new Runtime({
    clock: systemClock,
    storage: openMemoryStorage(),
    network: hub.network({ self: identity.peerId, bootstrap }),
    peer: { cluster: 'c', partitions: 16, durableMin: 0, founder: true, identity, self, times: defaultProbeTimes, random: systemRandom },
  });
}

/** The errors that nobody catches while `work` goes on. */
async function uncaught(work: () => Promise<void>): Promise<unknown[]> {
  const errors: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  try {
    await work();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  }
  return errors;
}

describe('a runtime', () => {
  it('goes on when a listener throws, and does not hide the error', async () => {
    const runtime = oneRuntime();
    await runtime.start();
    const mistake = new Error('the listener’s own');
    const heard: string[] = [];
    const errors = await uncaught(async () => {
      runtime.onEvent(() => {
        throw mistake;
      });
      runtime.onEvent((event) => heard.push(event.type));
      const get = { bucket: 'b', key: 'k' as never, n: 1, r: 1, mode: 'strict', resolver: 'siblings', budgetMs: 1000 } as const;
      for (let i = 0; i < 3; i++) expect((await runtime.request({ type: 'get', command: get })).type).toBe('get');
      await runtime.close();
    });
    expect(errors.length).toBeGreaterThan(0);
    expect(new Set(errors)).toEqual(new Set([mistake]));
    expect(heard).toContain('request');
  });

  it('tells of places that it could not reach while it reaches nobody, and in the error of who waits', async () => {
    const hub = createMemoryHub();
    const one = oneRuntime(hub);
    await one.start();
    const heard: unknown[] = [];
    one.onEvent((event) => event.type === 'alone' && heard.push({ where: event.where, reason: event.reason }));
    const waited = (): Promise<void> => one.until(() => false, { timeoutMs: 1 });
    await expect(waited()).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('are the bootstrap addresses right'),
    });
    one.notReached('somewhere', 'nobody listens');
    expect(heard).toEqual([{ where: 'somewhere', reason: 'nobody listens' }]);
    await expect(waited()).rejects.toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('somewhere: nobody listens') });
    const two = oneRuntime(hub, one.peer.membership.record.addresses);
    await two.start();
    await one.until(() => one.paths().length > 0, {});
    one.notReached('elsewhere', 'nobody listens');
    expect(heard).toHaveLength(1);
    await expect(waited()).rejects.toMatchObject({ message: expect.stringContaining('are the bootstrap addresses right') });
    await Promise.all([one.close(), two.close()]);
  });
});
