// gguf.ts: the model as llama.cpp reads it: a GGUF file of version 3, its vocabulary nothing but numbers.
import { fromElements, type PeerType, type Stored } from '../inputs.ts';
import {
  EMBEDDING,
  FINAL_NORM,
  HEAD,
  hiddenOf,
  NORM_EPS,
  ofLayer,
  ROPE_THETA,
  tensorOf,
  type LayerTensor,
  type Llama,
  type LlamaSizes,
} from '../whole/llama.ts';

const LAYER: Readonly<Record<LayerTensor, string>> = {
  attentionNorm: 'attn_norm',
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  o: 'attn_output',
  mlpNorm: 'ffn_norm',
  gate: 'ffn_gate',
  up: 'ffn_up',
  down: 'ffn_down',
};

/** A tensor under the name that llama.cpp knows it by. */
interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Stored;
}

const TENSOR_TYPES: Readonly<Record<PeerType, number>> = { f32: 0, f16: 1 };

/** Tensors begin at multiples of it. */
const ALIGNMENT = 32;

/** The parts of the file, one after the other. */
export function ggufLlama(model: Llama, capacity: number): Uint8Array<ArrayBuffer>[] {
  const metadata = metadataOf(model.sizes, capacity);
  const tensors = ggufTensors(model);
  const header = [
    ...new TextEncoder().encode('GGUF'),
    ...u32(3),
    ...u64(tensors.length),
    ...u64(metadata.length),
    ...metadata.flatMap(([key, value]) => [...text(key), ...value]),
  ];
  let offset = 0;
  for (const { name, shape, data } of tensors) {
    const type = data instanceof Float32Array ? TENSOR_TYPES.f32 : TENSOR_TYPES.f16;
    const dims = shape.toReversed(); // the innermost first
    header.push(...text(name), ...u32(dims.length), ...dims.flatMap(u64), ...u32(type), ...u64(offset));
    offset += aligned(data.byteLength);
  }
  return [padded(Uint8Array.from(header)), ...tensors.map(({ data }) => padded(bytesOf(data)))];
}

function metadataOf(sizes: LlamaSizes, capacity: number): [key: string, value: number[]][] {
  const { layers, heads, kvHeads, headDim, mlp, vocab } = sizes;
  const tokens = Array.from({ length: vocab }, (_, token) => token);
  return [
    ['general.architecture', [...u32(VALUE_TYPES.text), ...text('llama')]],
    ['llama.block_count', whole(layers)],
    ['llama.context_length', whole(capacity)],
    ['llama.embedding_length', whole(hiddenOf(sizes))],
    ['llama.feed_forward_length', whole(mlp)],
    ['llama.attention.head_count', whole(heads)],
    ['llama.attention.head_count_kv', whole(kvHeads)],
    ['llama.attention.layer_norm_rms_epsilon', real(NORM_EPS)],
    ['llama.rope.dimension_count', whole(headDim)],
    ['llama.rope.freq_base', real(ROPE_THETA)],
    ['tokenizer.ggml.model', [...u32(VALUE_TYPES.text), ...text('llama')]],
    ['tokenizer.ggml.tokens', list(VALUE_TYPES.text, tokens.map(nameOf).map(text))],
    ['tokenizer.ggml.token_type', list(VALUE_TYPES.integer, tokens.map(kindOf).map(u32))],
  ];
}

const VALUE_TYPES = { whole: 4, integer: 5, real: 6, text: 8, list: 9 } as const;

const TOKEN_TYPES = { normal: 1, byte: 6 } as const;

const BYTES = 256;

/** node-llama-cpp tokenizes a text as it loads a model: there has to be a token for each byte. */
function nameOf(token: number): string {
  return token < BYTES ? `<0x${token.toString(16).toUpperCase().padStart(2, '0')}>` : `[${token}]`;
}

function kindOf(token: number): number {
  return token < BYTES ? TOKEN_TYPES.byte : TOKEN_TYPES.normal;
}

function list(type: number, values: readonly number[][]): number[] {
  return [...u32(VALUE_TYPES.list), ...u32(type), ...u64(values.length), ...values.flat()];
}

function ggufTensors(model: Llama): GgufTensor[] {
  const { layers, heads, kvHeads, headDim } = model.sizes;
  const of = (name: string, as: string): GgufTensor => ({ name: `${as}.weight`, ...tensorOf(model, name) });
  const gains = (name: string, as: string) => {
    const { data, ...rest } = of(name, as);
    return { ...rest, data: fromElements(data) }; // llama.cpp has norms in f32
  };
  const rotated = (name: string, as: string, count: number) => {
    const { data, ...rest } = of(name, as);
    return { ...rest, data: neighboursTurned(data, count, headDim) };
  };
  const layer = (index: number) => {
    const named = (name: LayerTensor) => [ofLayer(index, name), `blk.${index}.${LAYER[name]}`] as const;
    return [
      ...(['attentionNorm', 'mlpNorm'] as const).map((name) => gains(...named(name))),
      rotated(...named('q'), heads),
      rotated(...named('k'), kvHeads),
      ...(['v', 'o', 'gate', 'up', 'down'] as const).map((name) => of(...named(name))),
    ];
  };
  return [
    of(EMBEDDING, 'token_embd'),
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
    gains(FINAL_NORM, 'output_norm'),
    of(HEAD, 'output'),
  ];
}

/** Hugging Face's weights turn rows that are half a head apart, llama.cpp neighbours. */
function neighboursTurned(data: Stored, heads: number, headDim: number): Stored {
  const out = data.slice();
  const columns = data.length / (heads * headDim);
  for (let row = 0; row < heads * headDim; row++) {
    const at = row % headDim;
    const from = row - at + (at % 2) * (headDim / 2) + Math.floor(at / 2);
    out.set(data.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return out;
}

function whole(value: number): number[] {
  return [...u32(VALUE_TYPES.whole), ...u32(value)];
}

function real(value: number): number[] {
  return [...u32(VALUE_TYPES.real), ...bytesOf(Float32Array.of(value))];
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...u64(bytes.length), ...bytes];
}

function u32(value: number): number[] {
  return [...bytesOf(Uint32Array.of(value))];
}

function u64(value: number): number[] {
  return [...bytesOf(BigUint64Array.of(BigInt(value)))];
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Zeros up to the next tensor. */
function padded(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(aligned(bytes.length));
  out.set(bytes);
  return out;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
