// pageSettings.test.ts: what the benchmark's page reads out of its address, and out of the browser's name.
import { describe, expect, it } from 'vitest';
import { describeBrowser, exactBrowser } from '../../page/shell/browser.ts';
import { readSettings } from '../../page/bench/settings.ts';

describe('readSettings', () => {
  it('gives the standard run for a bare address, shorter on a software adapter', () => {
    const { run, autostart, changes, errors } = readSettings('', false);
    expect(run).toEqual({
      model: 'llama-3.1-8b',
      heads: 32,
      kvHeads: [32, 8, 1],
      headDim: 128,
      depths: [1024, 4096, 16384],
      batches: [1],
      kTypes: ['f16'],
      vTypes: ['f16'],
      kernels: ['auto'],
      caches: ['cold'],
      seed: 42,
      check: true,
    });
    expect({ autostart, changes, errors }).toEqual({ autostart: false, changes: [], errors: [] });
    expect(readSettings('', true).run.depths).toEqual([256, 512, 1024]);
  });

  it('takes every parameter; those left out follow the ones given', () => {
    const all = readSettings(
      '?heads=16&head-dim=64&batch=1,2&cache-type-k=f32,f16&kernel=plain&seed=0&capacity=9000&depth=512&no-check&run=1',
      true,
    );
    expect(all.errors).toEqual([]);
    expect(all.autostart).toBe(true);
    expect(all.run).toMatchObject({
      model: 'custom',
      heads: 16,
      kvHeads: [16, 8, 1],
      headDim: 64,
      depths: [512],
      capacity: 9000,
      batches: [1, 2],
      kTypes: ['f32', 'f16'],
      vTypes: ['f32', 'f16'],
      kernels: ['plain'],
      seed: 0,
      check: false,
    });
    expect(readSettings('?cache-type-v=f32', true).run).toMatchObject({ kTypes: ['f16'], vTypes: ['f32'] });
    expect(readSettings('?depth=256,512,1024&run=0', true)).toMatchObject({ changes: [], autostart: false });
  });

  it.each([
    ['depth=0', 'depth must be a whole number from 1 to 16777216, got "0"'],
    ['depth=1,,2', 'depth must be a whole number from 1 to 16777216, got ""'],
    ['reps=-1', 'reps must be a whole number from 1 to 16777216, got "-1"'],
    ['heads=3.5', 'heads must be a whole number from 1 to 16777216, got "3.5"'],
    ['kernel=fast', 'kernel must be of auto, registers, tiles, prefill, plain, got "fast"'],
    ['cache-type-k=f64', 'cache-type-k must be of f32, f16, bf16, int8, int4, got "f64"'],
    ['no-check=maybe', 'no-check takes no value, 1 or 0, got "maybe"'],
    ['seed=1&seed=2', 'seed is given more than once'],
    ['kv-heads=5', 'shape: numQHeads (32) must be a multiple of numKvHeads (5)'],
    ['capacity=100', 'bench: depth: expected at most the capacity of 100, got 256'],
  ])('refuses %s', (query, message) => {
    expect(readSettings(`?${query}`, true).errors).toEqual([message]);
  });

  it('refuses the name of a built-in property as unknown', () => {
    expect(readSettings('?toString=1', true).errors[0]).toMatch(/^toString is not known/);
  });
});

describe('describeBrowser', () => {
  const chrome =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/147.0.0.0 Safari/537.36';
  it.each([
    [chrome, 'chrome', '147.0.0.0'],
    [chrome.replace('Chrome/', 'HeadlessChrome/'), 'chrome', '147.0.0.0'],
    [`${chrome} Edg/147.0.3.1`, 'edge', '147.0.3.1'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0', 'firefox', '145.0'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15',
      'safari',
      '26.1',
    ],
    ['curl/8.0', 'browser', 'unknown'],
  ])('reads %s', (userAgent, kind, version) => {
    expect(describeBrowser(userAgent)).toEqual({ kind, version });
  });
});

describe('exactBrowser', () => {
  const userAgent =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36';
  const told = (...brands: string[]) => ({
    getHighEntropyValues: () =>
      Promise.resolve({ fullVersionList: brands.map((brand, i) => ({ brand, version: `150.0.1.${i}` })) }),
  });

  it.each([
    [userAgent, ['Not:A-Brand', 'Chromium', 'Google Chrome'], { kind: 'chrome', version: '150.0.1.1' }],
    [`${userAgent} Edg/150.0.0.0`, ['Chromium', 'Microsoft Edge'], { kind: 'edge', version: '150.0.1.1' }],
    [userAgent, ['Not:A-Brand'], { kind: 'chrome', version: '150.0.0.0' }],
  ])('%s with %j', async (text, brands, browser) => {
    expect(await exactBrowser({ userAgent: text, userAgentData: told(...brands) })).toEqual(browser);
  });

  it('is what the user agent string says where nothing else is told', async () => {
    const refusing = { getHighEntropyValues: () => Promise.reject(new Error('no')) };
    for (const more of [{}, { userAgentData: refusing }])
      expect(await exactBrowser({ userAgent, ...more })).toEqual(describeBrowser(userAgent));
  });
});
