// checkpoints.ts: tiny checkpoints in the true format of each family: its tensor names, shapes and config.json.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../src/checkpoint/format/file.ts';
import { f16Bits } from '../../src/numbers/halves.ts';

/** Names and shapes of a checkpoint, and its config.json. */
export interface CheckpointSpec {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: readonly (readonly [name: string, shape: readonly number[]])[];
}

export const HEADS = 4;
export const HEAD_DIM = 8;
export const HIDDEN = 32;
export const LAYERS = 2;
const VOCAB = 16;
const FFN = 40;
const INNER = HEADS * HEAD_DIM;

const LLAMA_CONFIG = {
  hidden_size: HIDDEN,
  intermediate_size: FFN,
  num_attention_heads: HEADS,
  num_hidden_layers: LAYERS,
  num_key_value_heads: HEADS,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  torch_dtype: 'float32',
  vocab_size: VOCAB,
};

const layers = Array.from({ length: LAYERS }, (_, n) => n);

type Tensors = [string, number[]][];

function llamaLayer(n: number, extra: readonly (readonly [string, number[]])[] = []): Tensors {
  const at = `model.layers.${n}`;
  return [
    [`${at}.input_layernorm.weight`, [HIDDEN]],
    ...['q', 'k', 'v'].map((x): [string, number[]] => [`${at}.self_attn.${x}_proj.weight`, [INNER, HIDDEN]]),
    [`${at}.self_attn.o_proj.weight`, [HIDDEN, INNER]],
    ...extra.map(([name, shape]): [string, number[]] => [`${at}.self_attn.${name}`, shape]),
    [`${at}.mlp.gate_proj.weight`, [FFN, HIDDEN]],
    [`${at}.mlp.down_proj.weight`, [HIDDEN, FFN]],
  ];
}

function llama(
  modelType: string,
  extra: readonly (readonly [string, number[]])[] = [],
  config = {},
): CheckpointSpec {
  return {
    config: { model_type: modelType, ...LLAMA_CONFIG, ...config },
    tensors: [
      ['model.embed_tokens.weight', [VOCAB, HIDDEN]],
      ...layers.flatMap((n) => llamaLayer(n, extra)),
      ['model.norm.weight', [HIDDEN]],
      ['lm_head.weight', [VOCAB, HIDDEN]],
    ],
  };
}

const BIASES: Tensors = ['q', 'k', 'v'].map((x) => [`${x}_proj.bias`, [INNER]]);
const NORMS: Tensors = ['q', 'k'].map((x) => [`${x}_norm.weight`, [HEAD_DIM]]);

function phi3(): CheckpointSpec {
  const { config, tensors } = llama('phi3', [['qkv_proj.weight', [3 * INNER, HIDDEN]]]);
  return {
    config,
    tensors: tensors.filter(([name]) => !/[qkv]_proj\.weight$/.test(name) || name.includes('qkv')),
  };
}

function neox(): CheckpointSpec {
  const layer = (n: number): Tensors => [
    [`gpt_neox.layers.${n}.attention.query_key_value.weight`, [3 * INNER, HIDDEN]],
    [`gpt_neox.layers.${n}.attention.query_key_value.bias`, [3 * INNER]],
    [`gpt_neox.layers.${n}.attention.dense.weight`, [HIDDEN, INNER]],
    [`gpt_neox.layers.${n}.attention.dense.bias`, [HIDDEN]],
    [`gpt_neox.layers.${n}.attention.rotary_emb.inv_freq`, [2]],
    [`gpt_neox.layers.${n}.mlp.dense_h_to_4h.weight`, [FFN, HIDDEN]],
  ];
  return {
    config: {
      model_type: 'gpt_neox',
      hidden_size: HIDDEN,
      num_attention_heads: HEADS,
      num_hidden_layers: LAYERS,
      rotary_pct: 0.5,
      rotary_emb_base: 10_000,
      vocab_size: VOCAB,
    },
    tensors: [['gpt_neox.embed_in.weight', [VOCAB, HIDDEN]], ...layers.flatMap(layer)],
  };
}

const GPT2_CONFIG = { n_embd: HIDDEN, n_head: HEADS, n_layer: LAYERS, vocab_size: VOCAB };

function gpt2(): CheckpointSpec {
  const layer = (n: number): Tensors => [
    [`h.${n}.ln_1.weight`, [HIDDEN]],
    [`h.${n}.attn.bias`, [1, 1, 4, 4]],
    [`h.${n}.attn.c_attn.weight`, [HIDDEN, 3 * INNER]],
    [`h.${n}.attn.c_attn.bias`, [3 * INNER]],
    [`h.${n}.attn.c_proj.weight`, [INNER, HIDDEN]],
    [`h.${n}.attn.c_proj.bias`, [HIDDEN]],
    [`h.${n}.mlp.c_fc.weight`, [HIDDEN, FFN]],
  ];
  return {
    config: { model_type: 'gpt2', ...GPT2_CONFIG },
    tensors: [['wte.weight', [VOCAB, HIDDEN]], ['wpe.weight', [8, HIDDEN]], ...layers.flatMap(layer)],
  };
}

function nanogpt(): CheckpointSpec {
  const layer = (n: number): Tensors => [
    [`transformer.h.${n}.attn.c_attn.weight`, [3 * INNER, HIDDEN]],
    [`transformer.h.${n}.attn.c_proj.weight`, [HIDDEN, INNER]],
    [`transformer.h.${n}.mlp.c_fc.weight`, [FFN, HIDDEN]],
  ];
  return {
    config: { ...GPT2_CONFIG, block_size: 8, bias: false },
    tensors: [['transformer.wte.weight', [VOCAB, HIDDEN]], ...layers.flatMap(layer)],
  };
}

function nanochat(): CheckpointSpec {
  const layer = (n: number): Tensors => [
    ...['q', 'k', 'v'].map((x): [string, number[]] => [
      `transformer.h.${n}.attn.c_${x}.weight`,
      [INNER, HIDDEN],
    ]),
    [`transformer.h.${n}.attn.c_proj.weight`, [HIDDEN, INNER]],
    [`transformer.h.${n}.mlp.c_fc.weight`, [FFN, HIDDEN]],
  ];
  return {
    config: { ...GPT2_CONFIG, n_kv_head: HEADS, sequence_len: 8, window_pattern: 'L' },
    tensors: [
      ['transformer.wte.weight', [VOCAB, HIDDEN]],
      ...layers.flatMap(layer),
      // Only every other layer has them, the last one always.
      ['transformer.h.1.attn.ve_gate.weight', [HEADS, 12]],
      ['value_embeds.1.weight', [VOCAB, INNER]],
      ['resid_lambdas', [LAYERS]],
      ['lm_head.weight', [VOCAB, HIDDEN]],
    ],
  };
}

/** Names of a fused projection and of the output projection; `{n}` is the layer. */
type FusedNames = readonly [qkv: string, o: string];

/** Layers with one projection of everything, weights [out, in]. */
function fusedModel(config: CheckpointSpec['config'], [qkv, o]: FusedNames, biases: boolean): CheckpointSpec {
  const layer = (n: number): Tensors => {
    const at = (name: string) => name.replace('{n}', String(n));
    return [
      [`${at(qkv)}.weight`, [3 * INNER, HIDDEN]],
      ...(biases ? ([[`${at(qkv)}.bias`, [3 * INNER]]] as Tensors) : []),
      [`${at(o)}.weight`, [HIDDEN, INNER]],
      ...(biases ? ([[`${at(o)}.bias`, [HIDDEN]]] as Tensors) : []),
      [`norms.${n}.weight`, [HIDDEN]],
    ];
  };
  return {
    config: { vocab_size: VOCAB, ...config },
    tensors: [['wte.weight', [VOCAB, HIDDEN]], ...layers.flatMap(layer), ['norm.weight', [HIDDEN]]],
  };
}

const SIZES = { hidden_size: HIDDEN, num_attention_heads: HEADS };
const DEEP = { ...SIZES, num_hidden_layers: LAYERS };
const GPT2_NAMES: FusedNames = ['transformer.h.{n}.attn.c_attn', 'transformer.h.{n}.attn.c_proj'];
const GLM_NAMES: FusedNames = [
  'transformer.layers.{n}.attention.query_key_value',
  'transformer.layers.{n}.attention.dense',
];
const BLOOM_NAMES: FusedNames = [
  'transformer.h.{n}.self_attention.query_key_value',
  'transformer.h.{n}.self_attention.dense',
];

/** Fused projections under the names of others, or whose positions are not known: their order is what matters. */
export const FUSED: Readonly<Record<string, CheckpointSpec>> = {
  'gpt-bigcode': fusedModel(
    { model_type: 'gpt_bigcode', ...GPT2_CONFIG, multi_query: false },
    GPT2_NAMES,
    true,
  ),
  qwen: fusedModel({ model_type: 'qwen', ...DEEP, kv_channels: HEAD_DIM }, GPT2_NAMES, true),
  'glm-2021': fusedModel({ model_type: 'glm', ...SIZES, num_layers: LAYERS }, GLM_NAMES, true),
  'chatglm-6b': fusedModel({ model_type: 'chatglm', ...SIZES, num_layers: LAYERS }, GLM_NAMES, true),
  chatglm: fusedModel(
    {
      model_type: 'chatglm',
      ...SIZES,
      num_layers: LAYERS,
      kv_channels: HEAD_DIM,
      multi_query_attention: true,
      multi_query_group_num: HEADS,
    },
    [
      'transformer.encoder.layers.{n}.self_attention.query_key_value',
      'transformer.encoder.layers.{n}.self_attention.dense',
    ],
    true,
  ),
  falcon: fusedModel(
    { model_type: 'falcon', ...DEEP, new_decoder_architecture: true, multi_query: true, num_kv_heads: HEADS },
    BLOOM_NAMES,
    false,
  ),
  bloom: fusedModel({ model_type: 'bloom', ...DEEP }, BLOOM_NAMES, true),
  internlm2: fusedModel(
    { model_type: 'internlm2', ...DEEP, num_key_value_heads: HEADS },
    ['model.layers.{n}.attention.wqkv', 'model.layers.{n}.attention.wo'],
    false,
  ),
  baichuan: fusedModel(
    { model_type: 'baichuan', ...DEEP },
    ['model.layers.{n}.self_attn.W_pack', 'model.layers.{n}.self_attn.o_proj'],
    false,
  ),
};

/** The width of T5's residual stream is not heads * head_dim here. */
export const T5_HIDDEN = 24;

function t5(): CheckpointSpec {
  const attention = (at: string): Tensors => [
    ...['q', 'k', 'v'].map((x): [string, number[]] => [`${at}.${x}.weight`, [INNER, T5_HIDDEN]]),
    [`${at}.o.weight`, [T5_HIDDEN, INNER]],
  ];
  const self = (side: string, n: number): Tensors => [
    ...attention(`${side}.block.${n}.layer.0.SelfAttention`),
    ...(n === 0
      ? ([[`${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`, [32, HEADS]]] as Tensors)
      : []),
  ];
  return {
    config: {
      model_type: 't5',
      d_model: T5_HIDDEN,
      d_kv: HEAD_DIM,
      d_ff: FFN,
      num_heads: HEADS,
      num_layers: LAYERS,
      num_decoder_layers: LAYERS,
      is_encoder_decoder: true,
      relative_attention_num_buckets: 32,
      vocab_size: VOCAB,
    },
    tensors: [
      ['shared.weight', [VOCAB, T5_HIDDEN]],
      ...layers.flatMap((n) => self('encoder', n)),
      ...layers.flatMap((n) => [
        ...self('decoder', n),
        ...attention(`decoder.block.${n}.layer.1.EncDecAttention`),
      ]),
    ],
  };
}

/** By the names of `FAMILIES`, and by model type where a family has several forms. */
export const CHECKPOINTS: Readonly<Record<string, CheckpointSpec>> = {
  llama: llama('llama'),
  mistral: llama('mistral', [], { sliding_window: 16 }),
  qwen2: llama('qwen2', BIASES),
  qwen3: llama('qwen3', NORMS, { head_dim: HEAD_DIM }),
  gemma: llama('gemma', [], { head_dim: HEAD_DIM }),
  gemma2: llama('gemma2', [], {
    head_dim: HEAD_DIM,
    query_pre_attn_scalar: 4,
    // Far below a real one's 50, so that it bends the scores of so small a model.
    attn_logit_softcapping: 2,
  }),
  gemma3: llama('gemma3_text', NORMS, {
    head_dim: HEAD_DIM,
    query_pre_attn_scalar: 16,
    layer_types: ['full_attention', 'sliding_attention'],
    sliding_window: 512,
    rope_theta: 1_000_000,
    rope_local_base_freq: 100,
  }),
  phi3: phi3(),
  'nanochat-hf': llama('nanochat'),
  'gpt-neox': neox(),
  'gpt-2': gpt2(),
  nanogpt: nanogpt(),
  nanochat: nanochat(),
  t5: t5(),
};

/** The values of a tensor: given by its name, shape and number of elements. */
export type Fill = (name: string, shape: readonly number[]) => ArrayLike<number>;

/** Numbers in -0.5 to 0.5 that depend on the tensor's name alone. */
export const noise: Fill = (name, shape) => {
  let state = name.split('').reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
};

export interface WriteOptions {
  readonly fill?: Fill;
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Files the tensors are spread over, in order; one has no index. */
  readonly shards?: number;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Writes the checkpoint with a tokenizer and a file in a subfolder beside it; returns the folder. */
export async function writeCheckpoint(
  folder: string,
  { config, tensors }: CheckpointSpec,
  { fill = noise, dtype = 'F32', shards = 1, config: other = config }: WriteOptions = {},
): Promise<string> {
  await mkdir(join(folder, 'extra'), { recursive: true });
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(other, null, 2)}\n`);
  await writeFile(join(folder, 'tokenizer.json'), '{"version": "1.0"}');
  await writeFile(join(folder, 'extra', 'note.txt'), 'kept');
  await writeFile(join(folder, 'pytorch_model.bin'), 'stale weights');
  const data = tensors.map(([name, shape]) => ({
    name,
    dtype,
    shape,
    data: encode(dtype, fill(name, shape)),
  }));
  const weightMap: Record<string, string> = {};
  for (let i = 0; i < shards; i++) {
    const file = shards === 1 ? 'model.safetensors' : `model-0000${i + 1}-of-0000${shards}.safetensors`;
    const part = data.slice((i * data.length) / shards, ((i + 1) * data.length) / shards);
    await writeSafetensors(join(folder, file), part, { format: 'pt' });
    for (const { name } of part) weightMap[name] = file;
  }
  if (shards > 1) {
    const index = { metadata: { total_size: 0 }, weight_map: weightMap };
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
  }
  return folder;
}

function encode(dtype: 'F32' | 'F16' | 'BF16', values: ArrayLike<number>): ArrayBufferView {
  if (dtype === 'F32') return Float32Array.from(values);
  if (dtype === 'F16') return Uint16Array.from(values, f16Bits);
  // The upper half: not rounded, as it is only test data.
  return Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16);
}
