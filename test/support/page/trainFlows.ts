// trainFlows.ts: what people do in the training lab, tested in whichever browser is given.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { reproduceReport } from '../../../bench/reproduce/report.ts';
import { parseReproduceResult } from '../../../bench/schema/readResult.ts';
import { seriousFaults } from './axe.ts';
import type { Open } from './flows.ts';
import { losingWhen } from './loseDevice.ts';
import { isEnabled, setHidden, shownTextOf, type Tab, textOf, textsOf } from './tab.ts';

/** Fewer steps than the size has: no test is about how well it learns. */
const SHORT = (text: string) => text.replaceAll('context:32,steps:300', 'context:32,steps:20');

function waitForLab(tab: Tab, state: string): Promise<void> {
  return tab.waitFor(`#tab-train[data-train=${state}]`, 120_000);
}

/** Checks what is to be checked of these boxes, and nothing else. */
function tick(tab: Tab, id: string, values: readonly string[]): Promise<void> {
  return tab.evaluate(
    ([of, wanted]) => {
      for (const box of document.querySelectorAll<HTMLInputElement>(`#${of} input`))
        if (box.checked !== wanted.includes(box.value)) box.click();
    },
    [id, values] as const,
  );
}

function shareOf(tab: Tab): Promise<number> {
  return tab.evaluate(() => document.querySelector<HTMLProgressElement>('#train-bar')!.value);
}

/** A run from scratch, held and let go, and runs that come to nothing. Each test goes on where the one before it stopped. */
export function trainRuns(open: Open): void {
  const root = mkdtempSync(join(tmpdir(), 'gqa-page-train-'));
  let tab: Tab;
  afterAll(() => rmSync(root, { recursive: true }));

  it('says what each way and size takes before anything is allocated, and the command that does the same', async () => {
    tab = await open('#train', SHORT);
    await waitForLab(tab, 'idle');
    expect(await textOf(tab, '#train-takes')).toMatch(
      /^90,048 parameters, 60 steps of 8 × 128 characters in all, [\d.]+ MiB of GPU memory\.$/,
    );
    await tab.click('#train-form input[value=scratch]');
    const sizes = await textsOf(tab, '#train-size-list label');
    expect(
      sizes.map((text) => /^(tiny|small|demo)\d layers? of .*parameters; [\d.]+ MiB$/.exec(text)?.[1]),
    ).toEqual(['tiny', 'small', 'demo']);
    await tab.click('#train-form summary');
    await tick(tab, 'train-kv-heads', ['1']);
    await tick(tab, 'train-methods', ['mean', 'first']);
    await tab.fill('#train-alphas', '0, 0.5');
    await tab.fill('#train-windows', '16');
    await tab.click('#train-times');
    expect(await textOf(tab, '#train-command')).toBe(
      'gqa reproduce --size tiny --kv-heads 1 --methods mean,first --alphas 0,0.5 --seeds 1 --windows 16 --no-times --export-json lab.json',
    );
    expect(await textOf(tab, '#train-takes')).toContain(', 50 steps of 16 × 32 characters in all');
    expect(await seriousFaults(tab)).toEqual([]);
  });

  it('draws losses as they come, waits when it is told to or the tab is hidden, and goes on from there', async () => {
    await tab.click('#train-start');
    await tab.waitFor('#train-original .chart-svg path', 60_000);
    await tab.click('#train-pause');
    await waitForLab(tab, 'paused');
    expect(await textOf(tab, '#train-status')).toBe('Paused. Nothing is lost.');
    expect(await textOf(tab, '#train-pause')).toBe('Resume');
    // The steps that were under way come to their end.
    await new Promise((later) => setTimeout(later, 1500));
    const share = await shareOf(tab);
    expect(share).toBeLessThan(1);
    await setHidden(tab, true);
    await tab.click('#train-pause');
    expect(await textOf(tab, '#train-status')).toMatch(/^Paused: this tab is hidden/);
    await new Promise((later) => setTimeout(later, 1000));
    expect(await shareOf(tab)).toBe(share);
    await setHidden(tab, false);
    await waitForLab(tab, 'done');
    const [heldOut, training] = await textsOf(tab, '#train-curves .chart-legend');
    for (const legend of [heldOut, training]) expect(legend).toMatch(/mean.*first.*multi-head, trained on/);
    expect(heldOut).toContain('multi-head, before');
  });

  it('shows what each model wrote, before, right after and trained on, from the same prompt', async () => {
    expect(await textsOf(tab, '#train-texts h4')).toEqual([
      'Multi-head',
      '1 KV head, mean',
      '1 KV head, first',
    ]);
    expect(await textsOf(tab, '#train-texts h5')).toEqual([
      'before any conversion',
      'trained on for 50 % of the steps',
      ...['', ''].flatMap(() => ['right after the conversion', 'uptrained for 50 % of the steps']),
    ]);
    const texts = await textsOf(tab, '#train-texts .text');
    for (const text of texts) expect(text).toMatch(/^In the evening[^]{18}$/);
  });

  it('has figures, tables and a file that gqa reproduce could have written', async () => {
    expect(await textsOf(tab, '#train-figures figcaption strong')).toEqual([
      'Figure 4: what each method leaves after 50 % of the steps',
      'Figure 5: losses by the share of the steps that are trained further',
    ]);
    const { name, text } = await tab.download('#train-download');
    expect(name).toMatch(/^gqa-reproduce-\d{14}\.json$/);
    const result = parseReproduceResult(text, name);
    expect(result.params).toMatchObject({ size: 'tiny', steps: 20, windows: 16, alphas: [0, 0.5] });
    expect(result.runs).toHaveLength(1);
    const [{ curves }] = result.runs as [(typeof result.runs)[number]];
    expect(curves.map(({ kvHeads, method }) => [kvHeads, method])).toEqual([
      [1, 'mean'],
      [1, 'first'],
    ]);
    for (const { points } of curves) expect(points[1]!.loss).toBeLessThan(points[0]!.loss);
    expect(await textOf(tab, '#train-report')).toBe(reproduceReport(result));
    expect(await seriousFaults(tab)).toEqual([]);
  });

  it('stops at once, frees the device, and keeps the figures of the run before', async () => {
    await tab.click('#train-start');
    await tab.waitFor('#train-original .chart-svg path', 60_000);
    expect(await isEnabled(tab, '#start')).toBe(false);
    await tab.click('#train-stop');
    await waitForLab(tab, 'stopped');
    expect(await textOf(tab, '#train-status')).toMatch(/^Stopped\. No seed was finished/);
    await expect.poll(() => tab.workers()).toBe(0);
    expect(await isEnabled(tab, '#start')).toBe(true);
    expect(await textsOf(tab, '#train-figures figure')).toHaveLength(2);
  });

  it('takes a text of the reader, and says what is wrong with one', async () => {
    const path = (name: string, content: string | Uint8Array) => {
      writeFileSync(join(root, name), content);
      return [join(root, name)];
    };
    await tab.choose('#train-text', path('short.txt', 'Too short.'));
    await expect
      .poll(() => textOf(tab, '#train-text-fault'))
      .toMatch(/^short\.txt: expected a text of at least 330 characters, got 10: /);
    await tab.click('#train-start');
    await waitForLab(tab, 'stopped');
    await tab.choose('#train-text', path('latin.txt', new Uint8Array([0x61, 0xff])));
    await expect
      .poll(() => textOf(tab, '#train-text-fault'))
      .toMatch(/^latin\.txt: expected a text in UTF-8/);
    await tab.choose('#train-text', path('greek.txt', 'Ἐν ἀρχῇ ἦν ὁ λόγος.\n'.repeat(80)));
    await expect.poll(() => textOf(tab, '#train-text-name')).toBe('greek.txt');
    expect(await textOf(tab, '#train-text-fault')).toBe('');
    expect(await textOf(tab, '#train-command')).toContain('--text greek.txt');
    await tab.click('#train-form input[value=quick]');
    expect(await textOf(tab, '#train-text-fault')).toMatch(/knows 61 characters, and not "/);
    await tab.click('#train-stories');
    expect(await textOf(tab, '#train-text-fault')).toBe('');
  });

  it('fits a phone of 320 px', async () => {
    await tab.resize(320, 780);
    const overflow = await tab.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
    expect(overflow).toBe(0);
  });

  it('says nothing on the console', async () => {
    expect(tab.errors).toEqual([]);
    await tab.close();
  });

  it('a quick look begins at the checkpoint; a lost device is told, and what was drawn stays', async () => {
    const lost = await open(
      '#train',
      losingWhen("message.type === 'loss' && message.loss.text === 'training'"),
    );
    await waitForLab(lost, 'idle');
    await lost.click('#train-form summary');
    await lost.fill('#train-windows', '8');
    await lost.click('#train-start');
    await waitForLab(lost, 'error');
    expect(await shownTextOf(lost, '#train-notices')).toMatch(
      /The GPU device was lost\. What was finished stays below\.\s+device lost \(destroyed\)/,
    );
    expect(await textsOf(lost, '#train-texts h5')).toEqual([
      'before any conversion',
      'right after the conversion',
    ]);
    expect((await textsOf(lost, '#train-curves .chart-legend'))[0]).toMatch(/mean.*multi-head, before/);
    await lost.close();
  });
}
