// attendRows.ts: rows of q, k and v on their way from a file's axes to those of a cache, and back.
import { CheckpointError } from '../../src/checkpoint/format/checkpointError.ts';
import { list, type RowsTensor } from './attendTensors.ts';

/** Where rows go: [B, heads, slots, dim]. */
export interface RowsTarget {
  readonly values: Float32Array;
  readonly slots: number;
  readonly dim: number;
}

/** Calls `each` for every row with its place and where it begins in the tensor. */
function forRows(
  { shape, batch, heads, rows, dim }: RowsTensor,
  each: (at: number, b: number, h: number, row: number) => void,
): void {
  const [perHead, perRow] = shape.length === 4 ? [rows * dim, dim] : [dim, heads * dim];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let row = 0; row < rows; row++)
        each(b * heads * rows * dim + h * perHead + row * perRow, b, h, row);
    }
  }
}

/**
 * Copies a tensor's rows, of each head the first `lens[b]` or all, to the slots from `first` on; what they lack of the target's dim
 * stays as it is.
 */
export function placeRows(
  tensor: RowsTensor,
  values: Float32Array,
  target: RowsTarget & { readonly first: number },
  lens?: readonly number[],
): void {
  forRows(tensor, (at, b, h, row) => {
    if (lens && row >= lens[b]!) return;
    const to = ((b * tensor.heads + h) * target.slots + target.first + row) * target.dim;
    target.values.set(values.subarray(at, at + tensor.dim), to);
  });
}

/** Rows [B, heads, slots, dim], cut to the dim of a tensor and in its order of axes: the other way round. */
export function takeRows(tensor: RowsTensor, source: RowsTarget): Float32Array<ArrayBuffer> {
  const { batch, heads, rows, dim } = tensor;
  const values = new Float32Array(batch * heads * rows * dim);
  forRows(tensor, (at, b, h, row) => {
    const from = ((b * heads + h) * source.slots + row) * source.dim;
    values.set(source.values.subarray(from, from + dim), at);
  });
  return values;
}

/**
 * Throws CheckpointError unless the first `lens[b]` rows of each head, without `lens` all, are finite: shaders may assume that
 * NaN and infinity never occur, so they would give any number. The other rows may hold anything.
 */
export function checkRows(
  where: string,
  tensor: RowsTensor,
  values: Float32Array,
  lens?: readonly number[],
): void {
  forRows(tensor, (at, b, h, row) => {
    if (lens && row >= lens[b]!) return;
    for (let d = 0; d < tensor.dim; d++) {
      if (Number.isFinite(values[at + d])) continue;
      const place = tensor.shape.length === 4 ? [b, h, row, d] : [b, row, h * tensor.dim + d];
      throw new CheckpointError(`${where}: expected finite numbers, got ${values[at + d]} at ${list(place)}`);
    }
  });
}
