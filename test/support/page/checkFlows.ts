// checkFlows.ts: what people do with the page's check of the kernels, tested in whichever browser is given.
import { expect, it } from 'vitest';
import { wrongExponential, type Open } from './flows.ts';
import { cellsOf, setHidden, shownTextOf, type Tab, textOf, textsOf } from './tab.ts';

/** Two cases whose shaders compile fast. */
const QUICK = '?check-case=d64_t33_&check-kernel=tiles,plain';

/** Waits until the tab says so of its check. */
const waitForCheck = (tab: Tab, state: string) => tab.waitFor(`#tab-check[data-check=${state}]`, 60_000);

async function start(tab: Tab): Promise<void> {
  await tab.waitFor('#check-start:enabled', 30_000);
  await tab.click('#check-start');
}

export function checkRuns(open: Open): void {
  it('runs the cases of the address, says first whether all agree, and what was not checked', async () => {
    const tab = await open(`${QUICK}#check`);
    await start(tab);
    // It takes no times: it goes on in a tab that is hidden.
    await setHidden(tab, true);
    await waitForCheck(tab, 'done');
    expect(await textOf(tab, '#check-headline')).toBe('All 2 cases agree with float64 on this device.');
    expect(await textsOf(tab, '#check-faults li')).toEqual([]);
    expect(await shownTextOf(tab, '#check-tables')).toMatch(
      /Kernel registers: not chosen\.[^]*180 of the grid’s 182 cases: only names that contain “d64_t33_”/,
    );
    await tab.click('#check-all summary');
    await tab.waitFor('#check-all tbody tr', 30_000);
    const runs = await cellsOf(tab, '#check-all tbody tr');
    expect(runs.map(([name, kernel]) => `${name} ${kernel}`).toSorted()).toEqual([
      'h8_kv4_d64_t33_f16 plain',
      'h8_kv4_d64_t33_f16 tiles',
      'h8_kv4_d64_t33_f32 plain',
      'h8_kv4_d64_t33_f32 tiles',
    ]);
    const shares = runs.map((cells) => Number.parseFloat(cells[4]!));
    expect(shares).toEqual(shares.toSorted((a, b) => b - a));
    await tab.click('#check-copy');
    await expect.poll(() => textOf(tab, '#check-shared')).toBe('Copied.');
    const report = await tab.evaluate(() => navigator.clipboard.readText());
    expect(report).toMatch(
      /^gqa \S+ check on ".+" \(chrome [\d.]+\), 2 of the grid's 182 cases, [\d.]+ s\n\n\| kernel/,
    );
    expect(report).toContain('\nok: 4 runs of 2 cases, all within the bounds; not tried: bf16, int8, int4');
    const { name, text } = await tab.download('#check-download');
    expect(name).toMatch(/^gqa-check-\d{14}\.json$/);
    expect(JSON.parse(text)).toMatchObject({ software: true, rows: { length: 4 }, groups: { length: 4 } });
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  it('shows what a driver computes wrong, before all else, and says what it was', async () => {
    const { patch, count } = wrongExponential();
    const tab = await open(`${QUICK}#check`, patch);
    await start(tab);
    await waitForCheck(tab, 'done');
    expect(count()).toBeGreaterThan(0);
    expect(await textOf(tab, '#check-headline')).toBe('All 2 cases are wrong on this device.');
    const [first] = await textsOf(tab, '#check-faults li');
    expect(first).toMatch(
      /^h8_kv4_d64_t33_f1633 tokens, 8 query heads on 4 KV heads, head dim 64, cache of f16tiles [^:]+: outputs off by [\d.]+, allowed \d\S+e-\d+; .*expected -?\d\S+, got -?\d/,
    );
    await tab.close();
  });

  it('stops at once, claims nothing of the rest, and takes up what is chosen then', async () => {
    const tab = await open('#check');
    await start(tab);
    await tab.waitFor('#check-progress[value]:not([value="0"])', 60_000);
    await tab.click('#check-stop');
    await waitForCheck(tab, 'stopped');
    await expect.poll(() => tab.workers()).toBe(0);
    expect(await textOf(tab, '#check-headline')).toMatch(/nothing is known|No case was run/);
    await tab.fill('#check-text', 'nosuch');
    await tab.click('#check-start');
    expect(await textOf(tab, '#check-notices')).toContain('No case’s name contains “nosuch”');
    expect(await tab.evaluate(() => location.search)).toBe('?check-case=nosuch');
    await tab.close();
  });
}
