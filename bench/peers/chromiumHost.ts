// chromiumHost.ts: the contestants of a Chromium page, served by Vite and driven through Playwright.
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { CHROMIUM_ARGS, findChromium } from '../../src/node/chromium.ts';
import { isolation } from '../../src/node/isolation.ts';
import type { EngineName } from './contestants.ts';
import type { Host } from './host.ts';
import { packInputs, type PeerInputs } from './inputs.ts';
import type { PeerTarget } from './peerTarget.ts';
import type { PeersPage } from './page/main.ts';

type BrowserEngine = Exclude<EngineName, 'ort-cpu'>;

/** Starts server, browser and page. Throws where there is no Chromium. */
export async function openChromiumHost(): Promise<Host> {
  let inputs: PeerInputs | undefined;
  const server = await serve(() => packInputs(inputs!));
  let browser: Browser | undefined;
  try {
    // An interrupt is this program's to handle: Playwright would end it, finished rows and all.
    const signals = { handleSIGINT: false, handleSIGTERM: false };
    browser = await chromium.launch({ ...(await findChromium()), args: CHROMIUM_ARGS, ...signals });
    const page = await (await browser.newContext({ locale: 'en-US' })).newPage();
    await page.goto(server.resolvedUrls!.local[0]!);
    await page.waitForFunction(() => 'peers' in globalThis);
    return {
      place: 'chromium',
      runtime: { kind: 'chromium', version: browser.version() },
      open: (engine) => call(page, 'open', browserEngine(engine)),
      async bind(engine, data, copies) {
        inputs = data;
        const step = await call(page, 'bind', browserEngine(engine), data.shape, copies);
        return remoteTarget(page, browserEngine(engine), step);
      },
      async close() {
        await browser!.close();
        await server.close();
      },
    };
  } catch (error) {
    await browser?.close();
    await server.close();
    throw error;
  }
}

function browserEngine(engine: EngineName): BrowserEngine {
  if (engine === 'ort-cpu') throw new Error('ort-cpu runs in Node alone');
  return engine;
}

/** The page unbundled, so that a peer that is not installed fails alone; `/inputs` has the data of the shape at hand. */
async function serve(packed: () => Uint8Array): Promise<ViteDevServer> {
  const server = await createServer({
    configFile: false,
    root: fileURLToPath(new URL('page', import.meta.url)),
    logLevel: 'error',
    optimizeDeps: { noDiscovery: true },
    server: {
      host: '127.0.0.1',
      port: 0,
      hmr: false,
      watch: null,
      headers: isolation,
      fs: { allow: ['../../..'] },
    },
    plugins: [
      {
        name: 'inputs',
        configureServer({ middlewares }) {
          middlewares.use('/inputs', (_, response) => response.end(packed()));
        },
      },
    ],
  });
  return server.listen();
}

function remoteTarget(page: Page, engine: BrowserEngine, step: string): PeerTarget {
  return {
    step,
    time: (steps) => call(page, 'time', engine, steps),
    output: async (copy) => Float32Array.from(await call(page, 'output', engine, copy)),
    release: () => call(page, 'release', engine),
  };
}

type Result<Name extends keyof PeersPage> = Awaited<ReturnType<PeersPage[Name]>>;

/** Calls a method of the page's `peers`; its errors come back with the page's words alone. */
async function call<Name extends keyof PeersPage>(
  page: Page,
  name: Name,
  ...args: Parameters<PeersPage[Name]>
): Promise<Result<Name>> {
  try {
    return (await page.evaluate(
      ([method, values]) => {
        const methods = globalThis.peers as unknown as Record<string, (...all: unknown[]) => unknown>;
        return methods[method]!(...values);
      },
      [name, args] as const,
    )) as Result<Name>;
  } catch (cause) {
    const [first] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new Error(first!.replace(/^page\.evaluate: (\w*Error: )?/, ''), { cause });
  }
}
