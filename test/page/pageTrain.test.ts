// pageTrain.test.ts: what the lab makes of a form, of losses and of results, and how it words them; no DOM.
import { describe, expect, it } from 'vitest';
import { Curves, pointOf } from '../../page/train/curves.ts';
import { figureCharts } from '../../page/train/figures.ts';
import { openingOf, readText, textFault, textInTokens } from '../../page/train/labText.ts';
import { planSize } from '../../page/train/plan.ts';
import { alphaList, commandOf, defaultsOf, seedList } from '../../page/train/settings.ts';
import {
  failureTitle,
  leftText,
  memoryText,
  takesText,
  whenText,
  writerText,
} from '../../page/train/words.ts';
import { TRAINING_SIZES } from '../../src/train/sizes.ts';
import { charVocabulary } from '../../src/train/text/characters.ts';
import { GPU_FACTS } from '../support/deviceFacts.ts';
import { reproduced } from '../support/reproduceResult.ts';

describe('lists', () => {
  it('are numbers with commas between them, alphas in their order', () => {
    expect(alphaList('0.05, 0,0.01')).toEqual([0, 0.01, 0.05]);
    expect(seedList(' 3,1 ')).toEqual([3, 1]);
  });

  it.each(['', '0,', '0.1,0.1', '1.5', '-0.1', 'a', '0 0.1'])('refuse alphas "%s"', (text) =>
    expect(alphaList(text)).toBeUndefined(),
  );

  it.each(['', '1.5', '-1', '1,1', '1e12'])('refuse seeds "%s"', (text) =>
    expect(seedList(text)).toBeUndefined(),
  );
});

describe('the command that does the same', () => {
  const settings = {
    kvHeads: [2, 1],
    methods: ['mean'],
    alphas: [0, 0.05],
    seeds: [1],
    windows: 128,
  } as const;

  it('begins at the checkpoint for a quick look', () => {
    expect(commandOf({ ...settings, way: 'quick', size: 'tiny', times: false })).toBe(
      'gqa reproduce models/stories --kv-heads 2,1 --methods mean --alphas 0,0.05 --seeds 1 --windows 128 --no-times --export-json lab.json',
    );
  });

  it('names size and text otherwise, the text as a shell takes it', () => {
    const given = {
      ...settings,
      way: 'scratch',
      size: 'small',
      times: true,
      textName: "it's a book.txt",
    } as const;
    expect(commandOf(given)).toMatch(
      /^gqa reproduce --size small --text 'it'\\''s a book\.txt' --kv-heads 2,1 /,
    );
    expect(commandOf(given)).not.toContain('--no-times');
  });

  it('asks less of a CPU', () => {
    expect(defaultsOf('quick', true).alphas.at(-1)).toBeLessThan(defaultsOf('quick', false).alphas.at(-1)!);
    expect(defaultsOf('scratch', true).methods.length).toBeLessThan(
      defaultsOf('scratch', false).methods.length,
    );
  });
});

describe('a text', () => {
  it('too short for a context says how long it has to be', () => {
    const text = (count: number) => ({ name: 'a.txt', content: 'x'.repeat(count) });
    expect(textFault(text(329), 32)).toMatch(
      /^a\.txt: expected a text of at least 330 characters, got 329: /,
    );
    expect(textFault(text(330), 32)).toBeUndefined();
    // Two units each.
    expect(textFault({ name: 'b', content: '🐑'.repeat(300) }, 32)).toContain('got 300');
  });

  it('that is no UTF-8 is refused by name', async () => {
    const file = new File([new Uint8Array([0x61, 0xff])], 'latin.txt');
    await expect(readText(file)).rejects.toThrow(/latin\.txt: expected a text in UTF-8/);
  });

  it('is read by the characters of a model, and held out at its end', () => {
    const vocabulary = charVocabulary('abc');
    const reader = { name: 'a.txt', content: 'abcabcabca' };
    const { text } = textInTokens(reader, vocabulary);
    expect(text).toMatchObject({ vocabSize: 3, source: 'a.txt' });
    expect([...text.parts.heldOut]).toEqual([0]);
    expect(() => textInTokens({ ...reader, content: 'abcd' }, vocabulary)).toThrow(
      /line 1, character 4: .*got "d"/,
    );
  });

  it('gives a prompt from its last tenth', () => {
    const content = `${'first line\n'.repeat(90)}${'The shepherd sleeps\n'.repeat(5)}`;
    expect(openingOf({ name: 'a', content }, 12)).toBe('The shepherd');
  });
});

describe('losses', () => {
  const loss = (step: number, value: number, more: object = {}) => ({
    training: { seed: 1, kvHeads: 2, method: 'mean', alpha: 0.1, ...more } as const,
    text: 'training' as const,
    step,
    loss: value,
  });

  it('of the training text are means of a fortieth of the training', () => {
    const curves = new Curves(4000, ['mean']); // 400 steps, of which ten are a point
    for (const [step, value] of [
      [1, 5],
      [10, 3],
      [11, 2],
    ] as const)
      curves.add(loss(step, value));
    const [mean] = curves.uptrainChart('training', 2).series;
    expect(mean).toMatchObject({
      name: 'mean',
      points: [
        { x: 10, y: 4 },
        { x: 20, y: 2 },
      ],
    });
  });

  it('have a line for each method before there are any', () => {
    const { series } = new Curves(100, ['mean', 'pca']).uptrainChart('heldOut', 2);
    expect(series.map(({ name }) => name)).toEqual(['mean', 'pca', 'multi-head, trained on']);
  });

  it('of several seeds are means, with the least and the most', () => {
    const curves = new Curves(100, ['mean']);
    curves.add(loss(1, 4));
    curves.add(loss(1, 2, { seed: 2 }));
    curves.add(loss(2, 1));
    expect(curves.uptrainChart('training', 2).series[0]!.points).toEqual([
      { x: 1, y: 3, low: 2, high: 4 },
      { x: 2, y: 1 },
    ]);
    expect(pointOf(1, [2])).toEqual({ x: 1, y: 2 });
  });

  it('are drawn for the KV heads that are shown, of the longest training, beside control and original', () => {
    const curves = new Curves(100, ['mean']);
    const held = (step: number, value: number, more: object) =>
      curves.add({ ...loss(step, value, more), text: 'heldOut' });
    held(100, 0.5, { method: undefined, kvHeads: 8, alpha: undefined });
    held(0, 9, { alpha: 0.05 });
    held(5, 3, { alpha: 0.05 });
    held(0, 9, {});
    held(10, 2, {});
    held(10, 7, { kvHeads: 1 });
    held(10, 0.6, { method: undefined, kvHeads: 8 });
    const { series } = curves.uptrainChart('heldOut', 2);
    expect(series.map(({ name, kind, points }) => [name, kind, points.map(({ x, y }) => [x, y])])).toEqual([
      [
        'mean',
        'measured',
        [
          [0, 9],
          [10, 2],
        ],
      ],
      ['multi-head, trained on', 'measured', [[10, 0.6]]],
      ['multi-head, before', 'limit', [[100, 0.5]]],
    ]);
    expect(curves.originalChart().series).toMatchObject([
      { name: 'training text', points: [] },
      { name: 'held-out text', points: [{ x: 100, y: 0.5 }] },
    ]);
  });
});

describe('figures', () => {
  it('are those of the report, with spreads', () => {
    const charts = figureCharts(reproduced());
    expect(charts.map(({ title }) => title.slice(0, 8))).toEqual(['Figure 4', 'Figure 5', 'Figure 6']);
    const [four, five, six] = charts;
    const near = (value: number): unknown => expect.closeTo(value, 9);
    expect(four!.series[0]).toMatchObject({
      name: 'mean',
      points: [
        { x: 2, y: near(2.55), low: near(2.45), high: near(2.65) },
        { x: 1, y: near(3.05) },
      ],
    });
    expect(four!.series.at(-1)).toMatchObject({ kind: 'limit', points: [{ y: near(2.05) }] });
    expect(five!.series.map(({ name }) => name)).toEqual([
      '2 KV heads, mean',
      '1 KV head, mean',
      'multi-head, trained on',
      'multi-head, before',
    ]);
    expect(five!.series[0]!.points.map(({ x }) => x)).toEqual([0, 5]);
    // The step of 2 KV heads was not timed.
    expect(six!.series[0]!.points.map(({ x, y }) => [x, y])).toEqual([
      [4, 400],
      [1, 100],
    ]);
  });

  it('of one seed say so, and leave out what was not timed', () => {
    const { decode: _, ...result } = reproduced();
    const charts = figureCharts({ ...result, runs: result.runs.slice(0, 1) });
    expect(charts).toHaveLength(2);
    expect(charts[0]!.caption).toContain('a single seed');
    expect(charts[0]!.series[0]!.points[0]).not.toHaveProperty('low');
  });
});

describe('words', () => {
  it('say what a size takes, and what has no room', () => {
    const size = TRAINING_SIZES.small;
    const plan = planSize(size, 61, GPU_FACTS);
    expect(takesText(plan, 520, size)).toMatch(
      /^\d\d,\d{3} parameters, 520 steps of 16 × 64 characters in all, [\d.]+ MiB of GPU memory\.$/,
    );
    const none = planSize(size, 61, { ...GPU_FACTS, maxBindingBytes: 65536 });
    expect(memoryText(none)).toMatch(/needs [\d.]+ \w+ in one buffer, this adapter allows 64 KiB/);
    expect(takesText(none, 520, size)).toMatch(/^This device has no room for it: /);
  });

  it('say how long it will take, and which model wrote what', () => {
    expect([undefined, 400, 59_000, 150_000, 2 * 3_600_000].map(leftText)).toEqual([
      '',
      'about 1 s left',
      'about 59 s left',
      'about 3 min left',
      'about 2.0 h left',
    ]);
    const conversion = { seed: 1, kvHeads: 1, method: 'pca', alpha: 0 } as const;
    expect([writerText(conversion), whenText(conversion)]).toEqual([
      '1 KV head, pca',
      'right after the conversion',
    ]);
    expect(whenText({ ...conversion, alpha: 0.005 })).toBe('uptrained for 0.5 % of the steps');
    expect(whenText({ seed: 1, kvHeads: 8, alpha: 0.05 })).toBe('trained on for 5 % of the steps');
    expect(whenText({ seed: 1, kvHeads: 8 })).toBe('before any conversion');
  });

  it('tell a loss of the device, a divergence and want of memory apart', () => {
    const titles = ['device-lost', 'diverged', 'limit-exceeded', 'shape'].map(failureTitle);
    expect(new Set(titles).size).toBe(4);
  });
});
