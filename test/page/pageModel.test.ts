// pageModel.test.ts: which files of those dropped on the page are a model's, which variants it has, and how faults are worded.
import { describe, expect, it } from 'vitest';
import { describeFolder, variantsOf } from '../../page/model/describe.ts';
import { faultText } from '../../page/shell/faultText.ts';
import { modelFolderOf } from '../../page/model/files.ts';
import { endText, figureFacts, memoryText } from '../../page/model/words.ts';
import { resultJson, resultMarkdown, type ModelResult } from '../../page/model/result.ts';
import { readModelSettings, withModelSettings } from '../../page/model/settings.ts';
import { GqaError, KV_TYPES, LimitExceededError } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { tinyModel } from '../support/tinyModel.ts';

const placed = (...paths: string[]) => paths.map((path) => ({ path, file: new File([], path) }));

describe('modelFolderOf', () => {
  it.each([
    ['loose files', ['config.json', 'model.safetensors'], 'model', ['config.json', 'model.safetensors']],
    ['a folder', ['tiny/config.json', 'tiny/a.safetensors'], 'tiny', ['config.json', 'a.safetensors']],
    [
      'what lies beside the outermost config alone',
      [
        'x/readme.md',
        'x/tiny/config.json',
        'x/tiny/onnx/config.json',
        'x/tiny/a.safetensors',
        'x/tiny/onnx/b.bin',
      ],
      'tiny',
      ['config.json', 'a.safetensors'],
    ],
  ])('takes %s', (_, paths, name, files) => {
    const folder = modelFolderOf(placed(...paths));
    expect([folder.name, Object.keys(folder.files)]).toEqual([name, files]);
  });

  it.each([
    ['no files', [], 'got no files.'],
    ['no config', ['a.gguf'], 'got a.gguf.'],
    ['many files without one', ['a', 'b', 'c', 'd', 'e'], 'got a, b, c and 2 more.'],
    ['a name that only ends like it', ['my-config.json'], 'got my-config.json.'],
    [
      'two models',
      ['x/a/config.json', 'x/b/config.json', 'x/a/1/config.json'],
      'Expected one model, got a and b.',
    ],
  ])('refuses %s', (_, paths, message) => {
    expect(() => modelFolderOf(placed(...paths))).toThrow(GqaError);
    expect(() => modelFolderOf(placed(...paths))).toThrow(message);
  });
});

it('variants are the model as it is and every divisor of its KV heads', () => {
  expect(variantsOf(1)).toEqual([{ kvHeads: 1 }]);
  expect(variantsOf(12)).toEqual([
    { kvHeads: 12 },
    ...[6, 4, 3, 2, 1].map((kvHeads) => ({ kvHeads, method: 'mean' })),
  ]);
});

describe('words', () => {
  it('name a limit, in units, and other faults as they are', () => {
    const most = new LimitExceededError('weights', 'maxBufferSize', 3 * 2 ** 30, 2 ** 28);
    expect(faultText(most)).toBe(
      'weights: needs 3 GiB in one buffer, this adapter allows 256 MiB (maxBufferSize)',
    );
    const invocations = new LimitExceededError('x', 'maxComputeInvocationsPerWorkgroup', 512, 256);
    expect(faultText(invocations)).toBe(invocations.message);
    expect(faultText(new GqaError('input', 'no such thing'))).toBe('no such thing');
  });

  const figures = {
    promptTokens: 4,
    promptMs: 12,
    tokens: 9,
    kvPerToken: 2048,
    isEnded: true,
    wasHidden: false,
  };

  it('give no rate to a single token, and say when a tab was hidden', () => {
    expect(figureFacts({ ...figures, tokensPerSecond: 8 })).toEqual(
      expect.arrayContaining([
        ['tokens/s', '8.00'],
        ['ms/token', '125'],
        ['KV per token', '2 KiB'],
      ]),
    );
    expect(figureFacts({ ...figures, tokens: 1 })[0]).toEqual(['tokens/s', 'one token has no rate']);
    expect(endText(figures)).toBe('9 tokens, ended by a stop token.');
    expect(endText({ ...figures, wasHidden: true })).toMatch(/hidden meanwhile, so times may be too long/);
  });
});

it('a tokenizer that cannot be used leaves ids, and says why', async () => {
  const device = await testDevice();
  const files = tinyModel() as Record<string, File>;
  const broken = { ...files, 'tokenizer.json': new File(['{"model": '], 'tokenizer.json') };
  const facts = await describeFolder(device, { name: 'tiny', files: broken });
  expect(facts.tokenizer).toEqual({
    fault: expect.stringMatching(/^tiny\/tokenizer\.json: cannot be read: /) as string,
  });
  expect((await describeFolder(device, { name: 'tiny', files })).tokenizer).toBe('none');
  expect(facts.variants.map(({ variant }) => variant)).toEqual([{ kvHeads: 1 }]);
  const { plans } = facts.variants[0]!;
  expect(Object.keys(plans).toSorted()).toEqual(KV_TYPES.toSorted());
  for (const type of KV_TYPES) expect(memoryText(plans[type])).toMatch(/^[\d.]+ KiB: weights /);
  const [f32, f16] = [plans.f32.memory!, plans.f16.memory!];
  expect(f32.kv).toBe(2 * f16.kv);
  expect(f32.weights).toBe(f16.weights);
});

describe('the address', () => {
  it.each([
    ['', { method: 'mean', cacheType: 'f16' }],
    ['?model-method=pca', { method: 'pca', cacheType: 'f16' }],
    ['?depth=512&model-cache-type=int8&model-method=first', { method: 'first', cacheType: 'int8' }],
    // What is wrong is said at the top of the page.
    ['?model-method=toString', { method: 'mean', cacheType: 'f16' }],
  ] as const)('%s is read', (query, settings) => {
    expect(readModelSettings(query)).toEqual(settings);
  });

  it.each([
    ['', { method: 'mean', cacheType: 'f16' }, ''],
    ['', { method: 'pca', cacheType: 'int4' }, '?model-method=pca&model-cache-type=int4'],
    ['?model-method=pca&model-cache-type=int4', { method: 'mean', cacheType: 'f16' }, ''],
    ['?depth=512,1024&run', { method: 'pca', cacheType: 'f16' }, '?depth=512,1024&run&model-method=pca'],
  ] as const)('%s takes what is chosen, and keeps the rest', (query, settings, wanted) => {
    expect(withModelSettings(query, settings)).toBe(wanted);
    expect(readModelSettings(wanted)).toEqual(settings);
  });
});

it('texts are taken away as gqa generate puts them out', () => {
  const memory = { weights: 1, kv: 2, activations: 3, total: 6, kvPerToken: 2048, kvPerSourceToken: 0 };
  const variant = { prompt: [1, 2, 3, 4], promptMs: 8, isEnded: false, loadMs: 5, memory, wasHidden: false };
  const result = {
    date: '2026-01-02T03:04:05.000Z',
    version: '0.1.0',
    runtime: { kind: 'chrome', version: '1' },
    facts: {
      type: 'llama',
      vocabSize: 9,
      hiddenSize: 8,
      layers: 2,
      adapter: { name: 'acme', software: true },
    },
    request: { folder: { name: 'tiny' }, options: { maxTokens: 3 }, cacheType: 'int8' },
    variants: [
      { ...variant, kvHeads: 8, tokens: [5, 6, 7], decodeMs: 4, text: 'abc', promptNll: 1.25 },
      { ...variant, kvHeads: 1, method: 'pca', tokens: [5], decodeMs: 0, wasHidden: true },
    ],
  } as unknown as ModelResult;
  const text = resultMarkdown(result);
  expect(text).toMatch(/^tiny, cache int8\n/);
  expect(text).toMatch(/\| +8 \| as it is \| +500 \| +2.00 \| +500 \| +2 KiB \| +1.2500 \|/);
  expect(text).toMatch(/\| +1 \| pca +\| +- \| +- \|/);
  expect(text).toContain('on "acme (software: a CPU)"');
  expect(resultJson(result)).toMatchObject({
    model: { folder: 'tiny', layers: 2 },
    options: { maxTokens: 3, cacheType: 'int8' },
    variants: [
      {
        kvHeads: 8,
        method: null,
        tokens: [5, 6, 7],
        text: 'abc',
        ended: 'length',
        times: { tokensPerSecond: 500 },
      },
      { kvHeads: 1, method: 'pca', times: { tokensPerSecond: null }, wasHidden: true },
    ],
  });
});
