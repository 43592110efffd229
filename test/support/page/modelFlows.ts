// modelFlows.ts: what people do with a model on the page, tested in whichever browser is given.
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { writeWholeModel } from '../exampleFiles.ts';
import { gqaMain } from '../gqaMain.ts';
import { seriousFaults } from './axe.ts';
import type { Open } from './flows.ts';
import { losingWhen } from './loseDevice.ts';
import { cellsOf, isEnabled, shownTextOf, type Tab, textOf, textsOf } from './tab.ts';

/** How tokens are chosen, by options of the command line; the form's fields bear their names. */
const CHOICES = [
  ['--max-tokens', '10'],
  ['--temperature', '1.5'],
  ['--top-k', '20'],
  ['--top-p', '0.9'],
  ['--seed', '7'],
] as const;

/** A page on which nothing was measured. */
const QUERY = '?heads=2&kv-heads=1&head-dim=64&depth=40';

/** The tab that runs a model, on it. */
const IDLE = `${QUERY}#model`;

/** Files of a folder, but those with these names. */
function filesOf(folder: string, ...without: readonly string[]): string[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return names.flatMap(({ name }) => (without.includes(name) ? [] : [join(folder, name)]));
}

async function waitForModel(tab: Tab, state: string): Promise<void> {
  await tab.waitFor(`#tab-model[data-model=${state}]`, 120_000);
}

/** A folder with a model of eight KV heads in `smollm`, made before the tests and removed after them. */
function modelFolder(): { readonly root: string; readonly folder: string } {
  const root = mkdtempSync(join(tmpdir(), 'gqa-page-model-'));
  const folder = join(root, 'smollm');
  beforeAll(() => writeWholeModel(folder));
  afterAll(() => rmSync(root, { recursive: true }));
  return { root, folder };
}

/** The tab that shows a model, once it is open, and where its files are. */
interface ModelTab {
  readonly tab: () => Tab;
  readonly root: string;
  readonly folder: string;
}

/**
 * A model's way to its text. Each test goes on where the one before it stopped. `compared` are the numbers of KV heads that texts
 * are made with: to a browser whose adapter compiles slowly one is enough.
 */
export function modelText(open: Open, compared: readonly (8 | 1)[]): ModelTab {
  const { root, folder } = modelFolder();
  let tab: Tab;

  it('says what a model is and what it would take, and that nothing leaves the machine', async () => {
    tab = await open(IDLE);
    expect(await shownTextOf(tab, '#tab-model')).toContain('Nothing leaves this machine');
    await tab.choose('#model-files', filesOf(folder));
    await waitForModel(tab, 'ready');
    expect(await shownTextOf(tab, '#model-facts')).toMatch(
      /Type\s+llama\s+Layers\s+1, hidden size 64\s+Heads\s+8 query, 8 KV, of 8\s+Vocabulary\s+512[^]*software: a CPU/,
    );
    const rows = await cellsOf(tab, '#model-variants tr');
    expect(rows.map(([heads, perToken]) => [heads, perToken])).toEqual([
      ['8 KV headsas it is', '256 B'],
      ['4 KV headsmerged (mean)', '128 B'],
      ['2 KV headsmerged (mean)', '64 B'],
      ['1 KV headmerged (mean)', '32 B'],
    ]);
    expect(rows[0]![2]).toMatch(/^\d.* KiB: weights .*, cache 256 KiB, activations /);
    expect(await tickedOf(tab)).toEqual(['8', '1']);
  });

  it('gives the texts of gqa generate, side by side, with their times and what they are of', async () => {
    const given = ['--prompt', 'Once', '--kv-heads', compared.join(','), ...CHOICES.flat()];
    const { out } = await gqaMain('generate', folder, '--adapter', 'swiftshader', '-o', 'json', ...given);
    const { variants } = JSON.parse(out) as { variants: { text: string; promptNatsPerToken: number }[] };
    expect(new Set(variants.map(({ text }) => text)).size).toBe(compared.length);
    if (!compared.includes(8)) await tab.click('#model-variants input[value="8"]');
    await tab.fill('#model-prompt', 'Once');
    for (const [option, value] of CHOICES) await tab.fill(option.replace('--', '#model-'), value);
    await tab.click('#model-generate');
    await tab.waitFor('#tab-model[data-model=running]', 10_000);
    expect(await isEnabled(tab, '#start')).toBe(false);
    await waitForModel(tab, 'done');
    expect(await isEnabled(tab, '#start')).toBe(true);
    const titles = compared.map((heads) => (heads === 8 ? '8 KV headsas it is' : '1 KV headmerged (mean)'));
    expect(await textsOf(tab, '#model-columns h3')).toEqual(titles);
    expect(await textsOf(tab, '#model-columns .text')).toEqual(variants.map(({ text }) => `Once${text}`));
    const figures = await textsOf(tab, '#model-columns dl');
    for (const [i, { promptNatsPerToken: nats }] of variants.entries()) {
      expect(figures[i]).toMatch(
        /^tokens\/s[\d.]+nats\/token[\d.]+ms\/token[\d.]+Prompt[\d.]+ ms for 4 tokensKV per token/,
      );
      const shown = Number(/nats\/token([\d.]+)$/.exec(figures[i]!)![1]);
      expect(Math.abs(shown - nats)).toBeLessThan(1e-3);
    }
    expect(await textOf(tab, '#model-status')).toMatch(/^Done, on .*\(software: a CPU\)\.$/);
  });

  it('offers what came of it as Markdown and as JSON', async () => {
    await tab.click('#model-copy');
    await expect.poll(() => textOf(tab, '#model-shared')).toBe('Copied.');
    await tab.click('#model-download');
    await expect.poll(() => textOf(tab, '#model-shared')).toMatch(/^Saved as gqa-generate-\d{14}\.json\.$/);
  });

  return { tab: () => tab, root, folder };
}

/** The end of the tab. */
export function modelEnd({ tab }: ModelTab): void {
  it('says nothing on the console', async () => {
    expect(tab().errors).toEqual([]);
    await tab().close();
  });
}

/** A model's whole way, and those that cannot be run. Each test goes on where the one before it stopped. */
export function modelRuns(open: Open, compared: readonly (8 | 1)[]): void {
  const shown = modelText(open, compared);
  const { root, folder } = shown;
  let tab: Tab;
  beforeEach(() => void (tab = shown.tab()));

  it('plans with the method and cache that are chosen, which the address keeps', async () => {
    const choose = (id: string, value: string) =>
      tab.evaluate(
        ([of, to]) => {
          const select = document.querySelector<HTMLSelectElement>(of!)!;
          select.value = to!;
          select.dispatchEvent(new Event('change'));
        },
        [id, value],
      );
    await choose('#model-merge', 'pca');
    await choose('#model-cache-type', 'f32');
    const rows = await cellsOf(tab, '#model-variants tr');
    expect(rows.map(([heads, perToken]) => [heads, perToken])).toEqual([
      ['8 KV headsas it is', '512 B'],
      ['4 KV headsmerged (pca)', '256 B'],
      ['2 KV headsmerged (pca)', '128 B'],
      ['1 KV headmerged (pca)', '64 B'],
    ]);
    expect(await tickedOf(tab)).toEqual(compared.map(String));
    expect(await tab.evaluate(() => location.search)).toBe(`${QUERY}&model-method=pca&model-cache-type=f32`);
    const given = [
      '--prompt',
      'Once',
      '--kv-heads',
      '1',
      '--method',
      'pca',
      '-ctk',
      'f32',
      ...CHOICES.flat(),
    ];
    const { out } = await gqaMain('generate', folder, '--adapter', 'swiftshader', '-o', 'json', ...given);
    const { variants } = JSON.parse(out) as { variants: { text: string }[] };
    await tab.click('#model-generate');
    await tab.waitFor('#tab-model[data-model=running]', 10_000);
    await waitForModel(tab, 'done');
    expect((await textsOf(tab, '#model-columns .text')).at(-1)).toBe(`Once${variants[0]!.text}`);
    await choose('#model-merge', 'mean');
    await choose('#model-cache-type', 'f16');
    expect(await tab.evaluate(() => location.search)).toBe(QUERY);
  });

  it('stops at once, keeps what was written, and frees the device', async () => {
    await tab.fill('#model-max-tokens', '20000');
    await tab.click('#model-generate');
    await expect.poll(() => textOf(tab, '#model-columns .text'), { timeout: 60_000 }).toMatch(/^Once.{20}/);
    await tab.click('#model-stop');
    await waitForModel(tab, 'stopped');
    expect(await textsOf(tab, '#model-columns [data-variant=stopped] > p.muted')).toEqual(
      compared.map(() => 'Stopped: no times.'),
    );
    expect(await textOf(tab, '#model-columns .text')).toMatch(/^Once.{20}/);
    await expect.poll(() => tab.workers()).toBe(0);
    expect(await isEnabled(tab, '#start')).toBe(true);
  });

  it('fits a phone of 320 px', async () => {
    await tab.resize(320, 780);
    expect(
      await tab.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      }),
    ).toBe(0);
    await tab.resize(1280, 900);
  });

  it('without a tokenizer takes ids, and refuses what is none of the vocabulary', async () => {
    await tab.choose('#model-files', filesOf(folder, 'tokenizer.json'));
    await waitForModel(tab, 'ready');
    expect(await shownTextOf(tab, '#model-facts')).toContain('no tokenizer.json: ids of tokens');
    await tab.fill('#model-ids', '29, 16, 512');
    await tab.click('#model-generate');
    await waitForModel(tab, 'error');
    expect(await shownTextOf(tab, '#model-notices')).toMatch(
      /The text was not finished\.\s+prompt: .*token 2: .*below the vocabulary's 512, got 512/,
    );
  });

  it('says what is wrong with files that are no model that it knows', async () => {
    const sharded = join(root, 'sharded');
    await writeWholeModel(sharded, 2);
    const other = join(root, 'config.json');
    writeFileSync(other, JSON.stringify({ model_type: 'mamba9' }));
    const weights = join(folder, 'model.safetensors');
    copyFileSync(weights, join(root, 'model.safetensors'));
    for (const [paths, message] of [
      [filesOf(sharded, 'model-00002-of-00002.safetensors'), /which is missing \(1 of 2 shards are\)/],
      [
        filesOf(folder, 'model.safetensors'),
        /got none, but "pytorch_model\.bin"; save the model as safetensors/,
      ],
      [[other, weights], /"mamba9" is not known as a whole/],
      [[weights], /Expected a model folder with config\.json and safetensors files, got model\.safetensors/],
    ] as const) {
      await tab.choose('#model-files', paths);
      await tab.waitFor('#tab-model[data-model=error] #model-notices .bad', 60_000);
      await expect.poll(() => shownTextOf(tab, '#model-notices')).toMatch(message);
      expect(await shownTextOf(tab, '#model-notices')).toContain('This model cannot be run here.');
      expect(await shownTextOf(tab, '#tab-model')).not.toContain('Generate');
    }
  });

  it('takes files that are dropped anywhere on the page', async () => {
    const config = JSON.stringify({ model_type: 'mamba9' });
    await tab.evaluate((text) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], 'config.json'));
      dataTransfer.items.add(new File(['x'], 'model.safetensors'));
      const over = new DragEvent('dragover', { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector('h1')!.dispatchEvent(over);
      if (!over.defaultPrevented) throw new Error('the page takes no files');
      const drop = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
      document.querySelector('h1')!.dispatchEvent(drop);
    }, config);
    await tab.waitFor('#tab-model[data-model=error]', 60_000);
    await expect.poll(() => shownTextOf(tab, '#model-notices')).toContain('model.safetensors');
  });

  it('takes a folder that is dropped, and the model in it', async (context) => {
    if (!tab.drop) return context.skip('this driver drops no folders');
    await tab.drop(root);
    await waitForModel(tab, 'error');
    await expect.poll(() => shownTextOf(tab, '#model-notices')).toContain('"mamba9" is not known as a whole');
    rmSync(join(root, 'config.json'));
    await tab.drop(root);
    await expect
      .poll(() => shownTextOf(tab, '#model-notices'))
      .toContain('Expected one model, got sharded and smollm. Drop the folder of one.');
    await tab.drop(folder);
    await waitForModel(tab, 'ready');
    expect(await textOf(tab, '#model-name')).toBe('smollm');
  });

  it('the project’s own model writes with all its numbers of KV heads at a click', async () => {
    await tab.click('#model-own');
    await tab.waitFor('#tab-model[data-model=running]', 60_000);
    await waitForModel(tab, 'done');
    expect(await textOf(tab, '#model-name')).toBe('stories');
    const heads = [8, 4, 2, 1].map((count) => (count === 8 ? 'as it is' : 'merged (mean)'));
    expect(await textsOf(tab, '#model-columns h3 small')).toEqual(heads);
    const figures = await textsOf(tab, '#model-columns dl');
    const nats = figures.map((text) => Number(/tokens\/s[\d.]+nats\/token([\d.]+)/.exec(text)![1]));
    // Half a nat a character on stories that it has not seen, and nonsense where heads were merged without training.
    expect(nats[0]).toBeLessThan(0.7);
    for (const worse of nats.slice(1)) expect(worse).toBeGreaterThan(2);
    for (const text of await textsOf(tab, '#model-columns .text'))
      expect(text).toMatch(/^In the evening[^]{100}/);
    expect(await seriousFaults(tab)).toEqual([]);
  });

  modelEnd(shown);

  it('what does not fit the adapter says which limit, and cannot be run', async () => {
    // K of a head and 1024 tokens takes 16 KiB.
    const small = await open(IDLE, (text) => SMALL_BUFFERS + text);
    await small.choose('#model-files', filesOf(folder));
    await waitForModel(small, 'ready');
    const [own] = await cellsOf(small, '#model-variants tr');
    expect(own![2]).toMatch(
      /: needs 16 KiB in one buffer, this adapter allows 12 KiB \(maxStorageBufferBindingSize\)/,
    );
    expect(await tickedOf(small)).toEqual([]);
    expect(await isEnabled(small, '#model-variants input')).toBe(false);
    await small.close();
  });
}

/** A text whose device is lost. */
export function lostModel(open: Open, compared: readonly (8 | 1)[]): void {
  const { folder } = modelFolder();

  it('says so when the device is lost while a text is made', async () => {
    const lost = await open(IDLE, losingWhen("message.type === 'text'"));
    await lost.choose('#model-files', filesOf(folder));
    await waitForModel(lost, 'ready');
    if (!compared.includes(8)) await lost.click('#model-variants input[value="8"]');
    await lost.click('#model-generate');
    await waitForModel(lost, 'error');
    expect(await shownTextOf(lost, '#model-notices')).toMatch(
      /The GPU device was lost\.\s+device lost \(destroyed\)/,
    );
    expect(await textsOf(lost, '#model-columns [data-variant=stopped] h3')).toHaveLength(compared.length);
    await lost.close();
  });
}

/** In the page's scripts: devices have bindings of 12 KiB. */
const SMALL_BUFFERS = `{
  const { get } = Object.getOwnPropertyDescriptor(GPUDevice.prototype, 'limits');
  const small = (limits) => new Proxy(limits, {
    get: (target, name) => name === 'maxStorageBufferBindingSize' ? 12288 : Reflect.get(target, name, target),
  });
  Object.defineProperty(GPUDevice.prototype, 'limits', { get() { return small(get.call(this)); } });
}
`;

function tickedOf(tab: Tab): Promise<string[]> {
  return tab.evaluate(() =>
    [...document.querySelectorAll<HTMLInputElement>('#model-variants input:checked')].map(
      ({ value }) => value,
    ),
  );
}
