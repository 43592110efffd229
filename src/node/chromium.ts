// chromium.ts: finds a Chromium for runs of the benchmark in a browser, and for tests: a given one, the system's, or npm's.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NoAdapterError } from '../device/errors.ts';
import { EMBEDDED_INSTALL, embeddedRunsHere, findArchive, unpackChromium } from './embedded.ts';
import { onPath } from './onPath.ts';

/** A browser and the environment to start it in, as Playwright's `launch` takes them. */
export interface Chromium {
  readonly executablePath: string;
  readonly env: Record<string, string>;
}

/** Software adapters are offered to pages only with this flag; real ones need none. */
export const CHROMIUM_ARGS = ['--enable-unsafe-webgpu'];

// Chromium first: what a person installed beside their everyday browser.
const ON_PATH = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
  'microsoft-edge',
];

const MAC_APPS = ['Chromium', 'Google Chrome', 'Microsoft Edge'];

const WINDOWS_FILES = [
  'Chromium/Application/chrome.exe',
  'Google/Chrome/Application/chrome.exe',
  'Microsoft/Edge/Application/msedge.exe',
];

/** Where installers put browsers that are not on PATH. */
function installed(env: NodeJS.ProcessEnv): string | undefined {
  const files =
    process.platform === 'darwin'
      ? MAC_APPS.map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`)
      : [env['ProgramFiles'], env['ProgramFiles(x86)'], env['LOCALAPPDATA']]
          .filter((folder) => folder !== undefined)
          .flatMap((folder) => WINDOWS_FILES.map((file) => join(folder, file)));
  return files.find((file) => existsSync(file));
}

/**
 * Finds a Chromium, Chrome or Edge: CHROME_PATH, else one on PATH or where installers put it, else the one that npm brought,
 * with its libraries and fonts. GQA_EMBEDDED_CHROMIUM=1 goes straight to npm's. Throws NoAdapterError, which says how to
 * get one.
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<Chromium> {
  if (env.GQA_EMBEDDED_CHROMIUM !== '1') {
    const found = env.CHROME_PATH || onPath(env.PATH ?? '', ON_PATH) || installed(env);
    if (found) return { executablePath: found, env: defined(env) };
  }
  const archive = embeddedRunsHere() ? findArchive() : undefined;
  if (!archive) {
    const own = 'install Chromium, Chrome or Edge, or set CHROME_PATH to the program';
    const hint = embeddedRunsHere() ? `${own}; or ${EMBEDDED_INSTALL}` : own;
    throw new NoAdapterError('findChromium: no Chromium, Chrome or Edge is installed.', { hint });
  }
  const { executablePath, libraries, fontsConf } = await unpackChromium(archive);
  const searched = [libraries, env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return {
    executablePath,
    env: defined({
      ...env,
      LD_LIBRARY_PATH: searched,
      FONTCONFIG_FILE: fontsConf,
      // It has a driver of its own, which a choice of drivers would hide.
      VK_DRIVER_FILES: undefined,
      VK_ICD_FILENAMES: undefined,
    }),
  };
}

function defined(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((e): e is [string, string] => e[1] !== undefined));
}
