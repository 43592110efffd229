// flows.ts: what people do with the benchmark's page, tested in whichever browser is given.
import { expect, it } from 'vitest';
import { formatSignificant } from '../../../bench/text/format.ts';
import { markdownReport, resultTable } from '../../../bench/report/report.ts';
import type { BenchResult, BenchRow } from '../../../bench/schema/schema.ts';
import { answerOf } from '../../../page/bench/answer.ts';
import { limitsOf } from '../../../page/bench/fits.ts';
import { seriousFaults } from './axe.ts';
import type { PageServer } from './server.ts';
import {
  cellsOf,
  enter,
  isEnabled,
  layoutShift,
  type PageBrowser,
  resultOf,
  setHidden,
  shownTextOf,
  type Tab,
  textOf,
  textsOf,
  waitForProgress,
  waitForState,
} from './tab.ts';

/** One KV head of few keys: a shader of it compiles fast. */
export const TINY = '?heads=2&kv-heads=1&head-dim=64&depth=40&reps=1';

/** Three rows, three samples each. */
export const SMALL = '?heads=8&kv-heads=8,2,1&head-dim=64&depth=128&reps=3';

/** In the page's scripts: no adapter and no device has GPU timestamps. */
const HIDE_TIMESTAMPS = `for (const kind of [GPUAdapter, GPUDevice]) {
  const { get } = Object.getOwnPropertyDescriptor(kind.prototype, 'features');
  const without = (features) => new Set([...features].filter((name) => name !== 'timestamp-query'));
  Object.defineProperty(kind.prototype, 'features', { get() { return without(get.call(this)); } });
}
`;

/** Opens the page with a query, in a browser; `patch` changes the text of its scripts. */
export type Open = (query: string, patch?: (text: string) => string) => Promise<Tab>;

/** A driver that computes wrong: the shaders' exponential, not the reference's Math.exp, is another function. */
export function wrongExponential(): { patch: (text: string) => string; count: () => number } {
  let patched = 0;
  return {
    patch: (text) => text.replaceAll(/(?<![\w.])exp\(score/g, () => (patched++, 'cos(score')),
    count: () => patched,
  };
}

/** The browser and the server are asked for when a test runs. */
export function opener(browser: () => PageBrowser, server: () => PageServer): Open {
  return async (query, patch) => {
    server().patch = patch;
    const tab = await browser().open(`${server().address}${query}`);
    // Tabs beside the first are loaded when the address names them.
    const [, name = 'compare'] = query.split('#');
    if (!name.startsWith('compare')) await tab.waitFor(`#tab-${name}:not(:empty)`, 30_000);
    return tab;
  };
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

/** One run from a link that starts it to what is taken away from it; each test goes on where the one before it stopped. */
export function oneRun(open: Open, kind: () => PageBrowser['kind']): void {
  let tab: Tab;
  let result: BenchResult;

  it('waits while the tab is hidden, says so, and goes on when it is back', async () => {
    tab = await open(`${SMALL}&run`);
    await waitForProgress(tab);
    await setHidden(tab, true);
    await tab.picture('hidden');
    expect(await textOf(tab, '#status')).toMatch(/^Paused: this tab is hidden/);
    await new Promise((later) => setTimeout(later, 2000));
    expect(await textsOf(tab, 'html[data-state=running] tr[data-state=timed]')).toEqual([]);
    await setHidden(tab, false);
    expect(await textOf(tab, '#status')).toMatch(/^Running/);
    await waitForState(tab, 'done');
    await tab.picture('done');
    result = (await resultOf(tab))!;
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
      expect(row.check!.maxAbsErr).toBeLessThanOrEqual(row.check!.bound);
      expect(row.time?.samplesNs).toHaveLength(3);
      expect(row.time?.median).toBeGreaterThan(0);
    }
    const { runtime, crossOriginIsolated, coldBytes, nonStandard, timer } = result.context;
    expect(timer.source).toBe(timer.demoted ? 'wall' : 'gpu-timestamp');
    expect(runtime.kind).toBe(kind());
    expect(crossOriginIsolated).toBe(true);
    expect(coldBytes).toBe(8 * 2 ** 20);
    expect(Object.keys(nonStandard)).toEqual(['heads', 'kv-heads', 'head-dim', 'depth', 'reps']);
  });

  it('answers first: how much faster, in a sentence of the result', async () => {
    const place = {
      software: true,
      limits: limitsOf(result.context.limits),
    };
    const { headline, more } = answerOf(result.results, place)!;
    expect(headline).toMatch(/^On this CPU \(software renderer\), grouped-query attention with 2 KV heads/);
    expect(await textOf(tab, '#headline')).toBe(headline);
    expect(await textsOf(tab, '#more li')).toEqual(more);
    // Above the fold, with room for the charts below it.
    const tops = await tab.evaluate(() =>
      ['headline', 'charts'].map((id) => document.getElementById(id)!.getBoundingClientRect().top + scrollY),
    );
    expect(Math.max(...tops)).toBeLessThan(650);
  });

  it('has not moved by itself, on load or when rows came', async () => {
    expect((await layoutShift(tab)) ?? 0).toBeLessThan(0.02);
  });

  it('shows the numbers of the result, and bars of their length with words for them', async () => {
    expect(await cellsOf(tab, 'tr[data-row]')).toEqual(cellsOfReport(result));
    const bars = await tab.evaluate(() =>
      [...document.querySelectorAll('div.bar')].map((bar) => ({
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
    const text = await shownTextOf(tab, 'body');
    expect(text).toContain('you are timing a CPU');
    for (const term of ['MHA', 'GQA', 'MQA', 'query head', 'KV head', 'token', 'context', 'grouped-query'])
      expect(text).toContain(term);
    const changes = await cellsOf(tab, '#changes tbody tr');
    expect(changes).toContainEqual(['kv-heads', '8,2,1', '32,8,1']);
    expect(changes).toContainEqual(['reps', '3', 'until settled']);
    expect(text).toContain('~ marks a speed-up of two times that did not both settle, or have fewer than 6');
    expect(text).toContain('Done: 3 of 3 rows timed, 3 checked against float64.');
  });

  it('takes the machine’s name also afterwards', async () => {
    await tab.fill('#label', 'my desk');
    result = (await resultOf(tab))!;
    expect(result.context.label).toBe('my desk');
  });

  it('copies the report as Markdown and saves the result as JSON', async () => {
    await tab.click('#copy');
    await expect.poll(() => textOf(tab, '#shared')).toBe('Copied.');
    const markdown = await tab.evaluate(() => navigator.clipboard.readText());
    expect(markdown).toBe(markdownReport(result));
    expect(markdown).toMatch(/\| custom \| mqa {5}\| {8}8\/1 \| f16/);
    const { name, text } = await tab.download('#download');
    expect(name).toMatch(/^gqa-bench-\d{14}\.json$/);
    expect(JSON.parse(text)).toEqual(result);
  });

  it.each([360, 320])('fits a phone of %i px, and beside a scroll bar', async (width) => {
    await tab.resize(width, 780);
    const widths = await tab.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { inner: innerWidth, overflow: scrollWidth - clientWidth };
    });
    expect(widths).toEqual({ inner: width, overflow: 0 });
  });

  it('axe finds nothing serious in the results', async () => {
    expect(await seriousFaults(tab)).toEqual([]);
  });

  it('says nothing on the console', async () => {
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
}

/** Runs that end otherwise: stopped, wrong, by another clock, not begun. */
export function otherRuns(open: Open): void {
  it('stops at once, keeps the label, and can run again', async () => {
    const tab = await open(TINY);
    await tab.fill('#label', 'my desk');
    await tab.click('#start');
    await waitForProgress(tab);
    await tab.reload();
    await expect.poll(() => textOf(tab, '#status')).toMatch(/^The last run did not finish \(/);
    await tab.click('#start');
    await waitForProgress(tab);
    const start = performance.now();
    await tab.click('#stop');
    await waitForState(tab, 'stopped');
    expect(performance.now() - start).toBeLessThan(3000);
    expect(await textOf(tab, '#status')).toMatch(/^Stopped\./);
    expect(await resultOf(tab)).toBeUndefined();
    await expect.poll(() => tab.workers()).toBe(0);
    await tab.reload();
    await expect.poll(() => textOf(tab, '#status')).toMatch(/^Ready/);
    await tab.click('#start');
    await waitForState(tab, 'done');
    const first = (await resultOf(tab))!;
    expect(first.context.label).toBe('my desk');
    await tab.click('#start');
    await waitForProgress(tab);
    await tab.click('#stop');
    await waitForState(tab, 'stopped');
    expect(await textOf(tab, '#status')).toContain('The results of the run before stay.');
    expect(await resultOf(tab)).toEqual(first);
    expect(await textsOf(tab, 'tr[data-state=timed] th')).toEqual(['mqa']);
    await tab.close();
  });

  it('writes its form to the address, and takes lists and ranges in it', async () => {
    const tab = await open('?utm_source=x');
    await waitForState(tab, 'idle');
    await enter(tab, '#set-model', 'qwen3-4b');
    await enter(tab, '#set-depth', '64-128*2');
    await enter(tab, '#set-cache-type-k', 'int8');
    expect(await tab.evaluate(() => location.search)).toBe(
      '?utm_source=x&model=qwen3-4b&depth=64-128*2&cache-type-k=int8',
    );
    expect(await textsOf(tab, '.depth h3')).toEqual(['Context of 64 tokens', 'Context of 128 tokens']);
    await enter(tab, '#set-depth', 'abc');
    expect(await textsOf(tab, '#faults li')).toEqual([
      expect.stringMatching(/^Context \(depth\): expected .*"abc"$/),
    ]);
    expect(await isEnabled(tab, '#start')).toBe(false);
    await enter(tab, '#set-depth', '');
    await tab.click('#set-effort label');
    await waitForState(tab, 'idle');
    expect(await tab.evaluate(() => location.search)).toMatch(
      /model=qwen3-4b&cache-type-k=int8&depth=256&max-time=1$/,
    );
    expect(await isEnabled(tab, '#start')).toBe(true);
    await enter(tab, '#set-model', 'llama-3.1-8b');
    await enter(tab, '#set-cache-type-k', 'f16');
    await enter(tab, '#set-depth', '16M');
    expect(await textsOf(tab, 'tr[data-state=misfit] .error')).toContainEqual(
      expect.stringMatching(/^Does not fit here: K of one KV head takes 4 GiB, .* What fits: /),
    );
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  it('shows the error of a wrong row, and no time', async () => {
    const { patch, count } = wrongExponential();
    const tab = await open(`${TINY}&run`, patch);
    await waitForState(tab, 'done');
    expect(count()).toBeGreaterThan(0);
    const [cells] = await cellsOf(tab, 'tr[data-row]');
    expect(cells!.slice(3)).toEqual([expect.stringMatching(/^wrong result: /), 'WRONG', '', '', '']);
    expect(await shownTextOf(tab, '#outcome')).toContain('1 of 1 rows computed a wrong result.');
    await tab.close();
  });

  it('without GPU timestamps measures its wall clock, and says what it is', async () => {
    const tab = await open(`${TINY.replace('depth=40', 'depth=1024')}&run`, (text) => HIDE_TIMESTAMPS + text);
    await waitForState(tab, 'done');
    expect(await textOf(tab, '#notices')).toContain('This browser gives no GPU timestamps.');
    const { context, results } = (await resultOf(tab))!;
    expect(context.timer).toMatchObject({ source: 'wall', wallRatio: null, demoted: false });
    expect(context.timer.stepNs).toBeLessThan(100_000); // an isolated page's clock has steps of 5 to 20 µs
    expect(context.timer.wallLateNs).toBeGreaterThanOrEqual(context.timer.stepNs);
    const { time, clockNs, error } = results[0]!;
    // A time that this clock can tell, or none.
    if (time) expect(time.median).toBeGreaterThanOrEqual(20 * clockNs!);
    else expect(error).toMatch(/^below what this clock can tell: /);
    expect(await shownTextOf(tab, '#timer-facts')).toMatch(
      /wall clock\s+Step\s+[\d.]+ (ns|µs)\s+May be late by/,
    );
    await tab.close();
    // Without timestamps a sample may take a second.
  }, 180_000);

  it('lists bad parameters and runs nothing', async () => {
    const tab = await open('?depth=abc&colour=blue&run');
    await waitForState(tab, 'error');
    const errors = await textsOf(tab, '#faults li');
    expect(errors[0]).toMatch(
      /^Context \(depth\): expected a whole number from 1 to 16777216, .* got "abc"$/,
    );
    expect(errors[1]).toMatch(/^colour is not known; known are model, heads, kv-heads, /);
    expect(await isEnabled(tab, '#start')).toBe(false);
    expect(tab.workers()).toBe(0);
    await tab.close();
  });
}

/** A run whose device is lost. */
export function lostRun(open: Open): void {
  it('says so when the device is lost during a run', async () => {
    const lose = `const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        const device = await ask.apply(this, args);
        setTimeout(() => device.destroy(), 300);
        return device;
      };`;
    const tab = await open(`${SMALL}&run`, (text) => lose + text);
    await waitForState(tab, 'error');
    expect(await shownTextOf(tab, '#outcome')).toMatch(
      /The GPU device was lost during the run\.\s+device lost \(destroyed\)/,
    );
    expect(await textOf(tab, '#status')).toMatch(/^The GPU was lost during the run; a shorter context/);
    expect(await textOf(tab, '#start')).toBe('Run again');
    await tab.close();
  });
}
