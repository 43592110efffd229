// exampleFiles.ts: the files that the examples of help texts and of the README name, small.
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors, type TensorData } from '../../src/checkpoint/format/file.ts';
import { result, row, steady } from './benchResult.ts';
import { ggufBytes, SMALL_LLAMA } from './gguf.ts';
import {
  CHECKPOINTS,
  HEAD_DIM,
  HIDDEN,
  LAYERS,
  noise,
  writeCheckpoint,
  type CheckpointSpec,
} from './checkpoints.ts';

const HEADS = 32;
const T5 = fileURLToPath(new URL('../checkpoint/model/families/t5_v10', import.meta.url));

/** Writes them into the working directory. */
export async function writeExampleFiles(): Promise<void> {
  for (const name of [
    'base',
    'new',
    'node',
    'chrome',
    'laptop',
    'desktop',
    'monday',
    'tuesday',
    'wednesday',
  ]) {
    const text = JSON.stringify(result([row(32, 512, steady(200)), row(8, 512, steady(100))]));
    await writeFile(`${name}.json`, text);
  }
  const model = manyHeads();
  await writeFile('config.json', JSON.stringify(model.config));
  await writeSafetensors(
    'in.safetensors',
    ['q', 'k', 'v'].map((name) => tensor(name, [1, 1, 1, 64])),
  );
  await writeSafetensors('onnx.safetensors', [
    tensor('q', [1, 2, 3, 8]),
    ...['k', 'v', 'past_key', 'past_value'].map((name) => tensor(name, [1, 1, 3, 8])),
    tensor('attn_mask', [3, 6]),
  ]);
  await writeSafetensors(
    'hidden.safetensors',
    Array.from({ length: LAYERS }, (_, n) => tensor(`model.layers.${n}.self_attn`, [48, HIDDEN])),
  );
  for (const name of ['llama', 'llama-2-7b']) await writeCheckpoint(name, model);
  await writeCheckpoint('big', model, { shards: 8 });
  await writeCheckpoint('model', underOtherNames(model));
  await writeWholeModel('smollm');
  await writeFile('smollm2-135m.gguf', ggufBytes(SMALL_LLAMA));
  await writeFile('book.txt', 'Once upon a time there was a small model that read a small book. '.repeat(12));
  await cp(T5, 't5', { recursive: true });
  await writeFile(join('t5', 'tokenizer.json'), JSON.stringify(TOKENIZER));
  await writeFile('articles.txt', 'a book that was read\na small model\n');
  await writeFile('summaries.txt', 'a book\na model\n');
  await writeFile('ids.json', JSON.stringify([1, 403, 407, 3, 5, 8]));
}

/** Writes a model that can be decoded, with a tokenizer; `shards` are the files of its weights. */
export async function writeWholeModel(folder: string, shards = 1): Promise<void> {
  await writeCheckpoint(folder, wholeModel(), { shards });
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(TOKENIZER));
}

function tensor(name: string, shape: readonly number[]): TensorData {
  return { name, dtype: 'F32', shape, data: Float32Array.from(noise(name, shape)) };
}

/** Llama with as many heads as the examples speak of. */
function manyHeads(): CheckpointSpec {
  const { config, tensors } = CHECKPOINTS['llama']!;
  const inner = HEADS * HEAD_DIM;
  return {
    config: { ...config, num_attention_heads: HEADS, num_key_value_heads: HEADS, head_dim: HEAD_DIM },
    tensors: tensors.map(([name, shape]) => {
      if (/self_attn\.[qkv]_proj/.test(name)) return [name, [inner, HIDDEN]] as const;
      return [name, /self_attn\.o_proj/.test(name) ? [HIDDEN, inner] : shape] as const;
    }),
  };
}

/** A model that can be decoded: one layer of eight heads, and a vocabulary that the examples' tokens are in. */
function wholeModel(): CheckpointSpec {
  const at = 'model.layers.0';
  const config = {
    model_type: 'llama',
    hidden_size: 64,
    intermediate_size: 40,
    num_attention_heads: 8,
    num_hidden_layers: 1,
    num_key_value_heads: 8,
    vocab_size: 512,
    tie_word_embeddings: true,
    torch_dtype: 'float32',
  };
  return {
    config,
    tensors: [
      ['model.embed_tokens.weight', [512, 64]],
      [`${at}.input_layernorm.weight`, [64]],
      ...['q', 'k', 'v', 'o'].map((name) => [`${at}.self_attn.${name}_proj.weight`, [64, 64]] as const),
      [`${at}.post_attention_layernorm.weight`, [64]],
      [`${at}.mlp.gate_proj.weight`, [40, 64]],
      [`${at}.mlp.up_proj.weight`, [40, 64]],
      [`${at}.mlp.down_proj.weight`, [64, 40]],
      ['model.norm.weight', [64]],
    ],
  };
}

/** A letter for each token of the vocabulary: those that the examples' texts have first, then what Unicode has from U+0100 on. */
const LETTERS = [
  ...'?. abcdefghijklmnopqrstuvwxyzO'.split(''),
  ...Array.from({ length: 512 }, (_, id) => String.fromCodePoint(0x100 + id)),
].slice(0, 512);

/** A tokenizer whose tokens are letters. */
const TOKENIZER = {
  version: '1.0',
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: { type: 'Fuse' },
  model: {
    type: 'BPE',
    unk_token: '?',
    vocab: Object.fromEntries(LETTERS.map((letter, id) => [letter, id])),
    merges: [],
  },
};

function underOtherNames({ config, tensors }: CheckpointSpec): CheckpointSpec {
  const renamed = (name: string) =>
    name.replace(/model\.layers\.(\d+)\.self_attn\.(\w)_proj/, 'layers.$1.attn.w$2');
  return { config, tensors: tensors.map(([name, shape]) => [renamed(name), shape] as const) };
}
