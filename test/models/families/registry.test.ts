// registry.test.ts: each model type has one family, and both readers, of config.json and of tensors, go by what it says.
import { describe, expect, test } from 'vitest';
import { attentionRule } from '../../../src/checkpoint/find/attentionRule.ts';
import { headFields } from '../../../src/checkpoint/find/configHeads.ts';
import { findAttention } from '../../../src/checkpoint/find/findAttention.ts';
import type { TensorSpec } from '../../../src/checkpoint/format/safetensors.ts';
import { shapeFromConfig } from '../../../src/models/config.ts';
import { isOf, tableName, type CheckpointFormat } from '../../../src/models/families/family.ts';
import type { PartSpec } from '../../../src/models/families/moduleSpec.ts';
import { FAMILIES, FORMATS, typeOf } from '../../../src/models/families/index.ts';
import { slotsOf } from '../../../src/models/families/headSlots.ts';

const TYPES = FAMILIES.flatMap((family) =>
  Object.entries(family.types).map(([type, rules]) => ({ type, rules, family })),
);
const texts = import.meta.glob<string>(
  ['../../../src/{models,checkpoint}/**/*.ts', '../../../cli/{convert,kv}/**/*.ts'],
  { query: '?raw', import: 'default', eager: true },
);

describe('the list of families', () => {
  test('has each model type, each family and each file once', () => {
    const repeated = (names: readonly string[]) => names.filter((name, i) => names.indexOf(name) !== i);
    expect(TYPES.length).toBeGreaterThan(150);
    expect(repeated(TYPES.map(({ type }) => type))).toEqual([]);
    expect(repeated(FAMILIES.map(({ name }) => name))).toEqual([]);
  });

  test('has every file that is a family', () => {
    const list = texts['../../../src/models/families/index.ts']!;
    const files = Object.entries(texts).filter(
      ([path, text]) => !path.endsWith('/index.ts') && /^export const \w+: (readonly )?Family\b/m.test(text),
    );
    expect(files.length).toBeGreaterThan(30);
    for (const [path] of files) expect(list).toContain(`from './${path.replace(/^.*\//, '')}'`);
  });

  test.each(TYPES)('$type stands under the name by which it is looked up', ({ type }) => {
    expect(tableName(type)).toBe(type);
    expect(typeOf({ model_type: type })).toBe(type);
    expect(typeOf({ model_type: `${type}_text` })).toBe(type);
  });

  test('is asked for facts: nobody else names a type or a format', () => {
    const names = new Set([...TYPES.map(({ type }) => type), ...FORMATS.map(({ name }) => name)]);
    const others = Object.entries(texts).filter(
      ([path]) => !/models\/(families\/|presets\.ts|presetConfigs\.ts)/.test(path),
    );
    expect(others.length).toBeGreaterThan(50);
    const named = others.flatMap(([path, text]) =>
      [...text.matchAll(/'([^'\n]+)'/g)]
        .filter(([, word]) => names.has(word!))
        .map(([word]) => `${path}: ${word}`),
    );
    expect(named).toEqual([]);
  });
});

describe('gqa kv', () => {
  const counted = TYPES.filter(
    ({ rules }) =>
      rules.attendingField === undefined &&
      Object.keys(rules.defaults ?? {}).some((name) => /^num_(key_value_heads|attention_groups)$/.test(name)),
  );

  test.each(counted)('$type: the number of KV heads that its family says', ({ type, rules }) => {
    const heads = rules.defaults!['num_key_value_heads'] ?? rules.defaults!['num_attention_groups'];
    const sizes = { hidden_size: 1280, num_attention_heads: 160, num_hidden_layers: 8, head_dim: 8 };
    // Llama 3.2 Vision's layers of images are refused.
    const config = { model_type: type, ...sizes, cross_attention_layers: 0 };
    expect(shapeFromConfig(config, 'c').numKvHeads).toBe(heads);
  });

  test.each(TYPES.filter(({ rules }) => rules.withoutCache !== undefined))('$type: no cache', ({ type }) => {
    const sizes = { hidden_size: 64, num_attention_heads: 8, num_key_value_heads: 8, num_hidden_layers: 2 };
    expect(() => shapeFromConfig({ model_type: type, ...sizes }, 'c')).toThrow(
      /no attention|latent attention|an encoder/,
    );
  });
});

const HEADS = 4;
const DIM = 8;
const HIDDEN = HEADS * DIM;

/** A layer's tensors, as a format describes them. */
function tensorsOf({ modules }: CheckpointFormat): Map<string, TensorSpec> {
  const parts = modules.flatMap((module) => module.parts.filter(({ optional }) => !optional));
  return new Map(
    parts.map((part) => {
      const name = part.name.replace('{layer}', '0');
      return [name, { name, dtype: 'F32', shape: shapeOf(part), begin: 0, end: 0 }];
    }),
  );
}

function shapeOf({ order, axis }: PartSpec): number[] {
  const along = slotsOf(order, { numQHeads: HEADS, numKvHeads: HEADS }).length * DIM;
  return axis === 0 ? [along, HIDDEN] : [HIDDEN, along];
}

/** A config.json of a type, and of the format where one type has several. */
function configOf(type: string, format: CheckpointFormat): Record<string, unknown> {
  const sizes = { hidden_size: HIDDEN, num_attention_heads: HEADS, num_hidden_layers: 1, head_dim: DIM };
  const config = { model_type: type, ...sizes, num_key_value_heads: HEADS };
  return format.when(config) ? config : { ...config, multi_query_attention: true };
}

const CONVERTED = FAMILIES.flatMap((family) =>
  family.formats.flatMap((format) =>
    format.modelTypes.map((type) => ({ type, name: format.name, format, family })),
  ),
);

describe('gqa convert', () => {
  test.each(CONVERTED)('$type: the $name format of its own family', ({ type, format, family }) => {
    expect(Object.keys(family.types)).toContain(type);
    const config = configOf(type, format);
    const attention = findAttention(tensorsOf(format), config, 'c');
    expect(family.formats).toContain(attention.format);
    expect(attention.format.name).toBe(format.name);
    expect(attention.positions === undefined).toBe(format.pairing === undefined);
    expect(attention.shape.numKvHeads).toBe(shapeFromConfig(config, 'c').numKvHeads);
    const rule = attentionRule(attention, attention.modules[0]!);
    expect(rule.scale).toBe(format.scale(config, DIM));
    expect([rule.theta, rule.normsCountFromOne]).toEqual([format.usualTheta, format.normsCountFromOne]);
  });

  test.each(CONVERTED)('$type: a nested config calls it $type with "_text" as well', ({ type, format }) => {
    const config = { text_config: configOf(`${type}_text`, format) };
    const attention = findAttention(tensorsOf(format), config, 'c');
    expect(attention.format).toBe(findAttention(tensorsOf(format), configOf(type, format), 'c').format);
    expect(attention.positions === undefined).toBe(format.pairing === undefined);
  });

  test.each(CONVERTED)('$type: writes KV heads where kv reads them', ({ type, format }) => {
    const { num_key_value_heads: _, ...rest } = configOf(type, format);
    const config = { ...rest, multi_query: false, [format.kvHeadsField]: 2 };
    expect(shapeFromConfig(config, 'c').numKvHeads).toBe(2);
    const fields = headFields(config, [], { numQHeads: HEADS, numKvHeads: 2 }, 'c');
    expect(fields.map(({ path }) => path.join('.'))).toContain(format.kvHeadsField);
  });

  test('takes files that write no model type for the family that kv takes them for', () => {
    const config = { n_layer: 1, n_head: HEADS, n_embd: HIDDEN };
    const found = [
      { ...config, block_size: 8 },
      { ...config, sequence_len: 8, n_kv_head: HEADS },
    ].map((file) => {
      const formats = FORMATS.filter((format) => isOf(format, file));
      expect(formats).toHaveLength(1);
      const family = FAMILIES.find(({ types }) => typeOf(file) in types)!;
      expect(family.formats).toContain(formats[0]);
      return family.name;
    });
    expect(found).toEqual(['nanogpt', 'nanochat']);
  });

  test("rotates nanochat's heads by its own base, and scales q and k by 1.2 each", () => {
    const native = FORMATS.find(({ name }) => name === 'nanochat')!;
    const config = { n_layer: 1, n_head: HEADS, n_embd: HIDDEN, n_kv_head: HEADS, sequence_len: 8 };
    const attention = findAttention(tensorsOf(native), config, 'c');
    expect(attention.format).toBe(native);
    const { theta, scale } = attentionRule(attention, attention.modules[0]!);
    expect(theta).toBe(100_000);
    expect(scale).toBeCloseTo((1.2 * 1.2) / Math.sqrt(DIM), 12);
  });

  test('follows a field that only one type has', () => {
    const config = { model_type: 'step3', num_attention_heads: 8, num_attention_groups: 2 };
    const counts = { numQHeads: 8, numKvHeads: 2 };
    const found = (type: string) => headFields({ ...config, model_type: type }, [], counts, 'c');
    expect(found('step3').map(({ path }) => path)).toEqual([['num_attention_groups']]);
    expect(found('novel')).toEqual([]);
  });

  test('leaves a number alone that a flag turns off', () => {
    for (const off of [
      { multi_query_attention: false, multi_query_group_num: 1 },
      { group_query_attention: false, num_query_groups: 1 },
    ]) {
      const config = { model_type: 'novel', num_attention_heads: 8, num_key_value_heads: 4, ...off };
      const sizes = { hidden_size: 64, num_hidden_layers: 1 };
      expect(shapeFromConfig({ ...config, ...sizes }, 'c').numKvHeads).toBe(4);
      expect(() => headFields(config, [], { numQHeads: 8, numKvHeads: 4 }, 'c')).not.toThrow();
    }
  });
});
