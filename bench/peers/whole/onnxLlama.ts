// onnxLlama.ts: the model as a graph of onnxruntime's own operators, its caches of full length from the start.
import { CONTRIB, onnxModel, type OnnxConstant, type OnnxNode, type OnnxValue } from '../onnxProto.ts';
import { toElements, type Stored } from '../inputs.ts';
import {
  EMBEDDING,
  FINAL_NORM,
  HEAD,
  NORM_EPS,
  ofLayer,
  rotations,
  tensorOf,
  type LayerTensor,
  type Llama,
} from './llama.ts';

/** Names of a layer's caches: what goes in, and what comes out in the same memory. */
export function cacheNames(layer: number) {
  const names = (part: string) => [`past_${part}.${layer}`, `present_${part}.${layer}`] as const;
  return { k: names('key'), v: names('value') };
}

/** Dimensions of a cache. */
export function cacheDims({ sizes }: Llama, capacity: number): readonly number[] {
  return [1, sizes.kvHeads, capacity, sizes.headDim];
}

/** Whether GroupQueryAttention rotates queries and keys, or RotaryEmbedding nodes before it. */
export type Rotating = 'fused' | 'nodes';

/**
 * The model's bytes: `tokens` int32 [1, N] in, `logits` [1, N, V] and `next` int32 [1, N], the likeliest tokens, out.
 * `seqlens_k` and `total_sequence_length` count the tokens that there then are, less one and all; `positions` is an input
 * where RotaryEmbedding nodes rotate: that of the first token.
 */
export function onnxLlama(model: Llama, capacity: number, rotating: Rotating): Uint8Array<ArrayBuffer> {
  const { sizes } = model;
  const layers = Array.from({ length: sizes.layers }, (_, layer) => layer);
  const dims = cacheDims(model, capacity);
  const caches = (place: 0 | 1) =>
    layers.flatMap((layer) => {
      const { k, v } = cacheNames(layer);
      return [k[place], v[place]].map((name): OnnxValue => ({ name, type: sizes.type, dims }));
    });
  return onnxModel({
    name: 'llama',
    nodes: [
      { op: 'Gather', inputs: [EMBEDDING, 'tokens'], outputs: ['x.0'] },
      {
        op: 'SimplifiedLayerNormalization',
        inputs: ['x.0', ofLayer(0, 'attentionNorm')],
        outputs: ['normed.0'],
        ints: { axis: -1 },
        floats: { epsilon: NORM_EPS },
      },
      ...layers.flatMap((layer) => layerNodes(model, layer, rotating)),
      { op: 'MatMul', inputs: [`normed.${sizes.layers}`, HEAD], outputs: ['logits'] },
      { op: 'ArgMax', inputs: ['logits'], outputs: ['likeliest'], ints: { axis: -1, keepdims: 0 } },
      { op: 'Cast', inputs: ['likeliest'], outputs: ['next'], ints: { to: ONNX_INT32 } },
    ],
    inputs: [
      { name: 'tokens', type: 'int32', dims: [1, 'added'] },
      { name: 'seqlens_k', type: 'int32', dims: [1] },
      { name: 'total_sequence_length', type: 'int32', dims: [1] },
      ...(rotating === 'nodes' ? [{ name: 'positions', type: 'int64', dims: [1] } as const] : []),
      ...caches(0),
    ],
    outputs: [
      { name: 'logits', type: sizes.type, dims: [1, 'added', sizes.vocab] },
      { name: 'next', type: 'int32', dims: [1, 'added'] },
      ...caches(1),
    ],
    constants: constantsOf(model, capacity),
  });
}

const ONNX_INT32 = 6;

function layerNodes({ sizes }: Llama, layer: number, rotating: Rotating): OnnxNode[] {
  const of = (name: string) => `${name}.${layer}`;
  const product = (x: string, name: LayerTensor): OnnxNode => {
    return { op: 'MatMul', inputs: [of(x), ofLayer(layer, name)], outputs: [of(name)] };
  };
  const { k, v } = cacheNames(layer);
  const fused = rotating === 'fused';
  const rotate = (name: 'q' | 'k', heads: number): OnnxNode => ({
    op: 'RotaryEmbedding',
    domain: CONTRIB,
    inputs: [of(name), 'positions', 'cos', 'sin'],
    outputs: [of(`${name}_rotated`)],
    ints: { num_heads: heads, interleaved: 0 },
  });
  const [q, keys] = fused ? [of('q'), of('k')] : [of('q_rotated'), of('k_rotated')];
  const last = layer === sizes.layers - 1;
  return [
    product('normed', 'q'),
    product('normed', 'k'),
    product('normed', 'v'),
    ...(fused ? [] : [rotate('q', sizes.heads), rotate('k', sizes.kvHeads)]),
    {
      op: 'GroupQueryAttention',
      domain: CONTRIB,
      inputs: [
        q,
        keys,
        of('v'),
        k[0],
        v[0],
        'seqlens_k',
        'total_sequence_length',
        ...(fused ? ['cos', 'sin'] : []),
      ],
      outputs: [of('attended'), k[1], v[1]],
      ints: { num_heads: sizes.heads, kv_num_heads: sizes.kvHeads, do_rotary: fused ? 1 : 0 },
    },
    product('attended', 'o'),
    addAndNorm([of('x'), of('o')], ofLayer(layer, 'mlpNorm'), [of('mlp_normed'), of('middle')]),
    product('mlp_normed', 'gate'),
    product('mlp_normed', 'up'),
    { op: 'Sigmoid', inputs: [of('gate')], outputs: [of('gated')] },
    { op: 'Mul', inputs: [of('gate'), of('gated')], outputs: [of('silu')] },
    { op: 'Mul', inputs: [of('silu'), of('up')], outputs: [of('both')] },
    product('both', 'down'),
    addAndNorm([of('middle'), of('down')], last ? FINAL_NORM : ofLayer(layer + 1, 'attentionNorm'), [
      `normed.${layer + 1}`,
      last ? '' : `x.${layer + 1}`,
    ]),
  ];
}

/** The norm of a sum, and the sum, unless it has no name. */
function addAndNorm(
  terms: readonly [string, string],
  gains: string,
  [normed, sum]: readonly [string, string],
): OnnxNode {
  return {
    op: 'SkipSimplifiedLayerNormalization',
    domain: CONTRIB,
    inputs: [...terms, gains],
    // Mean and deviation lie between; nobody asks for them.
    outputs: sum ? [normed, '', '', sum] : [normed],
    floats: { epsilon: NORM_EPS },
  };
}

/** Weights, matrices as MatMul takes them: [inputs, outputs]. */
function constantsOf(model: Llama, capacity: number): OnnxConstant[] {
  const { type, headDim } = model.sizes;
  const { cos, sin } = rotations(headDim, capacity);
  const table = (name: string, values: Float32Array): OnnxConstant => {
    return { name, type, dims: [capacity, headDim / 2], data: toElements(type, values) };
  };
  const weights = [...model.tensors.keys()].map((name): OnnxConstant => {
    const { shape, data } = tensorOf(model, name);
    const [rows, columns] = shape;
    if (columns === undefined || name === EMBEDDING) return { name, type, dims: shape, data };
    return { name, type, dims: [columns, rows!], data: transposed(data, rows!, columns) };
  });
  return [...weights, table('cos', cos), table('sin', sin)];
}

/** [C, R] out of [R, C]. */
function transposed(data: Stored, rows: number, columns: number): Stored {
  const out = data.slice();
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return out;
}
