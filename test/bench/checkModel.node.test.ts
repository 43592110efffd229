// checkModel.node.test.ts: whole models on a device against their twins: all families, element types and conversions pass, and no fault does.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConversionOptions } from '../../src/checkpoint/convert/plan.ts';
import { openModel } from '../../src/checkpoint/model/disk/openModel.ts';
import { KV_TYPES, openDevice, type GqaDevice, type KvType } from '../../src/index.ts';
import type { AttentionSpec, LayerSpec, ModelSpec } from '../../src/models.ts';
import { openModelFiles } from '../../src/models.ts';
import { ModelSource } from '../../src/models/decoder/modelSource.ts';
import { nodeGpu } from '../../src/node.ts';
import { checked, wrong, type Tried } from '../support/checkedModel.ts';
import { VARIED_VOCAB, variedModel, type Variety } from '../support/variedModel.ts';

const ROOT = fileURLToPath(new URL('../checkpoint/model/families', import.meta.url));

/** Of all kinds: two norms, learned positions, layers in parallel, heads turned the other way round. */
const FAMILIES = ['gemma3', 'gpt2', 'gpt_neox', 'llama', 'nanochat'];

let device: GqaDevice;

beforeAll(async () => {
  device = await openDevice((await nodeGpu({ adapter: 'swiftshader' })).gpu);
});

afterAll(() => device.destroy());

const check = (source: ModelSource, tried?: Tried) => checked(device, source, tried);

const open = (family: string, heads?: ConversionOptions) => openModel(join(ROOT, family), heads);

describe('a right model passes', () => {
  // Every type of weights and of K and V, in turn.
  test.each(
    FAMILIES.map((family, i): [string, KvType | undefined, KvType, KvType] => [
      family,
      i === 0 ? undefined : KV_TYPES[i],
      KV_TYPES[i % 5]!,
      KV_TYPES[(2 * i) % 5]!,
    ]),
  )('%s with weights %s, K %s and V %s', { timeout: 60_000 }, async (family, weightType, kType, vType) => {
    const result = await check(await open(family), {
      ...(weightType !== undefined && { weightType }),
      types: { kType, vType },
    });
    expect(wrong(result)).toEqual([]);
    expect(result.pass).toBe(true);
    expect(result.chosen).toHaveLength(5);
    expect(result.layers.length).toBe((await open(family)).spec.layers.length + 1);
    // f32 is off by something: nothing was compared with itself.
    expect(result.logits.error).toBeGreaterThan(0);
    expect(result.logits.bound).toBeLessThan(3e-4);
  });

  test('merged to one KV head by pca', { timeout: 60_000 }, async () => {
    const rest = { grouping: 'neighbours', headMap: 'contiguous', renorm: true, seed: 1 } as const;
    const source = await open('llama', { kvHeads: 1, method: 'pca', ...rest });
    expect(source.spec.layers[0]!.attention.numKvHeads).toBe(1);
    expect(wrong(await check(source, { types: { kType: 'f16' } }))).toEqual([]);
  });
});

const LLAMA3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};

/** Contexts here have room for 20 tokens. */
function longRope(originalContext: number) {
  const rope_scaling = { type: 'longrope', short_factor: [1, 1.1, 1.3, 2], long_factor: [2, 5, 9, 30] };
  return { rope_scaling, max_position_embeddings: 640, original_max_position_embeddings: originalContext };
}

const VARIETIES: Readonly<Record<string, Variety & Tried>> = {
  'F16 in three shards, untied, turns of Llama 3': {
    config: { model_type: 'llama', rope_scaling: LLAMA3 },
    heads: [4, 2, 10],
    dtype: () => 'F16',
    untied: true,
    shards: 3,
  },
  'BF16 with a window and heads of 14': {
    config: { model_type: 'mistral', sliding_window: 5 },
    heads: [6, 2, 14],
    dtype: () => 'BF16',
    types: { kType: 'bf16' },
  },
  'biases of q, k and v, a window from the second layer on': {
    config: { model_type: 'qwen2', use_sliding_window: true, sliding_window: 4, max_window_layers: 1 },
    heads: [4, 4, 6],
    biases: ['q', 'k', 'v'],
    types: { kType: 'int8' },
  },
  'biases everywhere, YaRN, tensors of three types': {
    config: {
      model_type: 'llama',
      attention_bias: true,
      mlp_bias: true,
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 },
    },
    heads: [3, 1, 16],
    dtype: (name) => (/q_proj|norm/.test(name) ? 'F32' : /k_proj|up_proj/.test(name) ? 'F16' : 'BF16'),
    biases: ['q', 'k', 'v', 'o', 'gate', 'up', 'down'],
    untied: true,
  },
  'the short factors of LongRoPE, with room for no more than the original context': {
    config: { model_type: 'llama', ...longRope(20) },
    heads: [4, 2, 8],
  },
  'the long factors, with room for more': {
    config: { model_type: 'llama', ...longRope(19) },
    heads: [4, 2, 8],
  },
  'norms of heads of 40, of which int4 has two scales': {
    config: { model_type: 'qwen3', rope_scaling: { rope_type: 'linear', factor: 2 } },
    heads: [4, 2, 40],
    qkNorm: true,
    weightType: 'int4',
    types: { kType: 'int4' },
  },
};

test.each(Object.entries(VARIETIES))(
  '%s',
  { timeout: 60_000 },
  async (_, { weightType, types, ...variety }) => {
    const source = await openModelFiles(variedModel(variety));
    expect(source.spec.vocabSize).toBe(VARIED_VOCAB);
    const result = await check(source, { ...(weightType && { weightType }), ...(types && { types }) });
    expect(wrong(result)).toEqual([]);
  },
);

test(
  'heads that are turned the other way round, whose halves the cache swaps',
  { timeout: 60_000 },
  async () => {
    const source = await openModelFiles(
      variedModel({ config: { model_type: 'llama', rope_theta: 100 }, heads: [2, 1, 40] }),
    );
    const back = inAttention(() => ({ turnsBack: true }));
    const backwards = new ModelSource('backwards', back(source.spec), source);
    expect(wrong(await check(backwards, { types: { kType: 'int4' } }))).toEqual([]);
  },
);

function inLayers(change: (layer: LayerSpec, i: number) => LayerSpec): (spec: ModelSpec) => ModelSpec {
  return (spec) => ({ ...spec, layers: spec.layers.map(change) });
}

function inAttention(change: (attention: AttentionSpec) => Partial<AttentionSpec>, from = 0) {
  return inLayers((layer, i) =>
    i < from ? layer : { ...layer, attention: { ...layer.attention, ...change(layer.attention) } },
  );
}

/** Faults by what they are, and what they show in first. Gemma 2 has four layers, a window on the even ones. */
const FAULTS: Readonly<Record<string, readonly [first: string, (spec: ModelSpec) => ModelSpec]>> = {
  'the epsilon of a norm in front of attention': [
    'k 1',
    inLayers((layer, i) =>
      i === 1 ? { ...layer, attentionNorm: { ...layer.attentionNorm, eps: 1e-4 } } : layer,
    ),
  ],
  'the epsilon of a norm behind attention': [
    '2',
    inLayers((layer, i) =>
      i === 2 ? { ...layer, afterAttention: { ...layer.afterAttention!, eps: 1e-4 } } : layer,
    ),
  ],
  'the base of turns': ['k 0', inAttention(({ rope }) => ({ rope: { ...rope!, base: 10100 } }))],
  'which head is which': [
    '1',
    inAttention(
      ({ q, headDim }) => ({ q: { ...q, rowOf: (output) => q.rowOf((output + headDim) % q.outputs) } }),
      1,
    ),
  ],
  'KV heads in another order': [
    'k 0',
    inAttention(({ k, headDim }) => ({
      k: { ...k, rowOf: (output) => k.rowOf((output + headDim) % k.outputs) },
    })),
  ],
  'the soft cap of scores': ['0', inAttention(({ softcap }) => ({ softcap: softcap! * 1.01 }))],
  'the soft cap of logits': [
    'logits',
    (spec) => ({ ...spec, head: { ...spec.head, softcap: spec.head.softcap! * 1.001 } }),
  ],
  'the window': ['0', inAttention(({ window }) => (window === undefined ? {} : { window: window + 1 }))],
  'the scale of scores': ['0', inAttention(({ scale }) => ({ scale: scale * 1.001 }))],
  'the scale of the embedding': [
    'embedding',
    (spec) => ({ ...spec, embedding: { ...spec.embedding, scale: spec.embedding.scale * (1 + 1e-5) } }),
  ],
  'the activation': [
    '3',
    inLayers((layer, i) => (i === 3 ? { ...layer, mlp: { ...layer.mlp, activation: 'gelu_erf' } } : layer)),
  ],
  'weights that count from one': [
    'logits',
    (spec) => ({ ...spec, finalNorm: { ...spec.finalNorm, fromOne: false } }),
  ],
};

test('a model that turns by the long factors of LongRoPE where the short ones are meant is wrong', async () => {
  const source = await openModelFiles(
    variedModel({ config: { model_type: 'llama', ...longRope(20) }, heads: [4, 2, 8] }),
  );
  const faulty = (spec: ModelSpec): ModelSpec => ({
    ...spec,
    layers: spec.layers.map((layer) => {
      const { scaling } = layer.attention.rope!;
      const rope = {
        ...layer.attention.rope,
        scaling: { ...scaling, originalContext: 19 } as typeof scaling & object,
      };
      return { ...layer, attention: { ...layer.attention, rope } };
    }),
  });
  expect((await check(source, { faulty })).pass).toBe(false);
});

describe('a fault does not pass', () => {
  test.each(Object.entries(FAULTS))('%s', { timeout: 60_000 }, async (_, [first, faulty]) => {
    const result = await check(await open('gemma2'), { faulty });
    expect(result.pass).toBe(false);
    expect(wrong(result)[0]).toBe(first);
  });

  test('a token that is not the likeliest', { timeout: 60_000 }, async () => {
    const { chosen } = await check(await open('gemma2'));
    const others = chosen.map((token, i) => (i === 2 ? token + 1 : token));
    const result = await check(await open('gemma2'), { chosen: others });
    expect(wrong(result)).toEqual(['token']);
    expect(result.pass).toBe(false);
    expect(result.divergence).toMatchObject({ at: 2, device: others[2], twin: chosen[2], tie: false });
  });

  test('nor KV heads in another order, behind a cache of int4', { timeout: 60_000 }, async () => {
    const [first, faulty] = FAULTS['KV heads in another order']!;
    const result = await check(await open('gemma2'), { faulty, types: { kType: 'int4' } });
    expect(wrong(result)[0]).toBe(first);
  });
});
