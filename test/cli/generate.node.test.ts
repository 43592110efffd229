// generate.node.test.ts: `gqa generate` and `gqa perplexity` on a tiny model: tokens, variants, files, and what they refuse.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { SafetensorsFile } from '../../src/checkpoint/format/file.ts';
import { gqaMain } from '../support/gqaMain.ts';

const MODEL = fileURLToPath(new URL('../checkpoint/model/families/llama', import.meta.url));
const { prompt, continuation, logits, nll_mean } = JSON.parse(
  readFileSync(join(MODEL, 'golden.json'), 'utf8'),
) as { prompt: number[]; continuation: number[]; logits: number[][]; nll_mean: number };
const folder = mkdtempSync(join(tmpdir(), 'gqa-generate-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ON = ['--adapter', 'swiftshader'];
const TOKENS = ['--tokens', prompt.join(',')];

test('gives the tokens that follow, as ids where there is no tokenizer, and writes the logits', async () => {
  const file = join(folder, 'logits.safetensors');
  const { out, err, code } = await gqaMain(
    'generate',
    MODEL,
    ...ON,
    ...TOKENS,
    '-n',
    '6',
    '-ctk',
    'f32',
    '--no-stop',
    '--logits',
    file,
  );
  expect(code).toBeUndefined();
  expect(out.trim()).toBe(continuation.slice(0, 6).join(','));
  expect(err).not.toContain('trained for');
  expect(err).toMatch(/memory {3}weights .*KV cache .*activations/);
  expect(err).toMatch(/tokens\/s[\s\S]*\n\| +2 \| as it is[\s\S]*on "SwiftShader/);
  const written = await SafetensorsFile.open(file);
  const { shape, data } = await written.readFloat32('logits');
  await written.close();
  expect(shape).toEqual([prompt.length, logits[0]!.length]);
  const worst = logits.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
  expect(worst).toBeLessThan(3e-4);
});

test('as JSON, the model as it is beside one with fewer KV heads', async () => {
  const { out, err } = await gqaMain(
    'generate',
    MODEL,
    ...ON,
    ...TOKENS,
    '-n',
    '4',
    '--no-stop',
    '-ctk',
    'f32',
    '--kv-heads',
    '2,1',
    '-o',
    'json',
  );
  const { adapter, variants } = JSON.parse(out) as {
    adapter: { name: string };
    variants: { kvHeads: number; method: string | null; tokens: number[]; memory: { kvPerToken: number } }[];
  };
  expect(adapter.name).toContain('SwiftShader');
  expect(err).toContain('the variants ran one after another: `gqa bench --whole` times them interleaved');
  expect(variants.map(({ kvHeads, method }) => [kvHeads, method])).toEqual([
    [2, null],
    [1, 'mean'],
  ]);
  expect(variants[0]!.tokens).toEqual(continuation.slice(0, 4));
  expect(variants[0]!.memory.kvPerToken).toBe(2 * variants[1]!.memory.kvPerToken);
});

test('perplexity of a list of tokens, and of the model with fewer KV heads', async () => {
  const file = join(folder, 'ids.json');
  writeFileSync(file, JSON.stringify(prompt));
  const { out } = await gqaMain(
    'perplexity',
    MODEL,
    ...ON,
    '--tokens',
    file,
    '-ctk',
    'f32',
    '--kv-heads',
    '2,1',
    '-o',
    'json',
  );
  const { variants } = JSON.parse(out) as { variants: { nll: number; perplexity: number; tokens: number }[] };
  expect(Math.abs(variants[0]!.nll - nll_mean)).toBeLessThan(1e-4);
  expect(variants[0]!.perplexity).toBeCloseTo(Math.exp(variants[0]!.nll), 9);
  expect(variants.map(({ tokens }) => tokens)).toEqual([prompt.length - 1, prompt.length - 1]);
  expect(variants[1]!.nll).not.toBeCloseTo(nll_mean, 2);
});

const T5 = fileURLToPath(new URL('../checkpoint/model/families/t5_v10', import.meta.url));
const t5 = JSON.parse(readFileSync(join(T5, 'golden.json'), 'utf8')) as {
  prompt: number[];
  decoder_input_ids: number[];
  continuation: number[];
  logits: number[][];
  nll_mean: number;
};
const T5_TOKENS = ['--tokens', t5.prompt.join(',')];

test('an encoder reads the prompt, and the logits are those of what the decoder writes', async () => {
  const file = join(folder, 't5.safetensors');
  const args = [
    T5,
    ...ON,
    ...T5_TOKENS,
    '-n',
    '19',
    '-ctk',
    'f32',
    '--no-stop',
    '--logits',
    file,
    '-o',
    'json',
  ];
  const { out, code } = await gqaMain('generate', ...args);
  expect(code).toBeUndefined();
  const { variants } = JSON.parse(out) as {
    variants: { tokens: number[]; promptTokens: number[]; memory: object }[];
  };
  expect(variants[0]).toMatchObject({
    tokens: t5.continuation.slice(0, 19),
    promptTokens: t5.prompt,
    promptNatsPerToken: null,
    memory: { kvPerSourceToken: 2 * 2 * 3 * 16 * 4 },
  });
  const written = await SafetensorsFile.open(file);
  const { shape, data } = await written.readFloat32('logits');
  await written.close();
  expect(shape).toEqual([20, t5.logits[0]!.length]);
  const worst = t5.logits.flat().reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
  expect(worst).toBeLessThan(3e-4);
});

const lists = (name: string, value: unknown) => {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
};
const target = t5.decoder_input_ids.slice(1);
const source = lists('source.json', t5.prompt);

test('perplexity with an encoder is that of targets, given their sources', async () => {
  const sources = lists('sources.json', [t5.prompt, t5.prompt]);
  const targets = lists('targets.json', [target, target]);
  const args = ['perplexity', T5, ...ON, '-ctk', 'f32', '--source-tokens', sources, '--tokens', targets];
  const { out } = await gqaMain(...args, '-b', '8', '-o', 'json');
  const [found] = (JSON.parse(out) as { variants: { nll: number }[] }).variants;
  expect(found).toMatchObject({ method: null, pairs: 2, tokens: 2 * target.length });
  expect(Math.abs(found!.nll - t5.nll_mean)).toBeLessThan(1e-4);
});

const bad = join(folder, 'bad.json');
writeFileSync(bad, '{"ids": 1}');

test.each([
  ['neither prompt nor tokens', ['generate', MODEL], /expected --prompt or --tokens, got neither/],
  [
    'text without a tokenizer',
    ['generate', MODEL, '--prompt', 'x'],
    /tokenizer\.json: cannot be read.*give tokens/,
  ],
  ['a folder that is none', ['generate', join(folder, 'none'), '--tokens', '1'], /cannot be read/],
  [
    'a token that there is not',
    ['generate', MODEL, ...ON, '--tokens', '1,97'],
    /--tokens: token 1: expected a whole number below the vocabulary's 97, got 97/,
  ],
  [
    'too little room',
    ['generate', MODEL, ...ON, ...TOKENS, '--capacity', '8'],
    /--capacity: expected at least \d+, for \d+ tokens of the prompt and 64 more, got 8/,
  ],
  ['KV heads that do not divide', ['generate', MODEL, ...ON, ...TOKENS, '--kv-heads', '3'], /3/],
  ['a share of nothing', ['generate', MODEL, ...TOKENS, '--top-p', '0'], /above 0/],
  [
    'logits of several',
    ['generate', MODEL, ...TOKENS, '--kv-heads', '2,1', '--logits', join(folder, 'x')],
    /one variant/,
  ],
  [
    'a target longer than there is room for',
    ['generate', T5, ...ON, ...T5_TOKENS, '-n', '9', '--capacity', '8'],
    /--capacity: expected at least 9, for the start token and 9 more, got 8/,
  ],
  [
    'a token of a source that there is not',
    ['generate', T5, ...ON, '--tokens', '1,90'],
    /--tokens: token 1: expected a whole number below the vocabulary's 90, got 90/,
  ],
  [
    'perplexity with an encoder and no source',
    ['perplexity', T5, '--tokens', source],
    /its encoder reads a source: expected --source or --source-tokens.*got neither/,
  ],
  [
    'perplexity with an encoder and no target',
    ['perplexity', T5, '--source-tokens', source],
    /expected the targets by --text or --tokens, got neither/,
  ],
  [
    'sources and targets that are not as many',
    ['perplexity', T5, '--source-tokens', source, '--tokens', lists('three.json', [[1], [2], [3]])],
    /expected a source for each target, a line each: got 1 of .*source.json and 3 of .*three.json/,
  ],
  [
    'an empty target',
    ['perplexity', T5, '--source-tokens', source, '--tokens', lists('empty.json', [[]])],
    /empty.json: line 1: it has no tokens/,
  ],
  [
    'a token of a text that there is not',
    ['perplexity', MODEL, '--tokens', lists('past.json', [1, 97])],
    /past.json: token 1: expected a whole number below the vocabulary's 97, got 97/,
  ],
  [
    'a token of a target that there is not',
    ['perplexity', T5, '--source-tokens', source, '--tokens', lists('past.json', [1, 97])],
    /past.json: line 1: token 1: expected a whole number below the vocabulary's 90, got 97/,
  ],
  [
    'windows over targets',
    ['perplexity', T5, '--source-tokens', source, '--tokens', source, '--stride', '4'],
    /--stride: expected a decoder-only model/,
  ],
  [
    'a source without an encoder',
    ['perplexity', MODEL, '--tokens', source, '--source-tokens', source],
    /--source-tokens: expected a model with an encoder, got one of type llama/,
  ],
  [
    'a text of one token',
    ['perplexity', MODEL, '--tokens', lists('one.json', [3])],
    /one.json: expected a text of at least 2 tokens, for the first is not counted, got 1/,
  ],
  [
    'a stride that leaves tokens out',
    ['perplexity', MODEL, '--tokens', source, '--context', '4', '--stride', '5'],
    /--stride: expected at most the 4 tokens of a context.*got 5/,
  ],
  ['no text', ['perplexity', MODEL], /expected --text or --tokens, got neither/],
  ['a list that is none', ['perplexity', MODEL, '--tokens', bad], /expected a JSON list of whole numbers/],
])('%s is refused', async (_, args, message) => {
  const { err, code } = await gqaMain(...args);
  expect(code).toBe(1);
  expect(err).toMatch(message);
});

test('notes a text that goes past the positions of the training', async () => {
  const stories = fileURLToPath(new URL('../../models/stories', import.meta.url));
  const { err, code } = await gqaMain(
    'generate',
    stories,
    ...ON,
    '--tokens',
    '1,2,3',
    '-n',
    '126',
    '--capacity',
    '130',
  );
  expect(code).toBeUndefined();
  expect(err).toContain(
    'note     the model was trained for 128 positions (config.json); of 129 tokens those past',
  );
});
