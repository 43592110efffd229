// chromiumPage.ts: a page of Chromium, served by Vite and driven through Playwright.
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { createServer, type Plugin, type ViteDevServer } from 'vite';
import { CHROMIUM_ARGS, findChromium } from '../../src/node/chromium.ts';
import { isolation } from '../../src/node/isolation.ts';

/** An open page, and the browser's version. */
export interface ChromiumPage {
  readonly page: Page;
  readonly version: string;
  readonly close: () => Promise<void>;
}

/** Starts server, browser and a page of bench/peers/page, up to when it has put its methods on globalThis. Throws where there is no Chromium. */
export async function openPage(file: string, methods: string, plugins: Plugin[] = []): Promise<ChromiumPage> {
  const server = await serve(plugins);
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    await server.close();
  };
  try {
    // An interrupt is this program's to handle: Playwright would end it, finished rows and all.
    const signals = { handleSIGINT: false, handleSIGTERM: false };
    browser = await chromium.launch({ ...(await findChromium()), args: CHROMIUM_ARGS, ...signals });
    const page = await (await browser.newContext({ locale: 'en-US' })).newPage();
    await page.goto(new URL(file, server.resolvedUrls!.local[0]).href);
    await page.waitForFunction((name) => name in globalThis, methods);
    return { page, version: browser.version(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The page unbundled, so that a peer that is not installed fails alone. */
async function serve(plugins: Plugin[]): Promise<ViteDevServer> {
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
    plugins,
  });
  return server.listen();
}

/** Calls one of the methods that a page has put on globalThis; its errors come back with the page's words alone. */
export async function callPage(
  page: Page,
  methods: string,
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  try {
    return await page.evaluate(
      ([object, method, values]) => {
        const all = (globalThis as unknown as Record<string, Methods>)[object]!;
        return all[method]!(...values);
      },
      [methods, name, args] as const,
    );
  } catch (cause) {
    const [first] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new Error(first!.replace(/^page\.evaluate: (\w*Error: )?/, ''), { cause });
  }
}

type Methods = Record<string, (...all: readonly unknown[]) => unknown>;
