// shareFlows.ts: results that are shared by links and files, and compared, tested in whichever browser is given.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compareResults, STANDARD_MARGIN } from '../../../bench/report/compare.ts';
import { compareMarkdown } from '../../../bench/report/compareReport.ts';
import { csvReport } from '../../../bench/report/csvReport.ts';
import { result, row, steady } from '../benchResult.ts';
import { TINY, type Open } from './flows.ts';
import { cellsOf, resultOf, shownTextOf, textOf, textsOf, waitForState } from './tab.ts';

export function sharing(open: Open): void {
  let link: string;

  it('copies a link that holds the result, says how long it is, and saves it as CSV', async () => {
    const tab = await open(`${TINY}&run`);
    await waitForState(tab, 'done');
    await tab.click('#copy-link');
    await expect.poll(() => textOf(tab, '#shared')).toMatch(/^Link copied: [\d,]+ characters\.$/);
    const address = await tab.evaluate(() => navigator.clipboard.readText());
    expect(await textOf(tab, '#shared')).toContain(`${address.length.toLocaleString('en')} characters`);
    link = address.slice(address.indexOf('#'));
    const { name, text } = await tab.download('#download-csv');
    expect(name).toMatch(/^gqa-bench-\d{14}\.csv$/);
    expect(text).toBe(`${csvReport((await resultOf(tab))!)}\n`);
    await tab.close();
  });

  it('opens a link read-only, runs the same here, and compares the two', async () => {
    const tab = await open(link);
    await tab.waitFor('#run-here', 30_000);
    expect(await shownTextOf(tab, '#shared-result')).toMatch(
      /not measured on your device[^]*Measured on .*a software renderer: a CPU, on \d{4}-\d\d-\d\d, in chrome /,
    );
    const shown = await cellsOf(tab, '#shared-result tr[data-row]');
    expect(shown).toHaveLength(1);
    expect(shown[0]!.slice(0, 3)).toEqual(['mqa', '2/1', '10 KiB f16']);
    expect(await resultOf(tab)).toBeUndefined();
    await tab.click('#run-here');
    await tab.waitFor('.comparison', 60_000);
    expect(await tab.evaluate(() => location.search)).toBe(
      '?heads=2&kv-heads=1&head-dim=64&depth=40&batch=1&cache-type-k=f16&reps=1&run',
    );
    const [cells] = await cellsOf(tab, '.comparison tbody tr');
    expect(cells!.slice(0, 2)).toEqual(['h2_kv1_d64_t40_f16', 'mqa']);
    expect(cells![5]).toBe('inconclusive: fewer than 6 samples');
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  it('says of a link that was cut that it was, and works on', async () => {
    const tab = await open(`${TINY}${link.slice(0, -5)}`);
    await tab.waitFor('#shared-result .notice.bad', 30_000);
    expect(await shownTextOf(tab, '#shared-result')).toContain('a part of it is missing or changed');
    await tab.waitFor('#start:enabled', 30_000);
    await tab.close();
  });

  it('compares files that are dropped, with verdicts, and names one that is none', async (context) => {
    const tab = await open('');
    if (!tab.drop) return context.skip('this driver drops no files');
    const [a, b] = [
      result([row(32, 64, steady(100)), row(8, 64, steady(50))]),
      result([row(32, 64, steady(80)), row(8, 64, steady(60))], { label: '<img src=x onerror=alert(1)>' }),
    ];
    const folder = mkdtempSync(join(tmpdir(), 'gqa-share-'));
    try {
      const paths = ['a.json', 'b.json', 'c.json'].map((name) => join(folder, name));
      for (const [i, value] of [a, b, { schema: 'gqa-bench/9' }].entries())
        writeFileSync(paths[i]!, JSON.stringify(value));
      await tab.drop(...paths);
      await tab.waitFor('.comparison', 30_000);
      expect(await textOf(tab, '.comparison h3')).toBe(
        'Of 2 rows 1 is faster, 1 slower: b.json against a.json.',
      );
      expect((await cellsOf(tab, '.comparison tbody tr')).map((cells) => cells[5])).toEqual([
        'faster',
        'slower',
      ]);
      expect(await textsOf(tab, '#comparison .notice li')).toEqual([
        'c.json: it was written by a newer version (gqa-bench/9); this page reads gqa-bench/1.',
      ]);
      await tab.click('#copy-comparison');
      await expect.poll(() => textOf(tab, '.comparison [role=status]')).toBe('Copied.');
      const sides = [
        { name: 'a.json', result: a },
        { name: 'b.json', result: b },
      ] as const;
      expect(await tab.evaluate(() => navigator.clipboard.readText())).toBe(
        compareMarkdown(compareResults(...sides, STANDARD_MARGIN)),
      );
      // A single one is shown, its label as the text that it is.
      await tab.drop(paths[1]!);
      await tab.waitFor('#shared-result .shared', 30_000);
      expect(await textOf(tab, '#shared-result .origin')).toContain('“<img src=x onerror=alert(1)>”');
      expect(await tab.evaluate(() => document.querySelectorAll('#shared-result img').length)).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(tab.errors).toEqual([]);
    await tab.close();
  });
}
