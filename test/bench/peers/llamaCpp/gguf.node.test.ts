// gguf.node.test.ts: the model as a GGUF file, read by Hugging Face's parser: names, sizes, and where llama.cpp finds which values.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GGMLQuantizationType, gguf } from '@huggingface/gguf';
import { expect, test } from 'vitest';
import { ggufLlama } from '../../../../bench/peers/llamaCpp/gguf.ts';
import { fromElements, type PeerType } from '../../../../bench/peers/inputs.ts';
import { makeLlama, tensorOf } from '../../../../bench/peers/whole/llama.ts';
import { f16Values } from '../../../../src/numbers/halves.ts';

const SIZES = { layers: 2, heads: 4, kvHeads: 2, headDim: 8, mlp: 16, vocab: 300 } as const;

async function written(type: PeerType) {
  const model = await makeLlama({ ...SIZES, type }, 1);
  const bytes = Buffer.concat(ggufLlama(model, 64));
  const folder = await mkdtemp(join(tmpdir(), 'gqa-gguf-'));
  try {
    const path = join(folder, 'model.gguf');
    await writeFile(path, bytes);
    const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
    const valuesOf = (name: string) => {
      const { shape, offset, dtype } = tensorInfos.find((each) => each.name === name)!;
      const count = shape.reduce((a, b) => a * Number(b), 1);
      const from = Number(tensorDataOffset) + Number(offset);
      expect(from % 32).toBe(0);
      const data = bytes.buffer.slice(bytes.byteOffset + from, bytes.byteOffset + bytes.length);
      return dtype === GGMLQuantizationType.F32
        ? new Float32Array(data, 0, count)
        : f16Values(new Uint16Array(data, 0, count));
    };
    return { model, bytes, metadata, tensorInfos, valuesOf };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('sizes, names and shapes, the innermost dimension first', async () => {
  const { metadata, tensorInfos } = await written('f16');
  expect(metadata).toMatchObject({
    'general.architecture': 'llama',
    'llama.block_count': 2,
    'llama.context_length': 64,
    'llama.embedding_length': 32,
    'llama.feed_forward_length': 16,
    'llama.attention.head_count': 4,
    'llama.attention.head_count_kv': 2,
    'llama.rope.dimension_count': 8,
    'llama.rope.freq_base': 10000,
  });
  const { 'tokenizer.ggml.tokens': tokens } = { ...metadata } as Record<string, unknown> & {
    'tokenizer.ggml.tokens': string[];
  };
  expect(tokens).toHaveLength(300);
  expect([tokens[10], tokens[255], tokens[256]]).toEqual(['<0x0A>', '<0xFF>', '[256]']);
  expect(tensorInfos).toHaveLength(3 + 2 * 9);
  const shapes = Object.fromEntries(tensorInfos.map(({ name, shape }) => [name, shape.map(Number)]));
  expect(shapes).toMatchObject({
    'token_embd.weight': [32, 300],
    'blk.1.attn_k.weight': [32, 16],
    'blk.1.ffn_down.weight': [16, 32],
    'output_norm.weight': [32],
  });
});

test.each(['f32', 'f16'] as const)('values of %s: as they are, norms in f32', async (type) => {
  const { model, valuesOf, tensorInfos } = await written(type);
  const pairs = [
    ['token_embd', 'embed_tokens'],
    ['blk.1.attn_v', 'layers.1.self_attn.v_proj'],
    ['blk.0.ffn_gate', 'layers.0.mlp.gate_proj'],
    ['blk.1.ffn_norm', 'layers.1.post_attention_layernorm'],
    ['output', 'lm_head'],
  ];
  for (const [theirs, ours] of pairs) {
    const { data } = tensorOf(model, `${ours}.weight`);
    expect(valuesOf(`${theirs}.weight`), theirs).toEqual(fromElements(data));
  }
  const types = tensorInfos.map(({ name, dtype }) => [name.includes('norm'), dtype]);
  for (const [norm, dtype] of types) expect(dtype).toBe(norm || type === 'f32' ? 0 : 1);
});

test('rows of Q and K that are turned together lie together, head by head', async () => {
  const { model, valuesOf } = await written('f32');
  const row = (values: Float32Array, at: number) => values.slice(at * 32, at * 32 + 32);
  for (const [theirs, ours] of [
    ['attn_q', 'q_proj'],
    ['attn_k', 'k_proj'],
  ]) {
    const there = valuesOf(`blk.0.${theirs}.weight`);
    const here = fromElements(tensorOf(model, `layers.0.self_attn.${ours}.weight`).data);
    const order = [0, 4, 1, 5, 2, 6, 3, 7];
    for (const [at, from] of [...order, ...order.map((each) => each + 8)].entries())
      expect(row(there, at), `${theirs} ${at}`).toEqual(row(here, from));
  }
});
