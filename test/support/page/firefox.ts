// firefox.ts: Firefox as a browser for the tests of the page, driven by Puppeteer over WebDriver BiDi.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, type ElementHandle, type Page } from 'puppeteer-core';
import { vi } from 'vitest';
import { FIREFOX_PREFS, findFirefox } from '../../../src/node/firefox.ts';
import { messageOf } from '../../../src/device/errors.ts';
import { picturePath, type PageBrowser, type Tab } from './tab.ts';

/** Preferences of Firefox by name. */
export type Prefs = Readonly<Record<string, string | number | boolean>>;

/** Starts the Firefox of this path, with WebGPU unless `prefs` say otherwise. */
export async function launchFirefox(executablePath: string, prefs: Prefs = {}): Promise<PageBrowser> {
  const folder = mkdtempSync(join(tmpdir(), 'gqa-firefox-'));
  const [profile, downloads] = ['profile', 'downloads'].map((name) => join(folder, name)) as [string, string];
  mkdirSync(downloads);
  const removeFolder = () => rmSync(folder, { recursive: true, maxRetries: 5 });
  const browser = await launch({
    browser: 'firefox',
    executablePath,
    // Puppeteer's own stays behind when the launch fails.
    userDataDir: profile,
    extraPrefsFirefox: {
      ...FIREFOX_PREFS,
      'intl.accept_languages': 'en-US',
      'browser.download.folderList': 2,
      'browser.download.dir': downloads,
      // Puppeteer switches off that a page left behind is kept and gone back to.
      'fission.bfcacheInParent': true,
      ...prefs,
    },
  }).catch((error: unknown) => {
    removeFolder();
    throw error;
  });
  return {
    kind: 'firefox',
    async open(address) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport({ width: 1280, height: 900 });
      const tab = tabOf(page, downloads);
      await page.goto(address);
      return tab;
    },
    async close() {
      await browser.close();
      removeFolder();
    },
  };
}

/** Firefox, if there is one that gives a page of this address an adapter; else why not. One that FIREFOX_PATH names has to. */
export async function tryFirefox(address: string, env = process.env): Promise<PageBrowser | string> {
  const path = findFirefox(env);
  if (!path) return 'no FIREFOX_PATH, no firefox-esr or firefox on PATH';
  let browser: PageBrowser | undefined;
  try {
    browser = await launchFirefox(path);
    const tab = await browser.open(address);
    const adapter = await tab.evaluate(async () => (await navigator.gpu.requestAdapter()) !== null);
    await tab.close();
    if (adapter) return browser;
    throw new Error(`${path} has no adapter; on Linux it needs a Vulkan driver`);
  } catch (error) {
    await browser?.close();
    if (env.FIREFOX_PATH) throw error;
    return messageOf(error);
  }
}

function tabOf(page: Page, downloads: string): Tab {
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  const picture = async (state: string) => {
    const path = picturePath('firefox', state);
    if (path) await page.screenshot({ path, fullPage: true });
  };
  return {
    errors,
    evaluate: <R>(run: (argument: unknown) => R | Promise<R>, argument?: unknown) =>
      page.evaluate(run, argument) as Promise<R>,
    async waitFor(selector, timeout) {
      await page.waitForSelector(selector, { timeout });
    },
    click: (selector) => page.click(selector),
    fill: (selector, text) => page.locator(selector).fill(text),
    async choose(selector, paths) {
      const input = (await page.$(selector)) as ElementHandle<HTMLInputElement>;
      await input.uploadFile(...paths);
    },
    drop: undefined,
    async reload() {
      await page.reload();
    },
    resize: (width, height) => page.setViewport({ width, height }),
    workers: () => page.workers().length,
    picture,
    async download(selector) {
      // Another test may have saved a file and not read it.
      const earlier = new Set(readdirSync(downloads));
      await page.click(selector);
      return vi.waitFor(() => finishedDownload(downloads, earlier), 10_000);
    },
    async close() {
      await picture('end');
      await page.browserContext().close();
    },
  };
}

/** The file in a folder that was not there earlier; throws while there is none, or one that is still being written. */
function finishedDownload(folder: string, earlier: ReadonlySet<string>): { name: string; text: string } {
  const names = readdirSync(folder).filter((each) => !earlier.has(each));
  const [name] = names;
  if (name === undefined || names.length > 1 || name.endsWith('.part'))
    throw new Error(`expected one finished file, got [${names.join(', ')}]`);
  const text = readFileSync(join(folder, name), 'utf8');
  rmSync(join(folder, name));
  return { name, text };
}
