// attendOutput.ts: what `gqa attend` writes: tensors, metadata and a line for people.
import { version } from '../../package.json';
import type { TensorData } from '../../src/checkpoint/format/file.ts';
import type { StoredProblem } from '../../src/reference/problem.ts';
import { scoresOf } from '../../src/reference/scores.ts';
import type { AttendInput } from './attendInput.ts';
import type { AttendOptions } from './attendOptions.ts';
import { takeRows } from './attendRows.ts';
import { list, type RowsTensor } from './attendTensors.ts';

type Floats = Float32Array<ArrayBuffer>;

/** o in q's order of axes, lse, and what else options ask for; `o` [B, Hq, Lq, Dv] has the dim of the cache. */
export function resultTensors(
  input: AttendInput,
  problem: StoredProblem,
  { o, lse }: { readonly o: Floats; readonly lse: Floats },
  { scores }: AttendOptions,
): TensorData[] {
  const { batch, numQHeads, qLen, keys, vHeadDim, tensors } = input;
  const { q, v, pastK, pastV } = tensors;
  const dense = resized({ ...q, dim: v.dim });
  const tensor = (name: string, shape: readonly number[], data: Floats): TensorData => {
    return { name, dtype: 'F32', shape, data };
  };
  return [
    tensor('o', dense.shape, takeRows(dense, { values: o, slots: qLen, dim: vHeadDim })),
    tensor('lse', [batch, numQHeads, qLen], lse),
    ...(pastK && pastV ? [present('present_k', input, problem), present('present_v', input, problem)] : []),
    ...(scores
      ? [tensor('scores', [batch, numQHeads, qLen, keys], Float32Array.from(scoresOf(problem, scores, keys)))]
      : []),
  ];
}

function present(name: 'present_k' | 'present_v', input: AttendInput, problem: StoredProblem): TensorData {
  const { tensors, keys, capacity, headDim, vHeadDim } = input;
  const isK = name === 'present_k';
  const { batch, heads, dim } = isK ? tensors.k : tensors.v;
  const shape = [batch, heads, keys, dim];
  const source = { values: isK ? problem.k : problem.v, slots: capacity, dim: isK ? headDim : vHeadDim };
  const data = takeRows({ name, shape, batch, heads, rows: keys, dim }, source);
  return { name, dtype: 'F32', shape, data };
}

/** The tensor with the shape that its sizes make. */
function resized(tensor: RowsTensor): RowsTensor {
  const { shape, batch, heads, rows, dim } = tensor;
  return { ...tensor, shape: shape.length === 4 ? [batch, heads, rows, dim] : [batch, rows, heads * dim] };
}

/** How the result was made. */
export function metadataOf(
  { smScale }: StoredProblem,
  options: AttendOptions,
  adapter: string,
): Record<string, string> {
  const {
    kernel,
    kvDtype,
    causal,
    pageSize,
    softcap,
    window,
    sinkTokens,
    alibi,
    mask,
    bias,
    sinkLogits,
    scores,
  } = options;
  const { ropeBase, ropeStyle = ropeBase && 'half', ropeDim } = options;
  const rope = { rope_base: ropeBase, rope_style: ropeStyle, rope_dim: ropeDim };
  const given = {
    page_size: pageSize,
    softcap,
    window,
    sink_tokens: sinkTokens,
    alibi,
    mask,
    bias,
    sink_logits: sinkLogits,
    ...rope,
    scores,
  };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    tool: `gqa-webgpu ${version}`,
    adapter,
    kernel,
    kv_dtype: kvDtype,
    scale: String(smScale),
    causal,
    ...Object.fromEntries(known.map(([name, value]) => [name, String(value)])),
  };
}

/** What was computed. */
export function summary({ tensors, keys }: AttendInput, { kernel, kvDtype }: AttendOptions): string {
  const { q, k, v } = tensors;
  const kv = (dim: number) => list([k.batch, k.heads, keys, dim]);
  const cache = v.dim === k.dim ? `k and v ${kv(k.dim)}` : `k ${kv(k.dim)}, v ${kv(v.dim)}`;
  return `q ${list([q.batch, q.heads, q.rows, q.dim])}, ${cache} as ${kvDtype}, ${kernel}`;
}
