// variedModel.ts: models of two layers with Llama's tensor names and seeded weights, as files: of any element type, in shards, with biases and norms of heads.
import { DTYPE_BYTES, serializeHeader, type TensorSpec } from '../../src/checkpoint/format/safetensors.ts';
import type { ModelFiles } from '../../src/models.ts';
import { bf16Bits, f16Bits } from '../../src/numbers/halves.ts';
import { seededNormals, seedOf } from '../../src/numbers/seeded.ts';

const HIDDEN = 24;
const INNER = 40;
export const VARIED_VOCAB = 37;

/** What is different in a model. */
export interface Variety {
  /** Fields of config.json beside the sizes. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly heads: readonly [numQHeads: number, numKvHeads: number, headDim: number];
  /** Element type of a tensor. Default F32. */
  readonly dtype?: (name: string) => 'F32' | 'F16' | 'BF16';
  /** Projections that have a bias: q, k, v, o, gate, up, down. */
  readonly biases?: readonly string[];
  readonly qkNorm?: boolean;
  readonly untied?: boolean;
  /** Files. Default one. */
  readonly shards?: number;
}

/** Its files. */
export function variedModel(variety: Variety): ModelFiles {
  const { config, heads, untied = false, shards = 1 } = variety;
  const specs = tensorsOf(variety);
  const files: Record<string, Blob> = {
    'config.json': new Blob([
      JSON.stringify({
        hidden_size: HIDDEN,
        intermediate_size: INNER,
        num_hidden_layers: 2,
        num_attention_heads: heads[0],
        num_key_value_heads: heads[1],
        head_dim: heads[2],
        vocab_size: VARIED_VOCAB,
        tie_word_embeddings: !untied,
        ...config,
      }),
    ]),
  };
  const shardOf = (i: number) => `model-${(i % shards) + 1}-of-${shards}.safetensors`;
  for (let shard = 0; shard < shards; shard++) {
    const own = specs.filter((_, i) => i % shards === shard);
    const name = shards === 1 ? 'model.safetensors' : shardOf(shard);
    files[name] = new Blob([serializeHeader(own), ...own.map(dataOf)]);
  }
  if (shards > 1) {
    const weight_map = Object.fromEntries(specs.map(({ name }, i) => [name, shardOf(i)]));
    files['model.safetensors.index.json'] = new Blob([JSON.stringify({ weight_map })]);
  }
  return files;
}

function tensorsOf({ heads, dtype, biases = [], qkNorm, untied }: Variety): TensorSpec[] {
  const [numQHeads, numKvHeads, headDim] = heads;
  const projections: readonly (readonly [name: string, outputs: number, inputs: number])[] = [
    ['self_attn.q', numQHeads * headDim, HIDDEN],
    ['self_attn.k', numKvHeads * headDim, HIDDEN],
    ['self_attn.v', numKvHeads * headDim, HIDDEN],
    ['self_attn.o', HIDDEN, numQHeads * headDim],
    ['mlp.gate', INNER, HIDDEN],
    ['mlp.up', INNER, HIDDEN],
    ['mlp.down', HIDDEN, INNER],
  ];
  const all: [name: string, shape: readonly number[]][] = [
    ['model.embed_tokens.weight', [VARIED_VOCAB, HIDDEN]],
  ];
  for (let layer = 0; layer < 2; layer++) {
    const at = `model.layers.${layer}`;
    for (const [name, outputs, inputs] of projections) {
      all.push([`${at}.${name}_proj.weight`, [outputs, inputs]]);
      if (biases.includes(name.split('.')[1]!)) all.push([`${at}.${name}_proj.bias`, [outputs]]);
    }
    for (const of of qkNorm ? ['q', 'k'] : []) all.push([`${at}.self_attn.${of}_norm.weight`, [headDim]]);
    all.push([`${at}.input_layernorm.weight`, [HIDDEN]], [`${at}.post_attention_layernorm.weight`, [HIDDEN]]);
  }
  all.push(['model.norm.weight', [HIDDEN]]);
  if (untied) all.push(['lm_head.weight', [VARIED_VOCAB, HIDDEN]]);
  return all.map(([name, shape]) => ({ name, dtype: dtype?.(name) ?? 'F32', shape }));
}

function dataOf({ name, dtype, shape }: TensorSpec): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((a, b) => a * b, 1);
  const values = seededNormals(seedOf(1, name), count).map((x) => (shape.length === 1 ? 1 + x / 4 : x / 3));
  const bytes = new Uint8Array(count * DTYPE_BYTES[dtype as 'F32']);
  if (dtype === 'F32') new Float32Array(bytes.buffer).set(values);
  else new Uint16Array(bytes.buffer).set(Array.from(values, dtype === 'F16' ? f16Bits : bf16Bits));
  return bytes;
}
