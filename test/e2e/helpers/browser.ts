/**
 * Finds a Chromium for the browser tests: Playwright's own if it is installed, else one of the system, else it installs one (Playwright's, or the
 * distribution's when we are root and have apt) and says so on the console. Called by the tests that need a browser, so that nobody else pays for it.
 *
 * Several test files may ask at once in processes of their own: one of them installs, the others wait for it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Browser, chromium } from 'playwright';

/** A first start may have to install a browser. */
export const browserTimeoutMs = 300_000;

const systemNames = ['chromium', 'chromium-browser', 'google-chrome'];
const installing = join(tmpdir(), 'ringmesh-browser-install');
const flags = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  // WebRTC on loopback. Pages also need a permission for it, see `support/mixed-mesh.ts`.
  ...['--disable-features=WebRtcHideLocalIpsWithMdns', '--allow-loopback-in-peer-connection'],
];

/** Starts a headless Chromium that talks to nobody by itself. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = installedBrowser() ?? (await installBrowser());
  return chromium.launch({ executablePath, args: flags, timeout: 60_000 });
}

function installedBrowser(): string | undefined {
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(delimiter)];
  const system = systemNames.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [chromium.executablePath(), ...system].find((file) => existsSync(file));
}

async function installBrowser(): Promise<string> {
  const release = await takeInstallLock();
  try {
    const found = installedBrowser();
    if (found !== undefined) return found;
    await install();
  } finally {
    await release();
  }
  const installed = installedBrowser();
  if (installed === undefined)
    throw new Error('no Chromium: install one (npx playwright install chromium, or the package chromium of your system)');
  say(`uses ${installed}`);
  return installed;
}

async function install(): Promise<void> {
  say('there is no Chromium here; running: npx playwright install chromium');
  const environment = { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '10000' };
  if (await succeeds('npx', ['playwright', 'install', 'chromium'], environment)) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  say('that failed; running: apt-get update && apt-get install -y chromium');
  const quiet = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  if (await succeeds('apt-get', ['update', '-q'], quiet))
    await succeeds('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], quiet);
}

async function succeeds(command: string, parameters: readonly string[], environment: NodeJS.ProcessEnv): Promise<boolean> {
  const child = spawn(command, parameters, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  const [code] = (await once(child, 'close').catch((error: unknown) => [String(error)])) as [number | string];
  const why = complaints.split('\n').find((line) => /error|^E:/i.test(line)) ?? '';
  if (code !== 0) say(`${command} ended with ${code}: ${why.trim()}`);
  return code === 0;
}

/** A folder is made by one process only. One that is older than any installation was left by a process that was killed. */
async function takeInstallLock(): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await mkdir(installing);
      return () => rm(installing, { recursive: true, force: true });
    } catch {
      const since = await stat(installing).then(
        (found) => found.mtimeMs,
        () => Date.now(),
      );
      if (Date.now() - since > browserTimeoutMs) await rm(installing, { recursive: true, force: true });
      await delay(500);
    }
  }
}

const say = (text: string): void => console.log(`browser tests: ${text}`);
