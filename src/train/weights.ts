// weights.ts: a model's parameters out of the tensors of a checkpoint, and back into tensors of the same names and shapes.
import { fail } from '../checkpoint/format/checkpointError.ts';
import type { TensorReader } from '../models/decoder/spec.ts';
import { WeightReader } from '../models/reference/weights.ts';
import { blocksOf, type Block, type ParameterLayout, type Piece } from './parameters.ts';

/** A tensor of f32. */
export interface FloatTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** Reads all parameters, [layout.count]. Throws ShapeError for a tensor that is missing or of a type that no model has,
 * CheckpointError for one with a number that is not finite. */
export async function readParameters(
  layout: ParameterLayout,
  reader: TensorReader,
): Promise<Float32Array<ArrayBuffer>> {
  const all = new Float32Array(layout.count);
  const weights = new WeightReader(reader, undefined);
  for (const { offset, columns, pieces } of blocksOf(layout)) {
    let at = offset;
    for (const piece of pieces) {
      const rows = await rowsOf(weights, piece, columns);
      const bad = rows.find((value) => !Number.isFinite(value));
      if (bad !== undefined) fail(`tensor "${piece.tensor}": has ${bad}; expected finite numbers to train`);
      all.set(rows, at);
      at += piece.rows * columns;
    }
  }
  return all;
}

async function rowsOf(weights: WeightReader, piece: Piece, columns: number): Promise<Float32Array> {
  if (columns > 1) return (await weights.matrix({ ...piece, outputs: piece.rows })).values;
  const values = await weights.vector(piece.tensor);
  return Float32Array.from({ length: piece.rows }, (_, row) => values[piece.rowOf(row)]!);
}

/** The tensors that parameters, or gradients of them, lie in: by name, shapes as `reader` has them. */
export function tensorsOf(
  layout: ParameterLayout,
  all: Float32Array,
  reader: Pick<TensorReader, 'tensor'>,
): Map<string, FloatTensor> {
  const tensors = new Map<string, FloatTensor>();
  for (const block of blocksOf(layout)) writeBlock(block, all, (name) => tensorNamed(tensors, name, reader));
  return tensors;
}

function tensorNamed(
  tensors: Map<string, FloatTensor>,
  name: string,
  reader: Pick<TensorReader, 'tensor'>,
): FloatTensor {
  const known = tensors.get(name);
  if (known) return known;
  const { shape } = reader.tensor(name)!;
  const made = { shape, values: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
  tensors.set(name, made);
  return made;
}

function writeBlock(
  { offset, columns, pieces }: Block,
  all: Float32Array,
  named: (name: string) => FloatTensor,
): void {
  let at = offset;
  for (const { tensor, transposed, rows, rowOf } of pieces) {
    const { values, shape } = named(tensor);
    const width = columns === 1 ? 1 : shape[1]!;
    for (let row = 0; row < rows; row++, at += columns) {
      const to = rowOf(row);
      if (!transposed) values.set(all.subarray(at, at + columns), to * columns);
      else for (let i = 0; i < columns; i++) values[i * width + to] = all[at + i]!;
    }
  }
}

/** Numbers of parameters that a checkpoint has, those of padding not among them. */
export function parameterCount(layout: ParameterLayout): number {
  const named = blocksOf(layout).flatMap(({ pieces, columns }) => pieces.map(({ rows }) => rows * columns));
  return named.reduce((sum, count) => sum + count, 0);
}
