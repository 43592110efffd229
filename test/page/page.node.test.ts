// page.node.test.ts: the benchmark's page as people use it: built, served, and driven in a real headless Chromium.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../support/page/chromium.ts';
import { oneRun, opener, otherRuns, SMALL, TINY } from '../support/page/flows.ts';
import { checkRuns } from '../support/page/checkFlows.ts';
import { modelRuns } from '../support/page/modelFlows.ts';
import { sharing } from '../support/page/shareFlows.ts';
import { servePage, type PageServer } from '../support/page/server.ts';
import {
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

describe('other runs', () => otherRuns(open));

describe('a check', () => checkRuns(open));

describe('sharing', () => sharing(open));

describe('a model', () => modelRuns(open, [8, 1]));

describe('tuning', () => {
  it('says what it found, remembers it, and runs with it from then on', async () => {
    const tab = await open(TINY);
    await tab.click('#tune');
    await waitForState(tab, 'tuned', 150_000);
    expect(await textOf(tab, '#status')).toMatch(/^Tuned\./);
    const found = await textsOf(tab, '#tuned li');
    expect(found).toEqual([
      expect.stringMatching(/^d64_rows2_heads1_f16: (tiles|registers) .*× as fast as untuned/),
    ]);
    await tab.reload();
    await tab.click('#start');
    await waitForState(tab, 'done');
    const [row] = (await resultOf(tab))!.results;
    expect(row).toMatchObject({ tuned: true, check: { pass: true } });
    expect(found[0]).toContain(row!.sizes);
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
  const tab = await open(`${SMALL}&run`.replace('depth=128', 'depth=64,128'), (text) => lose + text);
  await waitForState(tab, 'error');
  expect(await shownTextOf(tab, '#outcome')).toMatch(
    /device was lost[^]*Not the whole run[^]*partial: 3 of 6 rows/,
  );
  const { context, results } = (await resultOf(tab))!;
  expect(context.partial).toMatchObject({ code: 'device-lost', rows: 6 });
  expect(results.map(({ params }) => params.depth)).toEqual([64, 64, 64]);
  expect(await tab.evaluate(() => document.getElementById('share')!.checkVisibility())).toBe(true);
  await tab.close();
});

it('without an adapter says what to do, and starts nothing', async () => {
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
