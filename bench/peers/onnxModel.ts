// onnxModel.ts: an ONNX model of one node, com.microsoft.GroupQueryAttention.
import { newTokens, type PeerShape } from './inputs.ts';
import { CONTRIB, onnxModel, type OnnxValue } from './onnxProto.ts';

/** Names and dimensions of the model's inputs and outputs, in the op's order. */
export function gqaTensors(shape: PeerShape) {
  const { heads, kvHeads, headDim, depth } = shape;
  const added = newTokens(shape);
  const cache = [1, kvHeads, depth, headDim];
  return {
    inputs: {
      query: [1, added, heads * headDim],
      key: [1, added, kvHeads * headDim],
      value: [1, added, kvHeads * headDim],
      past_key: cache,
      past_value: cache,
      seqlens_k: [1],
      total_sequence_length: [1],
    },
    outputs: { output: [1, added, heads * headDim], present_key: cache, present_value: cache },
  };
}

/** What the length inputs hold, as int32: keys but one, and all keys. */
export function gqaLengths({ depth }: PeerShape): { seqlens_k: number; total_sequence_length: number } {
  return { seqlens_k: depth - 1, total_sequence_length: depth };
}

const LENGTHS: readonly string[] = ['seqlens_k', 'total_sequence_length'];

/**
 * The model's bytes. The cache has its full length from the start: with past_key and present_key, and past_value and
 * present_value, in the same memory the op writes the step's token into it instead of copying the whole.
 */
export function gqaModel(shape: PeerShape): Uint8Array<ArrayBuffer> {
  const { inputs, outputs } = gqaTensors(shape);
  const values = (tensors: Readonly<Record<string, readonly number[]>>) =>
    Object.entries(tensors).map(([name, dims]): OnnxValue => {
      return { name, type: LENGTHS.includes(name) ? 'int32' : shape.type, dims };
    });
  return onnxModel({
    name: 'decode',
    nodes: [
      {
        op: 'GroupQueryAttention',
        domain: CONTRIB,
        inputs: Object.keys(inputs),
        outputs: Object.keys(outputs),
        ints: { num_heads: shape.heads, kv_num_heads: shape.kvHeads },
      },
    ],
    inputs: values(inputs),
    outputs: values(outputs),
  });
}
