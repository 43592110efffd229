// cacheFlows.ts: what people do with the page's KV cache calculator and with its chart, tested in whichever browser is given.
import { expect, it } from 'vitest';
import { seriousFaults } from './axe.ts';
import type { Open } from './flows.ts';
import { cellsOf, shownTextOf, type Tab, textOf, textsOf } from './tab.ts';

/** Qwen3-4B: its head dim is not its hidden size divided among its query heads, which would give 90 KiB. */
const CONFIG = {
  hidden_size: 2560,
  num_attention_heads: 32,
  num_hidden_layers: 36,
  num_key_value_heads: 8,
  head_dim: 128,
};

/** From a link to a file dropped to a chart that is kept; each test goes on where the one before it stopped. */
export function cacheRuns(open: Open): void {
  let tab: Tab;

  it('answers for the preset of the address', async () => {
    tab = await open('?kv-model=gemma-3-4b&kv-depth=8k#cache');
    await tab.waitFor('#kv-chart svg path', 60_000);
    expect(await textOf(tab, '#kv-sentence')).toContain('gemma-3-4b keeps 136 KiB of K and V per token.');
    expect(await textOf(tab, '#kv-command')).toBe('gqa kv gemma-3-4b -d 8k');
  });

  it('takes a config.json that is dropped anywhere on the page', async () => {
    await dropFile(tab, 'config.json', JSON.stringify(CONFIG));
    await expect.poll(() => textOf(tab, '#kv-command')).toBe('gqa kv config.json -d 8k');
    expect(await textOf(tab, '#kv-formula')).toBe(
      '2 (K,V) × 36 layers × 8 heads × 128 × 2 B = 147 456 B = 144 KiB',
    );
    expect(await textsOf(tab, '#kv-notes li')).toContain(
      'head_dim 128 from "head_dim"; not hidden_size / num_attention_heads = 2560 / 32 = 80',
    );
    expect(await cellsOf(tab, '#kv-variants .own')).toEqual([
      ['GQA, as it is', '8', '144 KiB', '1.125 GiB', '14'],
    ]);
  });

  it('says beside the field what is wrong, and nothing else until it is right', async () => {
    await tab.fill('#kv-depth', 'many');
    expect(await shownTextOf(tab, '#kv-depth-fault')).toBe(
      'must be a number of tokens, as 8192 or 8k, got "many"',
    );
    expect(await textsOf(tab, '[aria-invalid]')).toHaveLength(1);
    expect(await shownTextOf(tab, '#kv-answer')).not.toContain('144 KiB');
    await tab.fill('#kv-depth', '16k');
    expect(await shownTextOf(tab, '#kv-answer')).toContain('takes 2.25 GiB');
    expect(await tab.evaluate(() => location.search)).toContain('kv-depth=16k');
  });

  it('refuses a file in words, and keeps the model that it had', async () => {
    await dropFile(tab, 'broken.gguf', 'PK');
    await tab.waitFor('#kv-notices .bad', 60_000);
    expect(await shownTextOf(tab, '#kv-notices')).toContain(
      'broken.gguf: expected a GGUF file, got one that does not begin with "GGUF"',
    );
    expect(await textOf(tab, '#kv-formula')).toContain('147 456 B');
  });

  it('draws what the table beside the chart says', async () => {
    await tab.click('#kv-chart summary');
    await tab.waitFor('#kv-chart tbody tr', 60_000);
    const [own] = await cellsOf(tab, '#kv-chart tbody tr:nth-child(4)');
    expect(own!.slice(0, 2)).toEqual(['8k', '1.125 GiB']);
    const svg = await tab.evaluate(() => {
      const drawn = document.querySelector('#kv-chart svg[role=img]')!;
      return { label: drawn.getAttribute('aria-label'), titles: drawn.querySelectorAll('title').length };
    });
    expect(svg.label).toMatch(/^Bytes of K and V against the context\. f16/);
    // Eight lines, this model's and seven presets', of eight dots.
    expect(svg.titles).toBe(64);
    expect(await seriousFaults(tab)).toEqual([]);
  });

  it('saves the chart as a file that needs nothing of the page', async () => {
    const svg = await tab.download('#kv-chart button');
    expect(svg.name).toBe('kv-cache-against-context.svg');
    expect(svg.text).toMatch(/^<svg [^]*Bytes of K and V against the context[^]*gpt-oss-20b[^]*<\/svg>$/);
    expect(svg.text).not.toMatch(/var\(|class=|<style|currentColor/);
    const png = await tab.download('#kv-chart button + button');
    expect([png.name, png.text.slice(1, 4)]).toEqual(['kv-cache-against-context.png', 'PNG']);
  });

  it('fits a phone, and jumps nowhere when the chart is drawn again', async () => {
    await tab.resize(320, 667);
    const height = () => tab.evaluate(() => document.querySelector('#kv-chart .chart-plot')!.clientHeight);
    const before = await height();
    await expect.poll(() => tab.evaluate(drawnWidth)).toBe(await tab.evaluate(plotWidth));
    await tab.fill('#kv-batch', '4');
    await expect.poll(() => textOf(tab, '#kv-chart .chart-caption')).toContain('batch 4');
    expect(await height()).toBe(before);
    expect(await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(
      0,
    );
  });

  it('says nothing on the console', async () => {
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
}

function drawnWidth(): number {
  return Number(document.querySelector('#kv-chart .chart-plot > svg')!.getAttribute('width'));
}

function plotWidth(): number {
  return document.querySelector('#kv-chart .chart-plot')!.clientWidth;
}

/** Drops a file of this name and text on the page's first line. */
function dropFile(tab: Tab, name: string, text: string): Promise<void> {
  return tab.evaluate(
    (file) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([file.text], file.name));
      const event = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector('header')!.dispatchEvent(event);
    },
    { name, text },
  );
}
