// page.node.test.ts: the benchmark's page as people use it: built, served, and driven in a real headless Chromium.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/page/chromium.ts';
import { lostRun, oneRun, opener, otherRuns, SMALL, TINY } from '../support/page/flows.ts';
import { seriousFaults } from '../support/page/axe.ts';
import { cacheRuns } from '../support/page/cacheFlows.ts';
import { losingWhen } from '../support/page/loseDevice.ts';
import { lostModel, modelRuns } from '../support/page/modelFlows.ts';
import { trainRuns } from '../support/page/trainFlows.ts';
import { checkRuns } from '../support/page/checkFlows.ts';
import { sharing } from '../support/page/shareFlows.ts';
import { sliderRuns } from '../support/page/sliderFlows.ts';
import { servePage, type PageServer } from '../support/page/server.ts';
import {
  enter,
  isEnabled,
  type PageBrowser,
  resultOf,
  shownTextOf,
  textOf,
  textsOf,
  waitForProgress,
  waitForState,
} from '../support/page/tab.ts';

let server: PageServer;
let browser: PageBrowser;
const open = opener(
  () => browser,
  () => server,
);

beforeAll(async () => {
  server = await servePage();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  await server.close();
});

describe('one run', () => oneRun(open, () => browser.kind));

describe('other runs', () => {
  otherRuns(open);
  lostRun(open);
});

describe('the slider', () => sliderRuns(open));

describe('a check', () => checkRuns(open));

describe('sharing', () => sharing(open));

describe('a model', () => {
  modelRuns(open, [8, 1]);
  lostModel(open, [8, 1]);
});

describe('the lab', () => trainRuns(open));

describe('the KV cache calculator', () => cacheRuns(open));

describe('tuning', () => {
  it('says what it found, remembers it, and runs with it from then on', async () => {
    // Few candidates, and short ones.
    const tab = await open('?heads=2&kv-heads=2&head-dim=16&depth=40&reps=1');
    await tab.click('#tune');
    await waitForState(tab, 'tuned', 150_000);
    expect(await textOf(tab, '#status')).toMatch(/^Tuned\./);
    const found = await textsOf(tab, '#tuned li');
    expect(found).toEqual([
      expect.stringMatching(/^d16_rows1_heads2_f16: (tiles|registers) .*× as fast as untuned/),
    ]);
    await tab.reload();
    await tab.click('#start');
    await waitForState(tab, 'done');
    const [row] = (await resultOf(tab))!.results;
    expect(row).toMatchObject({ tuned: true, check: { pass: true } });
    expect(found[0]).toContain(row!.sizes);
    expect(await shownTextOf(tab, '#notices')).toMatch(
      /Runs use what was tuned in this browser\.\s+heads of 16, 1 query head to a KV head, up to 2 KV heads, f16: since \d{4}-/,
    );
    await tab.click('#forget-tuning');
    expect(await tab.evaluate(() => localStorage.length)).toBe(0);
    expect(await shownTextOf(tab, '#notices')).not.toContain('tuned');
    expect(tab.errors).toEqual([]);
    await tab.close();
  }, 180_000);

  it('stops at once and remembers nothing', async () => {
    const tab = await open(TINY);
    await tab.click('#tune');
    await waitForProgress(tab);
    await tab.click('#stop');
    await waitForState(tab, 'stopped');
    expect(await tab.evaluate(() => localStorage.length)).toBe(0);
    await tab.close();
  });
});

it('keeps the rows of finished depths when the device is lost after them', async () => {
  const tab = await open(
    `${TINY}&run`.replace('depth=40', 'depth=40,64'),
    losingWhen("message.type === 'progress' && message.text.startsWith('d64: round')"),
  );
  await waitForState(tab, 'error');
  expect(await shownTextOf(tab, '#outcome')).toMatch(
    /device was lost[^]*Not the whole run[^]*partial: 1 of 2 rows/,
  );
  const { context, results } = (await resultOf(tab))!;
  expect(context.partial).toMatchObject({ code: 'device-lost', rows: 2 });
  expect(results.map(({ params }) => params.depth)).toEqual([40]);
  expect(await isEnabled(tab, '#download')).toBe(true);
  await tab.close();
});

it('a run that is stopped leaves the rows that it finished, to keep and to share', async () => {
  const tab = await open(`${TINY}&run`.replace('depth=40', 'depth=40,64,96,128,160,192'));
  await tab.waitFor('html[data-state=running] tr[data-state=timed]', 150_000);
  await tab.click('#stop');
  await waitForState(tab, 'stopped');
  const { context, results } = (await resultOf(tab))!;
  expect(context.partial).toMatchObject({ code: 'interrupted', rows: 6 });
  expect(results[0]!.params.depth).toBe(40);
  expect(await textOf(tab, '#status')).toMatch(
    /^Stopped\. \d of 6 rows were finished; they are the result\./,
  );
  const { text } = await tab.download('#download');
  expect(JSON.parse(text).context.partial.code).toBe('interrupted');
  await tab.close();
});

it('says that a browser keeps it waiting for an adapter, and goes on when there is one', async () => {
  // Each of the page's scripts is patched, the adapter kept back once.
  const late = `if (globalThis.document && !globalThis.patched) {
    globalThis.patched = true;
    const ask = GPU.prototype.requestAdapter;
    GPU.prototype.requestAdapter = function (...args) {
      return new Promise((resolve) => (globalThis.letGo = () => resolve(ask.apply(this, args))));
    }; }`;
  const tab = await open(SMALL, (text) => late + text);
  await expect
    .poll(() => textOf(tab, '#status'), { timeout: 20_000 })
    .toMatch(/^The browser has not named a GPU yet\./);
  expect(await isEnabled(tab, '#start')).toBe(false);
  await tab.evaluate(() => (globalThis as unknown as { letGo: () => void }).letGo());
  await expect.poll(() => textOf(tab, '#status')).toMatch(/^Ready/);
  expect(await isEnabled(tab, '#start')).toBe(true);
  await tab.close();
});

it('axe finds nothing serious: before a run, and with a wrong setting', async () => {
  const tab = await open(TINY);
  await waitForState(tab, 'idle');
  expect(await seriousFaults(tab)).toEqual([]);
  await enter(tab, '#set-batch', 'none');
  expect(await seriousFaults(tab)).toEqual([]);
  await tab.close();
});

it('opened as a file says how to serve it, and served it does not', async () => {
  const tab = await browser.open(pathToFileURL(join(server.folder, 'index.html')).href);
  expect(await shownTextOf(tab, '#unserved')).toContain('npx gqa serve');
  await tab.close();
  const served = await open(SMALL);
  await waitForState(served, 'idle');
  expect(await served.evaluate(() => document.getElementById('unserved'))).toBeNull();
  await served.close();
});

it('without an adapter says what to do, and starts nothing', async () => {
  server.patch = undefined;
  const bare = await launchChromium([]);
  try {
    const tab = await bare.open(`${server.address}${SMALL}&run`);
    await waitForState(tab, 'error');
    const text = await shownTextOf(tab, '.notice.bad');
    expect(text).toContain('This browser has WebGPU, but no adapter for it');
    expect(text).toContain('--enable-unsafe-webgpu');
    expect(await isEnabled(tab, '#start')).toBe(false);
    expect(tab.errors).toEqual([]);
  } finally {
    await bare.close();
  }
});

it('asks for an adapter again when the GPU process was only just starting', async () => {
  const tab = await open(
    TINY,
    // Each of the page's scripts is patched, the adapter refused once.
    (text) => `if (globalThis.document && !globalThis.patched) {
      globalThis.patched = true;
      const ask = GPU.prototype.requestAdapter;
      let asked = 0;
      GPU.prototype.requestAdapter = async function (...args) { return asked++ === 0 ? null : ask.apply(this, args); };
    }${text}`,
  );
  await expect.poll(() => textOf(tab, '#status'), { timeout: 20_000 }).toMatch(/^Ready/);
  expect(await isEnabled(tab, '#start')).toBe(true);
  await tab.close();
});

it('says that workers have no WebGPU where only pages have it', async () => {
  const tab = await open(
    `${TINY}&run`,
    (text) =>
      `if (!globalThis.document) Object.defineProperty(navigator, 'gpu', { value: undefined });${text}`,
  );
  await waitForState(tab, 'error');
  expect(await shownTextOf(tab, '#outcome')).toContain('gives WebGPU to pages, but not to their workers');
  await tab.close();
});
