// pageModel.test.ts: which files of those dropped on the page are a model's, which variants it has, and how faults are worded.
import { describe, expect, it } from 'vitest';
import { describeFolder, faultText, variantsOf } from '../../page/model/describe.ts';
import { modelFolderOf } from '../../page/model/files.ts';
import { endText, figureFacts, memoryText } from '../../page/model/words.ts';
import { GqaError, LimitExceededError } from '../../src/index.ts';
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
  expect(facts.variants.map(({ variant, fault }) => [variant, fault])).toEqual([[{ kvHeads: 1 }, undefined]]);
  expect(memoryText(facts.variants[0]!)).toMatch(/^[\d.]+ KiB: weights /);
});
