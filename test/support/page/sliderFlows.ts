// sliderFlows.ts: what people do with the picture of shared heads, tested in whichever browser is given.
import { expect, it } from 'vitest';
import type { Open } from './flows.ts';
import { textOf } from './tab.ts';

/** The slider, its pills and the heads. */
export function sliderRuns(open: Open): void {
  it('measures the number of KV heads that is chosen, says what it gives, and who uses a head', async () => {
    const tab = await open('?heads=4&kv-heads=4,2&head-dim=64&depth=40&reps=1');
    await tab.click('#picture .pills label:last-child');
    expect(await textOf(tab, '#picture .sentence')).toContain('All 4 query heads share one KV head');
    await expect
      .poll(() => textOf(tab, '#live-status'), { timeout: 100_000 })
      .toMatch(/multi-head attention reads .*, which promises 4\.00×[;.]|1 of 4 KV heads: no time, for /);
    await tab.click('#kv-head-0');
    expect(await textOf(tab, '#picture .sentence')).toBe(
      'The one KV head is loaded once and used by all 4 query heads.',
    );
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
}
