// tensorsOf.node.test.ts: the tensors that a config is said to have, against those that real checkpoints of it have.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../../../src/checkpoint/convert/disk/modelFolder.ts';
import { tensorsOf } from '../../../src/checkpoint/model/tensorsOf.ts';
import { PRESETS } from '../../../src/models/presets.ts';
import { configOf } from '../../../src/models/presetConfigs.ts';
import { shapeFromConfig } from '../../../src/models/config.ts';
import { describeModel } from '../../../src/checkpoint/model/describeModel.ts';

const FAMILIES = new URL('families/', import.meta.url);

/** What stands in front of the names of some checkpoints, and tensors that are no weights. */
const PREFIX = /^(model|transformer|gpt_neox)\./;
/** Copies of the embedding, and a table that nothing reads. */
const COPY = /^((en|de)coder\.embed_tokens|.*\.EncDecAttention\.relative_attention_bias)\.weight$/;
const BUFFER = /(inv_freq|\b(attn|attention)\.bias|masked_bias)$/;

describe('tensorsOf', () => {
  it.each(readdirSync(FAMILIES))('%s: names and shapes of the checkpoint', async (family) => {
    const folder = await openModelFolder(new URL(family, FAMILIES).pathname);
    const config: unknown = JSON.parse(readFileSync(new URL(`${family}/config.json`, FAMILIES), 'utf8'));
    const got = [...tensorsOf(config, 'F32', family).values()].map(({ name, shape }) => [name, shape]);
    const expected = [...folder.tensors.values()]
      .map(({ name, shape }) => [name.replace(PREFIX, ''), shape] as const)
      .filter(([name]) => !BUFFER.test(name) && !COPY.test(name));
    const sorted = (list: readonly (readonly unknown[])[]) =>
      list.map((each) => JSON.stringify(each)).toSorted();
    expect(sorted(got)).toEqual(sorted(expected));
  });
});

describe('a config that leaves a size out', () => {
  const llama = { model_type: 'llama', hidden_size: 16, num_attention_heads: 2, num_hidden_layers: 1 };

  it('is refused by the name of the field', () => {
    expect(() => tensorsOf({ ...llama, vocab_size: 8 }, 'F16', 'm')).toThrow(
      'expected intermediate_size or n_inner or d_ff, got none',
    );
    expect(() => tensorsOf({ ...llama, intermediate_size: 8 }, 'F16', 'm')).toThrow(
      'expected vocab_size, got none',
    );
  });

  it('has what the class has where that is known: four times the hidden size in GPT-2', () => {
    const gpt2 = { model_type: 'gpt2', n_embd: 16, n_head: 2, n_layer: 1, n_positions: 4, vocab_size: 8 };
    expect(tensorsOf(gpt2, 'F16', 'm').get('h.0.mlp.c_fc.weight')!.shape).toEqual([16, 64]);
  });
});

describe('configOf', () => {
  it.each(PRESETS.map(({ name }) => name))('%s: its shape is the preset, and it is a model', (name) => {
    const preset = PRESETS.find((each) => each.name === name)!;
    const config = configOf(name);
    if (config === undefined) return;
    const { layers, hiddenSize, numQHeads, numKvHeads, headDim, kvLayers } = shapeFromConfig(config, name);
    expect({ layers, hiddenSize, numQHeads, numKvHeads, headDim, kvLayers }).toEqual({
      layers: preset.layers,
      hiddenSize: preset.hiddenSize,
      numQHeads: preset.numQHeads,
      numKvHeads: preset.numKvHeads,
      headDim: preset.headDim,
      kvLayers: preset.kvLayers,
    });
    const spec = describeModel(tensorsOf(config, 'F16', name), config, name);
    expect(spec.layers).toHaveLength(preset.layers);
  });

  it.each([
    // Parameters as the models' makers count them.
    ['llama-2-7b', 6_738_415_616],
    ['llama-3.1-8b', 8_030_261_248],
    ['llama-3.2-1b', 1_235_814_400],
    ['mistral-7b-v0.1', 7_241_732_096],
    ['gemma-2-2b', 2_614_341_888],
    ['qwen2.5-0.5b', 494_032_768],
    ['qwen3-0.6b', 596_049_920],
    ['phi-3-mini-4k', 3_821_079_552],
    ['gpt-2', 124_439_808],
    ['pythia-160m', 162_322_944],
    ['smollm2-135m', 134_515_008],
    ['t5-v1.1-large', 783_150_080],
  ])('%s has %i parameters', (name, parameters) => {
    const all = [...tensorsOf(configOf(name), 'F16', name).values()];
    expect(all.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(parameters);
  });
});
