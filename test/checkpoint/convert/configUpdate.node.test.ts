// configUpdate.node.test.ts: config.json with other numbers of heads, and every other character as it was.
import { describe, expect, test } from 'vitest';
import { findAttention } from '../../../src/checkpoint/find/findAttention.ts';
import { updateConfig } from '../../../src/checkpoint/convert/configUpdate.ts';
import { planConversion } from '../../../src/checkpoint/convert/plan.ts';
import type { TensorSpec } from '../../../src/checkpoint/format/safetensors.ts';
import { parseConfigJson } from '../../../src/models/configJson.ts';
import { CHECKPOINTS } from '../../support/checkpoints.ts';

/** The text with 2 KV heads, for a model of the family's tensors. */
function updated(text: string, family = 'llama'): string {
  const tensors = new Map(
    CHECKPOINTS[family]!.tensors.map(([name, shape]): [string, TensorSpec] => [
      name,
      { name, shape, dtype: 'F32' },
    ]),
  );
  const attention = findAttention(tensors, parseConfigJson(text, 'config.json'), 'model');
  const options = {
    kvHeads: 2,
    method: 'mean',
    grouping: 'neighbours',
    headMap: 'contiguous',
    renorm: true,
    seed: 0,
  } as const;
  return updateConfig(text, planConversion(attention, tensors, options, 'model'), 'model');
}

const REST = '"model_type": "llama", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2';

describe('config.json', () => {
  test('keeps the form of every number, string and space', () => {
    const text = `{
  "final_logit_softcapping": 30.0, "rms_norm_eps": 1e-06,
  "num_key_value_heads": 4, "note": "a \\"}{,: \\\\", "list": [1.0, {"num_key_value_heads": 7}],
  "head_dim": 8, ${REST}
}
`;
    expect(updated(text)).toBe(text.replace('"num_key_value_heads": 4', '"num_key_value_heads": 2'));
  });

  test('gets what it lacked, on lines of their own where the others are', () => {
    const lines = ['{', ...REST.split(', ').map((line) => `  ${line},`)];
    const without = [...lines.slice(0, -1), lines.at(-1)!.slice(0, -1), '}'].join('\n');
    const added = ['  "num_key_value_heads": 2,', '  "head_dim": 8', '}'];
    expect(updated(without)).toBe([...lines, ...added].join('\n'));
  });

  test('gets what it lacked in one line, a null replaced', () => {
    expect(JSON.parse(updated(`{"head_dim":null,${REST},"rope_theta":1e4}`))).toEqual({
      ...JSON.parse(`{${REST}}`),
      head_dim: 8,
      num_key_value_heads: 2,
      rope_theta: 1e4,
    });
    const gpt2 = '{"n_head": 4, "n_embd": 32, "n_layer": 2, "attn_pdrop": 0.0, "model_type": "gpt2"}';
    const text = updated(gpt2, 'gpt-2');
    expect(JSON.parse(text)).toEqual({ ...JSON.parse(gpt2), num_key_value_heads: 2 });
    expect(text).toContain('"attn_pdrop": 0.0,');
  });

  test('is changed at every place where the number stands', () => {
    const inner = `{${REST}, "head_dim": 8, "num_key_value_heads": 4, "rope_theta": 1e6}`;
    const text = `{"vision_config": {"num_key_value_heads": 4}, "text_config": ${inner}, "num_key_value_heads": 4, "x": 1.0}`;
    const [vision, rest] = text.split(', "text_config"');
    const changed = rest!.replaceAll('"num_key_value_heads": 4', '"num_key_value_heads": 2');
    expect(updated(text)).toBe(`${vision}, "text_config"${changed}`);
    const both = `{${REST}, "head_dim": 8, "num_key_value_heads": 4, "llm_config": ${inner}, "num_key_value_groups": 1}`;
    expect(updated(both)).toBe(
      both
        .replaceAll('"num_key_value_heads": 4', '"num_key_value_heads": 2')
        .replace('groups": 1', 'groups": 2'),
    );
  });

  test.each([
    ['num_kv_heads', 'num_kv_heads'],
    ['n_head_kv', 'n_head_kv'],
    ['multi_query_group_num', 'multi_query_group_num'],
  ])('%s is written where it was read', (name) => {
    const text = `{${REST}, "head_dim": 8, "${name}": 4}`;
    expect(updated(text)).toBe(text.replace(`"${name}": 4`, `"${name}": 2`));
  });

  test('attn_config: kv_n_heads is written where it was read', () => {
    const text = `{${REST}, "head_dim": 8, "attn_config": {"kv_n_heads": 4, "clip_qkv": 8.0}}`;
    expect(updated(text)).toBe(text.replace('"kv_n_heads": 4', '"kv_n_heads": 2'));
  });

  test('a nested config that leaves its count to its class gets one', () => {
    const text = `{"model_type": "llava", "text_config": {${REST}}, "vocab_size": 32000}`;
    expect(updated(text)).toBe(text.replace(`${REST}}`, `${REST}, "num_key_value_heads": 2, "head_dim": 8}`));
  });

  test.each([
    [
      'two numbers of KV heads',
      `{${REST}, "num_key_value_heads": 4, "decoder": {${REST}, "num_key_value_heads": 2}}`,
      'model/config.json: decoder.num_key_value_heads is 2, but the number of KV heads was read as 4: expected 4 here too',
    ],
    [
      'a number beside none',
      `{${REST}, "decoder": {${REST}, "num_key_value_heads": 2}}`,
      'decoder.num_key_value_heads is 2, but the number of KV heads was read as 4',
    ],
    [
      'two numbers of query heads',
      `{${REST}, "decoder": {"num_attention_heads": 8}}`,
      'model/config.json: num_attention_heads (4) and decoder.num_attention_heads (8) contradict each other',
    ],
  ])('%s: refused', (_, text, expected) => {
    expect(() => updated(text)).toThrow(expected);
  });

  test('a number of query heads to a KV head that does not fit is refused', () => {
    const text = `{${REST}, "num_key_value_heads": 4, "num_key_value_groups": 4}`;
    expect(() => updated(text)).toThrow(/num_key_value_groups.*4/);
  });

  test("keeps Python's words and a byte order mark", () => {
    const text = `\uFEFF{\n  "a": Infinity, "b": [NaN, -Infinity], "c": "NaN",\n  ${REST},\n  "d": NaN\n}`;
    expect(updated(text)).toBe(
      text.replace('"d": NaN', '"d": NaN,\n  "num_key_value_heads": 2,\n  "head_dim": 8'),
    );
  });

  test('one that would read as something else is refused', () => {
    // The flag turns the count off, and the projections are not fused, so that it cannot be turned on.
    const text = `{${REST}, "multi_query_attention": false, "multi_query_group_num": 4}`;
    expect(() => updated(text)).toThrow(
      'with 2 KV heads written to it, it reads as numKvHeads 4 where 2 is expected; these fields cannot describe the result',
    );
  });
});
