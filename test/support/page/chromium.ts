// chromium.ts: Chromium as a browser for the tests of the page, driven by Playwright.
import { readFileSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';
import { CHROMIUM_ARGS, findChromium } from '../../../src/node/chromium.ts';
import { picturePath, type PageBrowser, type Tab } from './tab.ts';

/** Starts it, with a software adapter unless `args` are others. */
export async function launchChromium(args: string[] = CHROMIUM_ARGS): Promise<PageBrowser> {
  const browser = await chromium.launch({ ...(await findChromium()), args });
  return {
    kind: 'chrome',
    async open(address) {
      const context = await browser.newContext({
        locale: 'en-US',
        permissions: ['clipboard-read', 'clipboard-write'],
        viewport: { width: 1280, height: 900 },
      });
      const page = await context.newPage();
      const tab = tabOf(page);
      await page.goto(address);
      return tab;
    },
    close: () => browser.close(),
  };
}

function tabOf(page: Page): Tab {
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(error.message));
  const picture = async (state: string) => {
    const path = picturePath('chrome', state);
    if (path) await page.screenshot({ path, fullPage: true });
  };
  return {
    errors,
    evaluate: <R>(run: (argument: unknown) => R | Promise<R>, argument?: unknown) =>
      page.evaluate<R, unknown>(run, argument),
    async waitFor(selector, timeout) {
      await page.waitForSelector(selector, { state: 'attached', timeout });
    },
    click: (selector) => page.click(selector),
    fill: (selector, text) => page.fill(selector, text),
    choose: (selector, paths) => page.setInputFiles(selector, paths),
    drop: (...paths) => drop(page, paths),
    async reload() {
      await page.reload();
    },
    resize: (width, height) => page.setViewportSize({ width, height }),
    workers: () => page.workers().length,
    picture,
    async download(selector) {
      const [file] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
      return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
    },
    async close() {
      await picture('end');
      await page.context().close();
    },
  };
}

/** Playwright has no drag of files from outside; Chromium's own protocol has. */
async function drop(page: Page, files: string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 100, y: 100, data });
  }
  await session.detach();
}
