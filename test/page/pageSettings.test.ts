// pageSettings.test.ts: what the benchmark's page reads out of its address and writes there, and how long that takes; the browser's name.
import { describe, expect, it } from 'vitest';
import { describeBrowser, exactBrowser } from '../../page/shell/browser.ts';
import { durationText, effortOf, effortParams, expectedMs } from '../../page/bench/efforts.ts';
import { readSettings, withParams } from '../../page/bench/settings.ts';
import { TimeLeft } from '../../page/bench/timeLeft.ts';

describe('readSettings', () => {
  it('gives the standard run for a bare address, shorter on a software adapter', () => {
    const { run, autostart, changes, faults } = readSettings('', false);
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
      tuning: true,
    });
    expect({ autostart, changes, faults }).toEqual({ autostart: false, changes: [], faults: [] });
    expect(readSettings('', true).run.depths).toEqual([256, 512, 1024]);
  });

  it('takes every parameter; those left out follow the ones given', () => {
    const all = readSettings(
      '?heads=16&head-dim=64&batch=1,2&cache-type-k=f32,f16&kernel=plain&seed=0&capacity=9000&depth=512&no-check&no-tuning&label=desk&run=1',
      true,
    );
    expect(all.faults).toEqual([]);
    expect(all).toMatchObject({ autostart: true, label: 'desk' });
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
      tuning: false,
    });
    expect(readSettings('?cache-type-v=f32', true).run).toMatchObject({ kTypes: ['f16'], vTypes: ['f32'] });
    expect(readSettings('?depth=256,512,1024&run=0', true)).toMatchObject({ changes: [], autostart: false });
  });

  it('reads lists, ranges and tokens as the command does', () => {
    const { run, faults } = readSettings('?depth=1k-16k*4,100&kv-heads=8,4-5+1&batch=1-3&heads=40', true);
    expect(faults).toEqual([]);
    expect(run).toMatchObject({
      depths: [1024, 4096, 16384, 100],
      kvHeads: [8, 4, 5],
      batches: [1, 2, 3],
    });
  });

  it('takes a model’s shape and KV heads, and what is given besides', () => {
    const { run, changes } = readSettings('?model=QWEN3-4b&depth=256', true);
    expect(run).toMatchObject({ model: 'qwen3-4b', heads: 32, kvHeads: [32, 8, 1], headDim: 128 });
    expect(changes.map(({ param }) => param)).toEqual(['model', 'depth']);
    const small = readSettings('?model=smollm2-135m&kv-heads=9', true).run;
    expect(small).toMatchObject({ model: 'smollm2-135m', heads: 9, kvHeads: [9], headDim: 64 });
    // Of another number of query heads nothing is known of its KV heads.
    expect(readSettings('?model=gemma-2b&heads=4', true).run).toMatchObject({
      model: 'custom',
      kvHeads: [4, 1],
    });
  });

  it('takes prompts, pages, windows and features as the command does', () => {
    const { run, faults } = readSettings(
      '?prompt=64&page-size=0,16&window=0,32&features=none,alibi+bias',
      true,
    );
    expect(faults).toEqual([]);
    expect(run).toMatchObject({
      depths: [],
      prompts: [64],
      pageSizes: [0, 16],
      windows: [0, 32],
      features: [[], ['alibi', 'bias']],
    });
  });

  it.each([
    ['depth=0', 'depth', 'expected a whole number from 1 to 16777216, such as 4096 or 4k, got "0"'],
    ['depth=1,,2', 'depth', 'expected a whole number from 1 to 16777216, such as 4096 or 4k, got ""'],
    ['depth=4k-1k', 'depth', 'expected an ascending range, got "4k-1k"'],
    ['reps=-1', 'reps', 'expected a whole number from 1 to 16777216, got "-1"'],
    ['heads=3.5', 'heads', 'expected a whole number from 1 to 16777216, got "3.5"'],
    ['kernel=fast', 'kernel', 'expected auto, registers, tiles, prefill, plain, got "fast"'],
    ['cache-type-k=f64', 'cache-type-k', 'expected f32, f16, bf16, int8, int4, got "f64"'],
    ['page-size=5', 'page-size', 'expected 0 or 8, 16, 32, 64, 128, 256, got "5"'],
    ['no-check=maybe', 'no-check', 'expected no value, 1 or 0, got "maybe"'],
    ['seed=1&seed=2', 'seed', 'is given more than once'],
    ['kv-heads=5', undefined, 'shape: numQHeads (32) must be a multiple of numKvHeads (5)'],
    ['capacity=100', undefined, 'bench: depth: expected at most the capacity of 100, got 256'],
  ])('refuses %s', (query, param, text) => {
    expect(readSettings(`?${query}`, true).faults).toEqual([
      param === undefined ? { text } : { param, text },
    ]);
  });

  it('names presets near an unknown one', () => {
    const [fault] = readSettings('?model=lama-3', true).faults;
    expect(fault!.text).toMatch(/^expected the name of a preset, got "lama-3"; nearest: llama-3-8b, /);
  });

  it('refuses the name of a built-in property as unknown', () => {
    const [fault] = readSettings('?toString=1', true).faults;
    expect(fault).toMatchObject({
      param: 'toString',
      text: expect.stringMatching(/^is not known; known are model, /),
    });
  });

  it('passes over what trackers add to links, and not over what looks like it', () => {
    const tracked = '?utm_source=x&utm_campaign=y&fbclid=1&gclid=2&ref=hn&depth=256,512,1024';
    expect(readSettings(tracked, true)).toMatchObject({ faults: [], changes: [] });
    expect(readSettings('?utm=1&refs=2', true).faults.map(({ param }) => param)).toEqual(['utm', 'refs']);
  });
});

describe('withParams', () => {
  it('writes, replaces and takes out, keeps others, and stays readable', () => {
    expect(withParams('?seed=3&run', { depth: '1k-4k*2', 'kv-heads': '8,1' })).toBe(
      '?seed=3&run&depth=1k-4k*2&kv-heads=8,1',
    );
    expect(withParams('?depth=1k-2k+512&label=my%20desk', { features: 'alibi+bias' })).toBe(
      '?depth=1k-2k+512&label=my%20desk&features=alibi+bias',
    );
    expect(withParams('?depth=5&run', { depth: undefined })).toBe('?run');
    expect(withParams('?depth=5', { depth: undefined })).toBe('');
  });
});

describe('efforts', () => {
  it.each(['quick', 'standard', 'thorough'] as const)(
    '%s is what its parameters say, on both kinds of adapter',
    (name) => {
      for (const software of [true, false]) {
        const { run, faults } = readSettings(withParams('?seed=1', effortParams(name, software)), software);
        expect(faults).toEqual([]);
        expect(effortOf(run, software)).toBe(name);
        expect(effortOf({ ...run, depths: [77] }, software)).toBeUndefined();
      }
    },
  );

  it('take longer the more is done; the quick one ten seconds at most', () => {
    for (const software of [true, false]) {
      const times = (['quick', 'standard', 'thorough'] as const).map((name) =>
        expectedMs(readSettings(withParams('', effortParams(name, software)), software).run, {
          software,
          limits: { maxBindingBytes: 2 ** 31, maxBufferBytes: 2 ** 31 },
        }),
      );
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times[0]).toBeLessThan(10_000);
    }
  });

  it.each([
    [400, 'about 1 s'],
    [8200, 'about 8 s'],
    [27_000, 'about 25 s'],
    [200_000, 'about 3 min'],
  ])('%i ms are %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});

describe('the time left', () => {
  it('is what was expected at first, and by the pace of the run in its second half', () => {
    const left = new TimeLeft(20_000, 0);
    expect(left.text(0)).toBe('about 20 s left');
    left.tick(30_000);
    expect(left.ms(0.5)).toBe(30_000);
    expect(left.text(0.75)).toBe('about 10 s left');
    expect(left.text(1)).toBe('almost done');
  });

  it('does not count what a hidden tab waits', () => {
    const left = new TimeLeft(10_000, 0);
    left.tick(4000);
    left.tick(100_000, true);
    left.tick(101_000);
    expect(left.ms(0.5)).toBe(5000);
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
