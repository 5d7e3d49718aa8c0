/** Flags, environment and configuration file. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../../node/cli/config-file.ts';
import { describeFailure } from '../../../node/cli/errors.ts';
import { gatewayUrls, list, port } from '../../../node/cli/parsers.ts';
import { completeOptions, variableName } from '../../../node/cli/settings.ts';

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'ringmesh-settings-'))));
afterEach(() => rm(folder, { recursive: true }));

async function resolve(flags: string[], environment: Record<string, string>, yaml?: string): Promise<Record<string, unknown>> {
  const program = new Command('ringmesh').exitOverride().configureOutput({ writeErr: () => {} });
  const serve = new Command('serve')
    .addOption(new Option('--port <port>').argParser(port).default(7400))
    .option('--gateway-host <address>', '', '127.0.0.1')
    .addOption(new Option('--bootstrap <multiaddr>').argParser(list))
    .option('--no-page')
    .option('--config <file>');
  program.addCommand(serve.copyInheritedSettings(program).action(() => {}));
  program.addCommand(new Command('put').option('--gateway <url>'));
  const file = join(folder, 'config.yaml');
  if (yaml !== undefined) await writeFile(file, yaml);
  program.hook('preAction', async (_, command) => void (await completeOptions(command, environment)));
  await program.parseAsync(['serve', ...(yaml === undefined ? [] : ['--config', file]), ...flags], { from: 'user' });
  return serve.opts();
}

describe('where a value comes from', () => {
  it('flag before environment before file before default', async () => {
    const yaml = 'port: 3\ngateway-host: file\n';
    expect(await resolve([], {})).toMatchObject({ port: 7400, gatewayHost: '127.0.0.1' });
    expect(await resolve([], {}, yaml)).toMatchObject({ port: 3, gatewayHost: 'file' });
    expect(await resolve([], { RINGMESH_PORT: '2' }, yaml)).toMatchObject({ port: 2, gatewayHost: 'file' });
    expect(await resolve(['--port', '1'], { RINGMESH_PORT: '2' }, yaml)).toMatchObject({ port: 1, gatewayHost: 'file' });
  });

  it('lists come whole from one place', async () => {
    const yaml = 'bootstrap: [/ip4/1.1.1.1/tcp/1, /ip4/2.2.2.2/tcp/2]';
    expect(await resolve([], {}, yaml)).toMatchObject({ bootstrap: ['/ip4/1.1.1.1/tcp/1', '/ip4/2.2.2.2/tcp/2'] });
    expect(await resolve([], { RINGMESH_BOOTSTRAP: 'a, b,' }, yaml)).toMatchObject({ bootstrap: ['a', 'b'] });
    expect(await resolve(['--bootstrap', 'c', '--bootstrap', 'd,e'], { RINGMESH_BOOTSTRAP: 'a' }, yaml)).toMatchObject({
      bootstrap: ['c', 'd', 'e'],
    });
  });

  it('a switch can be off in the environment', async () => {
    expect(await resolve([], {})).toMatchObject({ page: true });
    expect(await resolve(['--no-page'], {})).toMatchObject({ page: false });
    expect(await resolve([], { RINGMESH_NO_PAGE: 'false' })).toMatchObject({ page: true });
    expect(await resolve([], { RINGMESH_NO_PAGE: '1' })).toMatchObject({ page: false });
    expect(await resolve([], {}, 'no-page: true')).toMatchObject({ page: false });
  });

  it('names of other commands are known, misspelt ones are not', async () => {
    expect(await resolve([], {}, 'gateway: http://127.0.0.1:1')).toMatchObject({ port: 7400 });
    await expect(resolve([], {}, 'prot: 1')).rejects.toThrow("unknown name 'prot'");
    await expect(resolve([], {}, 'config: x')).rejects.toThrow("unknown name 'config'");
  });

  it('a wrong value names its place', async () => {
    await expect(resolve([], { RINGMESH_PORT: 'x' })).rejects.toThrow(
      'RINGMESH_PORT is "x", which is not valid. Expected a whole number from 0 to 65535.',
    );
    await expect(resolve([], {}, 'port: 70000')).rejects.toThrow('config.yaml: port is "70000"');
    await expect(resolve([], {}, 'gateway-host: [a, b]')).rejects.toThrow('Expected one value.');
    await expect(resolve([], { RINGMESH_NO_PAGE: 'maybe' })).rejects.toThrow('Expected true or false.');
  });

  it('a missing file is an error', async () => {
    await expect(resolve([], { RINGMESH_CONFIG: join(folder, 'nowhere') })).rejects.toThrow('cannot read the configuration file');
    expect(variableName('gateway-host')).toBe('RINGMESH_GATEWAY_HOST');
  });
});

describe('buckets in the configuration file', () => {
  const buckets = (yaml: string): unknown => Object.fromEntries(parseConfig('f', yaml, new Set()).buckets);

  it('[QR1] options are taken over', () => {
    expect(buckets('buckets: {carts: {n: 5, r: 2, w: 4, mode: sloppy, resolver: lww, timeoutMs: 100}, plain: {}}')).toEqual({
      carts: { n: 5, r: 2, w: 4, mode: 'sloppy', resolver: 'lww', timeoutMs: 100 },
      plain: {},
    });
  });

  it.each([
    ['buckets: {a: {r: 4}}', 'r = 4 is more than n = 3'],
    ['buckets: {a: {n: 2, w: 3}}', 'w = 3 is more than n = 2'],
    ['buckets: {a: {w: 0}}', 'w must be at least 1'],
    ['buckets: {a: {n: 17}}', 'n must be 1 to 16'],
    ['buckets: {a: {n: 1.5}}', 'buckets.a.n must be a whole number'],
    ['buckets: {a: {q: 1}}', "buckets.a: unknown option 'q'"],
    ['buckets: {a: {mode: loose}}', 'buckets.a.mode must be strict, sloppy, any'],
    ['buckets: {a: {resolver: newest}}', 'buckets.a.resolver must be'],
    ['buckets: {a: {timeoutMs: 0}}', 'timeoutMs must be 1 to'],
    ['buckets: {a: 1}', 'buckets.a must hold options'],
    ['buckets: [a]', 'buckets must hold a name'],
    ['buckets: {a: {n: 3, n: 4}}', 'unique'],
    ['[1, 2]', 'expected names and values'],
    ['a: {b: 1}', "unknown name 'a'"],
    ['x: [', 'f: '],
  ])('[QR1] %s is an error', (yaml, message) => {
    expect(() => buckets(yaml)).toThrow(message);
    expect(() => buckets(yaml)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', exitCode: 2 }));
  });

  it('[VR8] a bucket may have any name', () => {
    expect([...parseConfig('f', 'buckets: {__proto__: {n: 1, r: 1, w: 1}, constructor: {}}', new Set()).buckets.keys()]).toEqual([
      '__proto__',
      'constructor',
    ]);
  });
});

describe('values of flags', () => {
  it('gateways are URLs without a trailing slash', () => {
    expect(gatewayUrls('http://a:1/, https://b')).toEqual(['http://a:1', 'https://b']);
    expect(() => gatewayUrls('ftp://a')).toThrow('Expected a URL');
    expect(() => gatewayUrls('127.0.0.1:7400')).toThrow('Expected a URL');
  });

  it('a failure is one line with a code', () => {
    expect(describeFailure(new Error('a\n  b'))).toEqual({ line: 'ringmesh: error: a b [INTERNAL]', exitCode: 1 });
    expect(describeFailure(Object.assign(new Error('locked'), { code: 'STORAGE_LOCKED' }))?.line).toBe(
      'ringmesh: error: locked [STORAGE_LOCKED]',
    );
  });
});
