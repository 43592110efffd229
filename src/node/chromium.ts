// chromium.ts: finds a Chromium for the browser tests and for pictures of the page: a given one, the system's, or npm's.
import { EMBEDDED_INSTALL, embeddedRunsHere, findArchive, unpackChromium } from './embedded.ts';
import { onPath } from './onPath.ts';

/** What Playwright's `launch` needs. */
export interface Chromium {
  readonly executablePath: string;
  readonly env: Record<string, string>;
}

/** Software adapters are offered to pages only with this flag; real ones need none. */
export const CHROMIUM_ARGS = ['--enable-unsafe-webgpu'];

/**
 * Finds a Chromium: CHROME_PATH, else `chromium` or `google-chrome-stable` on PATH, else the one that npm brought, with
 * its libraries and fonts. GQA_EMBEDDED_CHROMIUM=1 goes straight to npm's. Throws an Error that says how to get one.
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<Chromium> {
  if (env.GQA_EMBEDDED_CHROMIUM !== '1') {
    const installed = env.CHROME_PATH || onPath(env.PATH ?? '', ['chromium', 'google-chrome-stable']);
    if (installed) return { executablePath: installed, env: defined(env) };
  }
  const archive = embeddedRunsHere() ? findArchive() : undefined;
  if (!archive) {
    const cure = embeddedRunsHere()
      ? EMBEDDED_INSTALL
      : 'install Chromium, or set CHROME_PATH to a Chrome binary';
    throw new Error(
      `findChromium: no CHROME_PATH, no chromium or google-chrome-stable on PATH. Fix: ${cure}`,
    );
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
