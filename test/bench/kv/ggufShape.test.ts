// ggufShape.test.ts: the shape that a GGUF file's metadata gives, and which files are refused; worked by hand.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeFromGguf } from '../../../bench/kv/ggufShape.ts';
import { readGguf } from '../../../bench/kv/readGguf.ts';
import { GqaError } from '../../../src/device/errors.ts';
import { kvBytesPerToken, kvCacheBytes, storedRows } from '../../../src/models/kvBytes.ts';
import { findPreset } from '../../../src/models/presets.ts';
import { ggufBytes, SMALL_LLAMA, type GgufValue } from '../../support/gguf.ts';

/** The shape of metadata under these keys of an architecture, written to a file and read again. */
async function shapeOf(architecture: string, keys: Readonly<Record<string, GgufValue>>) {
  const named = Object.entries(keys).map(([key, value]) => [`${architecture}.${key}`, value] as const);
  return read(ggufBytes({ 'general.architecture': architecture, ...Object.fromEntries(named) }));
}

async function read(bytes: Uint8Array) {
  const source = { size: bytes.length, read: async (begin: number, end: number) => bytes.slice(begin, end) };
  return shapeFromGguf(await readGguf(source, 'm.gguf'), 'm.gguf');
}

const SIZES = { block_count: 6, embedding_length: 1024, 'attention.head_count': 8 };
const perToken = (shape: Awaited<ReturnType<typeof read>>) =>
  kvBytesPerToken(shape.kvLayers, storedRows('f16'));

describe('the shape of a GGUF file', () => {
  it('is that of the preset of the same model', async () => {
    const { name: _name, source: _source, ...preset } = findPreset('smollm2-135m');
    expect(await read(ggufBytes(SMALL_LLAMA))).toMatchObject(preset);
  });

  it('has a KV head for each query head where no number is given', async () => {
    const shape = await shapeOf('gpt2', SIZES);
    expect(shape.numKvHeads).toBe(8);
    expect(shape.notes).toContain(
      'KV heads 8, one for each query head ("gpt2.attention.head_count_kv" absent)',
    );
  });

  it('takes the head dim that is written and not the quotient', async () => {
    const { headDim, notes } = await shapeOf('qwen3', {
      ...SIZES,
      'attention.key_length': 256,
      'attention.value_length': 256,
    });
    expect(headDim).toBe(256);
    expect(notes[0]).toBe('head_dim 256 from "qwen3.attention.key_length"');
  });

  it('counts the KV heads of each layer: those of layers without attention are 0', async () => {
    const shape = await shapeOf('lfm2', {
      ...SIZES,
      'attention.head_count_kv': [0, 0, 4, 0, 0, 2],
      'shortconv.l_cache': 3,
    });
    expect(shape.kvLayers).toEqual([
      { kind: 'global', count: 1, numKvHeads: 4, headDim: 128 },
      { kind: 'global', count: 1, numKvHeads: 2, headDim: 128 },
      { kind: 'none', count: 4, numKvHeads: 0, headDim: 0 },
    ]);
    expect(perToken(shape)).toBe((4 + 2) * 2 * 128 * 2);
    expect(shape.notes).toContain('4 of 6 layers have no attention, by "lfm2.attention.head_count_kv"');
  });

  it('knows layers with attention by their interval', async () => {
    const shape = await shapeOf('qwen3next', {
      ...SIZES,
      'attention.head_count_kv': 2,
      full_attention_interval: 3,
      'ssm.state_size': 128,
    });
    expect(shape.kvLayers[0]).toEqual({ kind: 'global', count: 2, numKvHeads: 2, headDim: 128 });
  });

  it.each([
    ['as the architecture has them', {}, 3],
    ['by a period', { 'attention.sliding_window_pattern': 3 }, 4],
    ['in every layer', { 'attention.sliding_window_pattern': 0 }, 6],
    ['by a flag for each', { 'attention.sliding_window_pattern': [true, true, false, true, true, true] }, 5],
  ])('has windows %s', async (_, pattern, local) => {
    const shape = await shapeOf('gpt-oss', { ...SIZES, 'attention.sliding_window': 128, ...pattern });
    expect(shape.kvLayers.find(({ kind }) => kind === 'local')).toEqual({
      kind: 'local',
      count: local,
      numKvHeads: 8,
      headDim: 128,
      window: 128,
    });
  });

  it('knows layers of a state by their flags', async () => {
    const shape = await shapeOf('qwen3next', {
      ...SIZES,
      'attention.recurrent_layers': [true, true, true, false, true, true],
      'ssm.state_size': 128,
    });
    expect(shape.kvLayers[0]).toMatchObject({ kind: 'global', count: 1 });
    expect(shape.notes).toContain(
      '5 of 6 layers have no attention, by "qwen3next.attention.recurrent_layers"',
    );
  });

  it('has the chunks of Llama 4, which its files leave out, and none where they say so', async () => {
    const shape = await shapeOf('llama4', { ...SIZES, block_count: 8 });
    expect(shape.kvLayers).toEqual([
      { kind: 'global', count: 2, numKvHeads: 8, headDim: 128 },
      { kind: 'chunked', count: 6, numKvHeads: 8, headDim: 128, window: 8192 },
    ]);
    const without = await shapeOf('llama4', { ...SIZES, 'attention.sliding_window': 0 });
    expect(without.kvLayers.map(({ kind }) => kind)).toEqual(['global']);
  });

  it('is that of gpt-oss-20b, whose files have no pattern', async () => {
    const shape = await shapeOf('gpt-oss', {
      block_count: 24,
      embedding_length: 2880,
      'attention.head_count': 64,
      'attention.head_count_kv': 8,
      'attention.key_length': 64,
      'attention.value_length': 64,
      'attention.sliding_window': 128,
    });
    expect(shape.kvLayers).toEqual(findPreset('gpt-oss-20b').kvLayers);
  });

  it('counts every token, and says so, where it is not known which layers have a window', async () => {
    const shape = await shapeOf('newarch', { ...SIZES, 'attention.sliding_window': 512 });
    expect(shape.kvLayers).toEqual([{ kind: 'global', count: 6, numKvHeads: 8, headDim: 128 }]);
    expect(shape.notes.at(-1)).toMatch(/sliding_window \(512\): which layers see it is not known of newarch/);
  });

  it('has heads of another size in local layers, and shared caches', async () => {
    const shape = await shapeOf('gemma4', {
      ...SIZES,
      'attention.head_count_kv': [4, 4, 4, 4, 4, 2],
      'attention.key_length': 512,
      'attention.value_length': 512,
      'attention.key_length_swa': 256,
      'attention.value_length_swa': 256,
      'attention.sliding_window': 512,
      'attention.sliding_window_pattern': [true, true, true, true, false, false],
      'attention.shared_kv_layers': 1,
    });
    expect(kvCacheBytes(shape.kvLayers, 4096, 1, storedRows('f16'), { windowed: true })).toBe(
      4 * 4 * 2 * 256 * 2 * 512 + 4 * 2 * 512 * 2 * 4096,
    );
  });

  it('leaves out layers that draft further tokens', async () => {
    const shape = await shapeOf('glm4moe', { ...SIZES, nextn_predict_layers: 1 });
    expect(shape.layers).toBe(5);
    expect(shape.notes.at(-1)).toContain('glm4moe.nextn_predict_layers (1)');
  });
});

describe('refused are', () => {
  it.each([
    ['latent attention', 'deepseek2', { ...SIZES, 'attention.kv_lora_rank': 512 }, /latent attention/],
    ['an encoder', 'bert', { ...SIZES, 'attention.causal': false }, /encoder and keeps no KV cache/],
    ['a model with one', 't5', SIZES, /a model with an encoder/],
    [
      'no attention',
      'mamba',
      { block_count: 4, embedding_length: 64 },
      /without attention there is no KV cache/,
    ],
    [
      'unknown layers of a state',
      'hybrid',
      { ...SIZES, 'ssm.state_size': 16 },
      /the file does not say which/,
    ],
    ['odd heads', 'llama', { ...SIZES, 'attention.head_count_kv': 3 }, /\(8\) must be a multiple of .*\(3\)/],
    ['a short list', 'llama', { ...SIZES, 'attention.head_count_kv': [8] }, /expected a list of 6/],
    [
      'text for a number',
      'llama',
      { ...SIZES, block_count: 'six' },
      /llama\.block_count expected a whole number/,
    ],
    [
      'K and V of different sizes',
      'llama',
      { ...SIZES, 'attention.key_length': 64, 'attention.value_length': 128 },
      /K and V heads of different sizes/,
    ],
  ] as const)('%s', async (_, architecture, keys, message) => {
    await expect(shapeOf(architecture, keys)).rejects.toThrow(message);
  });

  it.each([
    ['another kind of file', new TextEncoder().encode('{"a": 1}'), /does not begin with "GGUF"/],
    ['an empty file', new Uint8Array(0), /does not begin with "GGUF"/],
    ['a version of the future', Uint8Array.of(71, 71, 85, 70, 9, 0, 0, 0), /unsupported version/],
    ['a file that was cut', ggufBytes(SMALL_LLAMA).slice(0, 120), /got a file of 120/],
    ['a later part of a split model', ggufBytes({ 'split.no': 1 }), /several files, take the first/],
  ])('%s', async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message);
  });

  it('what was damaged is read or refused, and never breaks', async () => {
    const whole = ggufBytes(SMALL_LLAMA);
    const damage = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = whole.slice();
        for (const [at, change] of changes) bytes[at]! ^= change;
        const shape = await read(bytes).catch((error: unknown) => error);
        if (shape instanceof Error) expect(shape).toBeInstanceOf(GqaError);
        else expect(shape).toMatchObject({ kvLayers: expect.anything() });
      }),
      { numRuns: 60 },
    );
  });
});
