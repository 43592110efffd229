// page.node.test.ts: the benchmark's page as people use it: built, served, and driven in a real headless Chromium.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build, preview, type Plugin, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatSignificant } from '../bench/format.ts';
import { markdownReport, resultTable } from '../bench/report.ts';
import type { BenchResult, BenchRow } from '../bench/schema.ts';
import { CHROMIUM_ARGS, findChromium } from '../scripts/chromium.ts';

// One KV head of few keys: a shader of it compiles fast.
const TINY = '?heads=2&kv-heads=1&head-dim=64&depth=40&reps=1';
const SMALL = '?heads=8&kv-heads=8,2,1&head-dim=64&depth=128&reps=3';

/**
 * A page cannot know how large the cache of the CPU behind a software adapter is, and reads copies past 64 MiB in turn. Here
 * they are as few as GQA_LLC_MIB makes them for the command: no test is about times.
 */
const SMALL_CACHE: Plugin = {
  name: 'small-cache',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/bench/coldCaches.ts')) return;
    expect(code).toContain('(software ? 64 : 256) * MIB');
    return code.replace('(software ? 64 : 256) * MIB', '(software ? 8 : 256) * MIB');
  },
};

let outDir: string;
let server: PreviewServer;
let browser: Browser;
let consoleErrors: string[] = [];

beforeAll(async () => {
  outDir = mkdtempSync(join(tmpdir(), 'gqa-page-'));
  await build({
    build: { outDir, emptyOutDir: true },
    worker: { plugins: () => [SMALL_CACHE] },
    logLevel: 'error',
  });
  server = await preview({ build: { outDir }, preview: { host: '127.0.0.1', port: 0 }, logLevel: 'error' });
  browser = await chromium.launch({ ...(await findChromium()), args: CHROMIUM_ARGS });
});

afterAll(async () => {
  await browser.close();
  await server.close();
  rmSync(outDir, { recursive: true });
});

/** Opens the page; `patchWorker` changes the text of the worker on its way to the browser. */
async function open(
  query: string,
  options: { in?: Browser; patchWorker?: (text: string) => string } = {},
): Promise<Page> {
  const context = await (options.in ?? browser).newContext({
    locale: 'en-US',
    permissions: ['clipboard-read', 'clipboard-write'],
    viewport: { width: 1280, height: 900 },
  });
  const page = await context.newPage();
  consoleErrors = [];
  page.on('console', (message) => message.type() === 'error' && consoleErrors.push(message.text()));
  page.on('pageerror', (error) => consoleErrors.push(error.message));
  const { patchWorker } = options;
  if (patchWorker) {
    await context.route(/worker-.*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: patchWorker(await response.text()) });
    });
  }
  await page.goto(`${server.resolvedUrls!.local[0]}${query}`);
  return page;
}

async function waitForState(page: Page, state: string, timeout = 45_000): Promise<void> {
  await page.waitForSelector(`html[data-state=${state}]`, { state: 'attached', timeout });
}

function resultOf(page: Page): Promise<BenchResult | undefined> {
  return page.evaluate(() => globalThis.gqaResult);
}

/** The texts of the cells of every row of the page. */
function cellsOf(page: Page): Promise<string[][]> {
  return page.$$eval('tr[data-row]', (rows) =>
    rows.map((row) => [...row.children].map((cell) => cell.textContent)),
  );
}

/** Hides the tab, as far as the page can tell, or shows it again. */
function setHidden(page: Page, hidden: boolean): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}

/** The Markdown table's cells, put in the order of the page's columns; the bar's cell holds no text. */
function cellsOfReport(result: BenchResult): string[][] {
  const lines = resultTable(result).split('\n').slice(2);
  return lines.map((line) => {
    const [, , variant, heads, type, kv, , , time, rate, share, speed] = line
      .split('|')
      .map((cell) => cell.trim());
    return [variant!, heads!, `${kv} ${type}`, '', time!, rate!, share!, speed!];
  });
}

/** Widths in percent of a row's bar: reading at the ceiling, and the rest, of the longest time. */
function barOf(result: BenchResult, row: BenchRow): [string, string] {
  const longest = Math.max(...result.results.map(({ time }) => time!.median));
  const reading = Math.min(row.time!.median, row.bytes.kvRead / result.context.ceiling.readGBps);
  return [reading, row.time!.median - reading].map((ns) => ((100 * ns) / longest).toFixed(3)) as [
    string,
    string,
  ];
}

describe('the page with an adapter', () => {
  let shared: Page;
  let result: BenchResult;

  beforeAll(async () => {
    shared = await open(`${SMALL}&run`);
    await waitForState(shared, 'running');
    await shared.waitForSelector('#progress-text:not(:empty)');
    await setHidden(shared, true);
  });

  it('waits while the tab is hidden, says so, and goes on when it is back', async () => {
    expect(await shared.textContent('#status')).toMatch(/^Paused: this tab is hidden/);
    await shared.waitForTimeout(2000);
    expect(await shared.getAttribute('html', 'data-state')).toBe('running');
    expect(await shared.$$('tr[data-state=timed]')).toHaveLength(0);
    await setHidden(shared, false);
    expect(await shared.textContent('#status')).toMatch(/^Running/);
    await waitForState(shared, 'done');
    result = (await resultOf(shared))!;
  });

  it('measures every row of the address, right and with a time, and says on what', () => {
    expect(result.schema).toBe('gqa-bench/1');
    expect(result.results.map((row) => row.id)).toEqual([
      'h8_kv8_d64_t128_f16',
      'h8_kv2_d64_t128_f16',
      'h8_kv1_d64_t128_f16',
    ]);
    for (const row of result.results) {
      expect(row.check?.pass).toBe(true);
      expect(row.time?.samplesNs).toHaveLength(3);
      expect(row.time?.median).toBeGreaterThan(0);
    }
    expect(result.context.runtime.kind).toBe('chrome');
    expect(result.context.coldBytes).toBe(8 * 2 ** 20);
    expect(result.context.crossOriginIsolated).toBe(true);
    expect(Object.keys(result.context.nonStandard)).toEqual([
      'heads',
      'kv-heads',
      'head-dim',
      'depth',
      'reps',
    ]);
  });

  it('shows the numbers of the result, and bars of their length with words for them', async () => {
    expect(await cellsOf(shared)).toEqual(cellsOfReport(result));
    const bars = await shared.$$eval('div.bar', (all) =>
      all.map((bar) => ({
        label: bar.getAttribute('aria-label'),
        widths: [...bar.children].map((part) =>
          Number.parseFloat((part as HTMLElement).style.width).toFixed(3),
        ),
        drawn: bar.lastElementChild!.getBoundingClientRect().width / bar.getBoundingClientRect().width,
      })),
    );
    for (const [i, row] of result.results.entries()) {
      expect(bars[i]!.widths).toEqual(barOf(result, row));
      expect(bars[i]!.drawn).toBeCloseTo(Number(barOf(result, row)[1]) / 100, 1);
      expect(bars[i]!.label).toContain(`${formatSignificant(row.time!.median / 1000, 3)} µs: `);
    }
  });

  it('says what is not as usual: the software adapter, the parameters, and speed-ups of few samples', async () => {
    const text = await shared.innerText('body');
    expect(text).toContain('you are timing a CPU');
    const changes = await shared.$$eval('#changes tbody tr', (rows) =>
      rows.map((row) => [...row.children].map((c) => c.textContent)),
    );
    expect(changes).toContainEqual(['kv-heads', '8, 2, 1', '32, 8, 1']);
    expect(changes).toContainEqual(['reps', '3', 'until settled']);
    expect(text).toContain('~ marks a speed-up of two times that did not both settle, or have fewer than 6');
    expect(text).toContain('Done: 3 of 3 rows timed, 3 checked against float64.');
  });

  it('copies the report as Markdown and saves the result as JSON', async () => {
    await shared.click('#copy');
    await shared.waitForSelector('#shared:has-text("Copied.")');
    const markdown = await shared.evaluate(() => navigator.clipboard.readText());
    expect(markdown).toBe(markdownReport(result));
    expect(markdown).toMatch(/\| custom \| mqa {5}\| {8}8\/1 \| f16/);
    const [download] = await Promise.all([shared.waitForEvent('download'), shared.click('#download')]);
    expect(download.suggestedFilename()).toMatch(/^gqa-bench-\d{14}\.json$/);
    expect(JSON.parse(readFileSync(await download.path(), 'utf8'))).toEqual(result);
    expect(consoleErrors).toEqual([]);
  });

  it('fits a phone of 360 px', async () => {
    await shared.setViewportSize({ width: 360, height: 780 });
    expect(await shared.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await shared.context().close();
  });

  it('stops at once, keeps the label, and can run again', async () => {
    const page = await open(SMALL);
    await page.fill('#label', 'my desk');
    await page.click('#start');
    await waitForState(page, 'running');
    await page.waitForSelector('#progress-text:not(:empty)');
    const start = performance.now();
    await page.click('#stop');
    await waitForState(page, 'stopped');
    expect(performance.now() - start).toBeLessThan(3000);
    expect(await page.textContent('#status')).toMatch(/^Stopped\./);
    expect(await resultOf(page)).toBeUndefined();
    await expect.poll(() => page.workers()).toHaveLength(0);
    await page.reload();
    expect(await page.inputValue('#label')).toBe('my desk');
    await page.click('#start');
    await waitForState(page, 'done');
    expect((await resultOf(page))!.context.label).toBe('my desk');
    await page.context().close();
  });

  it('tunes, says what it found, remembers it, and runs with it from then on', async () => {
    const page = await open(TINY);
    await page.click('#tune');
    await waitForState(page, 'tuned', 150_000);
    expect(await page.textContent('#status')).toMatch(/^Tuned\./);
    const found = await page.$$eval('#tuned li', (items) => items.map((item) => item.textContent));
    expect(found).toEqual([
      expect.stringMatching(/^d64_rows2_heads1_f16: (tiles|registers) .*× as fast as untuned/),
    ]);
    await page.reload();
    await page.click('#start');
    await waitForState(page, 'done');
    const [row] = (await resultOf(page))!.results;
    expect(row).toMatchObject({ tuned: true, check: { pass: true } });
    expect(found[0]).toContain(row!.sizes);
    expect(consoleErrors).toEqual([]);
    await page.context().close();
  }, 180_000);

  it('stops tuning at once and remembers nothing', async () => {
    const page = await open(TINY);
    await page.click('#tune');
    await waitForState(page, 'running');
    await page.waitForSelector('#progress-text:not(:empty)');
    await page.click('#stop');
    await waitForState(page, 'stopped');
    expect(await page.evaluate(() => localStorage.length)).toBe(0);
    await page.context().close();
  });

  it('shows the error of a wrong row, and no time', async () => {
    let patched = 0;
    const page = await open(`${SMALL}&run`, {
      // The shaders' exponential, not the reference's Math.exp.
      patchWorker: (text) => text.replaceAll(/(?<![\w.])exp\(score/g, () => (patched++, 'cos(score')),
    });
    await waitForState(page, 'done');
    expect(patched).toBeGreaterThan(0);
    for (const cells of await cellsOf(page)) {
      expect(cells.slice(3)).toEqual([expect.stringMatching(/^wrong result: error /), 'WRONG', '', '', '']);
    }
    expect(await page.innerText('#outcome')).toContain('3 of 3 rows computed a wrong result.');
    await page.context().close();
  });

  it('without GPU timestamps measures its wall clock, and says what it is', async () => {
    const hide = `for (const kind of [GPUAdapter, GPUDevice]) {
      const { get } = Object.getOwnPropertyDescriptor(kind.prototype, 'features');
      const without = (features) => new Set([...features].filter((name) => name !== 'timestamp-query'));
      Object.defineProperty(kind.prototype, 'features', { get() { return without(get.call(this)); } });
    }`;
    const page = await open(`${TINY}&run`, { patchWorker: (text) => hide + text });
    await waitForState(page, 'done');
    const { context, results } = (await resultOf(page))!;
    expect(context.timer).toMatchObject({ source: 'wall', wallRatio: null, demoted: false });
    expect(context.timer.stepNs).toBeLessThan(100_000); // an isolated page's clock has steps of 5 µs
    expect(context.timer.wallLateNs).toBeGreaterThanOrEqual(context.timer.stepNs);
    const { time, clockNs } = results[0]!;
    expect(time!.median).toBeGreaterThanOrEqual(20 * clockNs!);
    expect(await page.innerText('#timer-facts')).toMatch(
      /wall clock\s+Step\s+[\d.]+ (ns|µs)\s+May be late by/,
    );
    await page.context().close();
  });

  it('says so when the device is lost during a run', async () => {
    const lose = `const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        const device = await ask.apply(this, args);
        setTimeout(() => device.destroy(), 300);
        return device;
      };`;
    const page = await open(`${SMALL}&run`, { patchWorker: (text) => lose + text });
    await waitForState(page, 'error');
    expect(await page.innerText('#outcome')).toMatch(
      /The GPU device was lost during the run\.\s+device lost \(destroyed\)/,
    );
    expect(await page.textContent('#start')).toBe('Run again');
    await page.context().close();
  });

  it('keeps the rows of finished depths when the device is lost after them', async () => {
    const lose = `let device;
      const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        return (device = await ask.apply(this, args));
      };
      const post = globalThis.postMessage;
      globalThis.postMessage = (message) => {
        if (message.type === 'progress' && message.text.startsWith('d128: round')) device.destroy();
        post.call(globalThis, message);
      };`;
    const address = `${SMALL}&run`.replace('depth=128', 'depth=64,128');
    const page = await open(address, { patchWorker: (text) => lose + text });
    await waitForState(page, 'error');
    expect(await page.innerText('#outcome')).toMatch(
      /device was lost[^]*Not the whole run[^]*partial: 3 of 6 rows/,
    );
    const { context, results } = (await resultOf(page))!;
    expect(context.partial).toMatchObject({ code: 'device-lost', rows: 6 });
    expect(results.map(({ params }) => params.depth)).toEqual([64, 64, 64]);
    expect(await page.isVisible('#share')).toBe(true);
    await page.context().close();
  });

  it('lists bad parameters and runs nothing', async () => {
    const page = await open('?depth=abc&colour=blue&run');
    await waitForState(page, 'error');
    const errors = await page.$$eval('.notice.bad li', (items) => items.map((item) => item.textContent));
    expect(errors[0]).toBe('depth must be a whole number from 1 to 16777216, got "abc"');
    expect(errors[1]).toMatch(/^colour is not known; known are heads, kv-heads, /);
    expect(await page.isDisabled('#start')).toBe(true);
    expect(page.workers()).toHaveLength(0);
    await page.context().close();
  });
});

describe('the page without an adapter', () => {
  it('says what to do, and starts nothing', async () => {
    const bare = await chromium.launch(await findChromium());
    try {
      const page = await open(`${SMALL}&run`, { in: bare });
      await waitForState(page, 'error');
      const text = await page.innerText('.notice.bad');
      expect(text).toContain('This browser has WebGPU, but no adapter for it');
      expect(text).toContain('--enable-unsafe-webgpu');
      expect(await page.isDisabled('#start')).toBe(true);
      expect(consoleErrors).toEqual([]);
    } finally {
      await bare.close();
    }
  });
});
