// headless.ts: a headless Chromium that shows one page of this machine and ends with this process, however that ends.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GqaError, NoAdapterError } from '../device/errors.ts';
import { CHROMIUM_ARGS, findChromium } from './chromium.ts';

/** A browser that was started. */
export interface Headless {
  /** Resolves when the browser has ended by itself, with why as far as it is known. */
  readonly ended: Promise<GqaError>;
  /** Ends it and removes its profile. */
  close(): Promise<void>;
}

const ARGS = [
  '--headless=new',
  // Nobody speaks on it. A browser ends when it is closed, as it is when this process ends or is killed.
  '--remote-debugging-pipe',
  // Its one page is ours, and where it would need rights that root and containers lack it would not start.
  '--no-sandbox',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-sync',
  '--mute-audio',
  '--password-store=basic',
  '--use-mock-keychain',
  ...CHROMIUM_ARGS,
  // Exact timestamps, and an adapter that has a name.
  '--enable-webgpu-developer-features',
];

/** On Linux WebGPU needs it on GPUs that Chrome has not released it for. */
const LINUX_ARGS = ['--enable-features=Vulkan'];

const CLOSE_MS = 5000;

/** Starts the browser that `findChromium` finds, with a profile of its own. Throws NoAdapterError where there is none. */
export async function startHeadless(address: string): Promise<Headless> {
  const { executablePath, env } = await findChromium();
  const profile = mkdtempSync(join(tmpdir(), 'gqa-chrome-'));
  const isPosix = process.platform !== 'win32';
  const child = spawn(
    executablePath,
    [...ARGS, ...(process.platform === 'linux' ? LINUX_ARGS : []), `--user-data-dir=${profile}`, address],
    // In a group of its own: a terminal's Ctrl-C is this process's to handle.
    { env, detached: isPosix, windowsHide: true, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] },
  );
  const ended = whenEnded(child, executablePath);
  return {
    ended,
    async close() {
      for (const pipe of child.stdio.slice(3)) pipe?.destroy();
      const kill = setTimeout(() => child.kill('SIGKILL'), CLOSE_MS);
      await ended;
      clearTimeout(kill);
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

function whenEnded(child: ChildProcess, path: string): Promise<GqaError> {
  let said = '';
  child.stderr?.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)));
  for (const pipe of child.stdio.slice(3)) pipe?.on('error', () => {});
  return new Promise((resolve) => {
    child.on('error', (cause) => {
      const hint = 'set CHROME_PATH to a Chromium, Chrome or Edge';
      resolve(new NoAdapterError(`${path} does not start: ${cause.message}`, { cause, hint }));
    });
    child.on('close', (code, signal) => {
      const last = said.trim().split('\n').at(-1);
      const how = signal === null ? `exit code ${code}` : signal;
      resolve(new GqaError('browser-ended', `${path} has ended (${how})${last ? `: ${last}` : ''}`));
    });
  });
}
