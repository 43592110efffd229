// pageFirefox.node.test.ts: the benchmark's page in a real headless Firefox, where there is one: another WebGPU.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findFirefox } from '../../src/node/firefox.ts';
import { launchFirefox, tryFirefox, type Prefs } from '../support/page/firefox.ts';
import { lostRun, oneRun, opener, SMALL, TINY } from '../support/page/flows.ts';
import { cacheRuns } from '../support/page/cacheFlows.ts';
import { lostModel, modelEnd, modelText } from '../support/page/modelFlows.ts';
import { servePage, type PageServer } from '../support/page/server.ts';
import {
  cellsOf,
  isEnabled,
  type PageBrowser,
  resultOf,
  shownTextOf,
  type Tab,
  textOf,
  waitForProgress,
  waitForState,
} from '../support/page/tab.ts';

const SWITCHES = ['about:config', 'dom.webgpu.enabled', 'gfx.webgpu.ignore-blocklist'];

let server: PageServer;
let firefox: PageBrowser | string = 'not started';
const open = opener(
  () => firefox as PageBrowser,
  () => server,
);

beforeAll(async () => {
  server = await servePage();
  firefox = await tryFirefox(server.address);
});

beforeEach((context) => {
  if (typeof firefox === 'string') context.skip(firefox);
});

afterAll(async () => {
  if (typeof firefox !== 'string') await firefox.close();
  await server.close();
});

// What can differ here: its WebGPU and its clock, its windows and tabs, its clipboard, files and pictures. What the page makes
// of them by itself is tested in Chromium. It looks for finished work ten times a second, and so takes longer.
describe('Firefox', { timeout: 180_000 }, () => {
  describe('one run', () => oneRun(open, () => 'firefox'));

  describe('a run', () => lostRun(open));

  describe('a model', () => {
    modelEnd(modelText(open, [1]));
    lostModel(open, [1]);
  });

  describe('the KV cache calculator', () => cacheRuns(open));

  it('a tab behind another one waits, and goes on when it is in front again', async () => {
    const behind = await open(`${TINY}&run`);
    await waitForProgress(behind);
    const front = await open(`${TINY}&run`);
    await expect.poll(() => textOf(behind, '#status')).toMatch(/^Paused: this tab is hidden/);
    await waitForState(front, 'done');
    expect(await resultOf(behind)).toBeUndefined();
    await front.close();
    await waitForState(behind, 'done');
    for (const tab of [front, behind]) expect(tab.errors).toEqual([]);
    await behind.close();
  });

  it('a run that is left goes on when one comes back to it', async () => {
    const tab = await open(`${TINY}&run`);
    await waitForProgress(tab);
    // Later, so that it is not gone before it has answered.
    await tab.evaluate((query) => void setTimeout(() => location.assign(query)), SMALL);
    await expect.poll(() => queryAndState(tab), { timeout: 20_000 }).toEqual([SMALL, 'idle']);
    await tab.evaluate(() => void setTimeout(() => history.back()));
    await expect.poll(() => queryAndState(tab), { timeout: 150_000 }).toEqual([`${TINY}&run`, 'done']);
    const { results } = (await resultOf(tab))!;
    expect(results.map(({ check, time }) => [check?.pass, time?.samplesNs.length])).toEqual([[true, 1]]);
    await tab.close();
  });

  it('works in a private window', async () => {
    await inFirefox({ 'browser.privatebrowsing.autostart': true }, `${TINY}&run`, async (tab) => {
      await waitForState(tab, 'done');
      expect((await resultOf(tab))!.results[0]).toMatchObject({ check: { pass: true } });
    });
  });

  it('without WebGPU names its switches, shows what the link asks for, and starts nothing', async () => {
    await inFirefox({ 'dom.webgpu.enabled': false }, `${SMALL}&run`, async (tab) => {
      await waitForState(tab, 'error');
      const text = await shownTextOf(tab, '.notice.bad');
      expect(text).toContain('This browser has no WebGPU');
      for (const name of SWITCHES) expect(text).toContain(name);
      expect(await cellsOf(tab, '#changes tbody tr')).toContainEqual(['kv-heads', '8,2,1', '32,8,1']);
      expect(await isEnabled(tab, '#start')).toBe(false);
    });
  });

  it('without an adapter names its switches, and nothing of Chrome', async () => {
    const tab = await open(
      `${SMALL}&run`,
      (text) => `GPU.prototype.requestAdapter = async () => null;${text}`,
    );
    await waitForState(tab, 'error');
    const text = await shownTextOf(tab, '.notice.bad');
    expect(text).toContain('This browser has WebGPU, but no adapter for it');
    for (const name of SWITCHES) expect(text).toContain(name);
    expect(text).not.toMatch(/chrome/i);
    expect(await isEnabled(tab, '#start')).toBe(false);
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
});

/** Shows an address in a Firefox of its own. */
async function inFirefox(prefs: Prefs, query: string, test: (tab: Tab) => Promise<void>): Promise<void> {
  server.patch = undefined;
  const browser = await launchFirefox(findFirefox()!, prefs);
  try {
    const tab = await browser.open(`${server.address}${query}`);
    await test(tab);
    expect(tab.errors).toEqual([]);
  } finally {
    await browser.close();
  }
}

function queryAndState(tab: Tab): Promise<[query: string, state: string | undefined]> {
  return tab.evaluate(() => [location.search, document.documentElement.dataset.state]);
}
