// configUpdate.node.test.ts: config.json with other numbers of heads, and every other character as it was.
import { describe, expect, test } from 'vitest';
import { findAttention } from '../../src/checkpoint/attention.ts';
import { updateConfig } from '../../src/checkpoint/configUpdate.ts';
import { planConversion } from '../../src/checkpoint/plan.ts';
import type { TensorSpec } from '../../src/checkpoint/safetensors.ts';
import { CHECKPOINTS } from '../support/checkpoints.ts';

/** The text with 2 KV heads, for a model of the family's tensors. */
function updated(text: string, family = 'llama'): string {
  const tensors = new Map(
    CHECKPOINTS[family]!.tensors.map(([name, shape]): [string, TensorSpec] => [
      name,
      { name, shape, dtype: 'F32' },
    ]),
  );
  const attention = findAttention(tensors, JSON.parse(text), 'model');
  const options = {
    kvHeads: 2,
    method: 'mean',
    grouping: 'neighbours',
    headMap: 'contiguous',
    renorm: true,
    seed: 0,
  } as const;
  return updateConfig(text, planConversion(attention, tensors, options, 'model'));
}

const REST = '"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2';

describe('config.json', () => {
  test('keeps the form of every number, string and space', () => {
    const text = `{
  "final_logit_softcapping": 30.0, "rms_norm_eps": 1e-06,
  "num_key_value_heads": 4, "note": "a \\"}{,: \\\\", "list": [1.0, {"num_key_value_heads": 7}],
  "model_type": "llama", "head_dim": 8, ${REST}
}
`;
    expect(updated(text)).toBe(text.replace('"num_key_value_heads": 4', '"num_key_value_heads": 2'));
  });

  test('gets what it lacked, on lines of their own where the others are', () => {
    const lines = ['{', '  "model_type": "llama",', ...REST.split(', ').map((line) => `  ${line},`)];
    const without = [...lines.slice(0, -1), lines.at(-1)!.slice(0, -1), '}'].join('\n');
    const added = ['  "num_key_value_heads": 2,', '  "head_dim": 8', '}'];
    expect(updated(without)).toBe([...lines, ...added].join('\n'));
  });

  test('gets what it lacked in one line, a null replaced', () => {
    expect(JSON.parse(updated(`{"model_type":"llama","head_dim":null,${REST},"rope_theta":1e4}`))).toEqual({
      ...JSON.parse(`{${REST}}`),
      model_type: 'llama',
      head_dim: 8,
      num_key_value_heads: 2,
      rope_theta: 1e4,
    });
    const gpt2 = '{"n_head": 4, "n_embd": 32, "n_layer": 2, "attn_pdrop": 0.0, "model_type": "gpt2"}';
    const text = updated(gpt2, 'gpt-2');
    expect(JSON.parse(text)).toEqual({ ...JSON.parse(gpt2), num_key_value_heads: 2 });
    expect(text).toContain('"attn_pdrop": 0.0,');
  });

  test('is changed inside text_config where the text model is there', () => {
    const inner = `{${REST}, "head_dim": 8, "num_key_value_heads": 4, "rope_theta": 1e6}`;
    const text = `{"vision": {"num_key_value_heads": 4}, "text_config": ${inner}, "num_key_value_heads": 4, "x": 1.0}`;
    const changed = inner.replace('"num_key_value_heads": 4', '"num_key_value_heads": 2');
    expect(updated(text)).toBe(text.replace(inner, changed));
  });
});
